from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed

from simulator.server import serve
from tests.simulator.exchanges.bybit_client import rest, socket, symbols
from tests.simulator.exchanges.client import Message


def reply(message: Message) -> Message:
    """Return an answer without the name of the connection."""
    return {field: value for field, value in message.items() if field != "conn_id"}


def refusal(text: str) -> Message:
    return {"success": False, "ret_msg": text, "req_id": "r", "op": "subscribe"}


async def test_a_subscription_is_acknowledged_and_a_ticker_begins_with_a_snapshot() -> None:
    async with serve("bybit") as served, socket(served) as client:
        ack = (await client.ask("subscribe", "tickers.BTCUSDT", "allLiquidation.BTCUSDT", request="t1"))[-1]
        first = await client.message()

    assert reply(ack) == {"success": True, "ret_msg": "", "req_id": "t1", "op": "subscribe"}
    assert len(ack["conn_id"]) == 20
    assert (first["topic"], first["type"], first["data"]["symbol"]) == ("tickers.BTCUSDT", "snapshot", "BTCUSDT")


@pytest.mark.parametrize(
    ("topics", "error"),
    [
        (["tickers.BTCUSDT", "liquidation.BTCUSDT"], "error:handler not found,topic:liquidation.BTCUSDT"),
        (["tickers.BTCUSDT", "tickers.BTCUSD"], "error:handler not found,topic:tickers.BTCUSD"),
        (["tickers.BTCUSDT", "nonsense"], "error:handler not found,topic:nonsense"),
        (["tickers.BTCUSDT", "tickers.BTCUSDT"], "error:already subscribed,topic:tickers.BTCUSDT"),
        (["tickers.BTCUSDT", "tickers.ETHUSDT"], "error:already subscribed,topic:tickers.ETHUSDT"),
    ],
)
async def test_one_bad_or_repeated_topic_voids_the_whole_message(topics: list[str], error: str) -> None:
    async with serve("bybit", rate=1000) as served, socket(served) as client:
        await client.ask("subscribe", "tickers.ETHUSDT")
        refused = (await client.ask("subscribe", *topics))[-1]
        later = [await client.message() for _ in range(5)]

    assert reply(refused) == refusal(error)
    assert {message["topic"] for message in later} == {"tickers.ETHUSDT"}


async def test_a_ping_is_answered_in_the_words_of_this_family() -> None:
    async with serve("bybit") as served, socket(served) as client:
        await client.send({"req_id": "p1", "op": "ping"})
        pong = await client.message()
        await client.send({"op": "ping"})
        nameless = await client.message()

    assert reply(pong) == {"success": True, "ret_msg": "pong", "req_id": "p1", "op": "ping"}
    assert reply(nameless) == {"success": True, "ret_msg": "pong", "req_id": "", "op": "ping"}


@pytest.mark.parametrize(
    "sent", ["{", "[]", '{"op": 1}', '{"op": "subscribe", "args": "tickers.BTCUSDT"}', '{"op": "x"}']
)
async def test_a_message_that_makes_no_sense_gets_an_error_and_the_connection_lives(sent: str) -> None:
    async with serve("bybit") as served, socket(served) as client:
        await client.send(sent)
        error = await client.message()
        ack = (await client.ask("subscribe", "allLiquidation.BTCUSDT"))[-1]

    assert (error["success"], ack["success"]) == (False, True)


async def test_an_unsubscribed_topic_is_silent_and_can_be_subscribed_again() -> None:
    async with serve("bybit", rate=1000) as served, socket(served) as client:
        await client.ask("subscribe", "tickers.BTCUSDT")
        ack = (await client.ask("unsubscribe", "tickers.BTCUSDT"))[-1]
        later = await client.ask("subscribe", "tickers.ETHUSDT", request="other")
        again = (await client.ask("subscribe", "tickers.BTCUSDT"))[-1]

    assert reply(ack) == {"success": True, "ret_msg": "", "req_id": "r", "op": "unsubscribe"}
    assert [message["op"] for message in later] == ["subscribe"]
    assert again["success"]


async def test_too_many_characters_of_topics_are_refused_per_connection() -> None:
    async with serve("bybit", rate=10_000, liquidations_per_second=0) as served, socket(served) as client:
        names = await symbols(served, "linear")
        topics = [f"{family}.{name}" for family in ("allLiquidation", "publicTrade") for name in names][:1000]
        acks = [(await client.ask("subscribe", *topics[first : first + 400]))[-1] for first in (0, 400, 800)]

    assert [ack["ret_msg"] for ack in acks] == ["", "", "args size >21000"]


async def test_a_message_with_very_many_topics_ends_the_connection() -> None:
    async with serve("bybit") as served, socket(served) as client:
        await client.send({"op": "subscribe", "args": ["tickers.BTCUSDT"] * 501})
        with pytest.raises(ConnectionClosed):
            await client.message()


@pytest.mark.parametrize("category", ["linear", "inverse"])
async def test_pages_together_are_the_whole_list_once(category: str) -> None:
    async with serve("bybit") as served:
        whole = await symbols(served, category)
        paged, cursor = list[str](), ""
        while True:
            page = await rest(served, "/v5/market/instruments-info", category=category, limit="7", cursor=cursor)
            paged += [instrument["symbol"] for instrument in page["result"]["list"]]
            cursor = page["result"]["nextPageCursor"]
            if not cursor:
                break

    assert paged == whole
    assert len(set(whole)) == len(whole) == {"linear": 44, "inverse": 16}[category]


@pytest.mark.parametrize(
    ("path", "query", "text"),
    [
        ("/v5/market/tickers", {}, "params error: Category is invalid"),
        ("/v5/market/tickers", {"category": "spot"}, "params error: Category is invalid"),
        ("/v5/market/tickers", {"category": "linear", "symbol": "BTCUSD"}, "params error: Symbol Is Invalid"),
        ("/v5/market/instruments-info", {"category": "linear", "limit": "1001"}, "params error: limit is invalid"),
        ("/v5/market/instruments-info", {"category": "linear", "limit": "x"}, "params error: limit is invalid"),
    ],
)
async def test_a_bad_request_is_answered_with_a_code(path: str, query: dict[str, str], text: str) -> None:
    async with serve("bybit") as served:
        answered = await rest(served, path, **query)

    assert {**answered, "time": 0} == {"retCode": 10001, "retMsg": text, "result": {}, "retExtInfo": {}, "time": 0}


async def test_the_clock_is_told_in_seconds_and_nanoseconds() -> None:
    async with serve("bybit") as served:
        answered = await rest(served, "/v5/market/time")

    nanoseconds = int(answered["result"]["timeNano"])
    assert answered["result"]["timeSecond"] == str(nanoseconds // 1_000_000_000)
    assert 0 <= answered["time"] - nanoseconds // 1_000_000 < 1000


async def test_a_snapshot_is_what_the_deltas_before_it_add_up_to() -> None:
    topic = "tickers.BTCUSDT"
    async with serve("bybit", rate=800) as served, socket(served) as early, socket(served) as late:
        await early.ask("subscribe", topic)
        snapshot = await early.message()
        deltas = [await early.message() for _ in range(10)]
        await late.ask("subscribe", topic)
        reference = await late.message()
        deltas += await early.until(lambda message: message["cs"] > reference["cs"])

    known = dict(snapshot["data"])
    for delta in deltas:
        assert delta["type"] == "delta"
        if delta["cs"] <= reference["cs"]:
            assert [field for field, text in delta["data"].items() if known[field] == text] == ["symbol"]
            known |= delta["data"]
    assert known == reference["data"]


async def test_rest_and_socket_show_the_same_ticker() -> None:
    async with serve("bybit", rate=0, liquidations_per_second=0) as served, socket(served, "inverse") as client:
        await client.ask("subscribe", "tickers.ETHUSD")
        pushed = (await client.message())["data"]
        answered = await rest(served, "/v5/market/tickers", category="inverse")

    tickers = {ticker["symbol"]: ticker for ticker in answered["result"]["list"]}
    assert tickers["ETHUSD"] == {**pushed, "deliveryTime": "0"}
    assert len(tickers) == 16


async def test_trades_come_with_all_fills_of_one_taker_order() -> None:
    def walks_the_book(message: Message) -> bool:
        return len(message.get("data", [])) > 2

    async with serve("bybit", rate=2000) as served, socket(served) as client:
        await client.ask("subscribe", "publicTrade.BTCUSDT")
        fills = (await client.until(walks_the_book))[-1]["data"]

    prices = [float(fill["p"]) for fill in fills]
    assert len({(fill["s"], fill["S"], fill["T"], fill["seq"]) for fill in fills}) == 1
    assert len({fill["i"] for fill in fills}) == len(fills)
    assert prices == sorted(prices, reverse=fills[0]["S"] == "Sell")
    assert {(fill["BT"], fill["RPI"]) for fill in fills} == {(False, False)}


def printed_and_true(lines: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    """Return what the exchange must have printed of the liquidations that it says it sent."""
    side = {"LONG": "Buy", "SHORT": "Sell"}
    fields = ("symbol", "price", "quantity", "event_ms")
    return Counter((side[line["position"]], *(line[field] for field in fields)) for line in lines if line["sent_ns"])


def received(frames: list[Message]) -> Counter[tuple[Any, ...]]:
    return Counter(
        (item["S"], item["s"], item["p"], item["v"], item["T"]) for frame in frames for item in frame["data"]
    )


async def test_the_truth_is_what_a_subscribed_client_received(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    frames: list[Message] = []
    async with serve("bybit", rate=100, liquidations_per_second=300, truth=truth) as served:
        for category in ("linear", "inverse"):
            topics = [f"allLiquidation.{name}" for name in await symbols(served, category)]
            async with socket(served, category) as client:
                await client.ask("subscribe", *topics)
                frames += [await client.message() for _ in range(30)]
                frames += (await client.ask("unsubscribe", *topics))[:-1]

    lines = [json.loads(line) for line in truth.read_text().splitlines()]
    assert received(frames) == printed_and_true(lines)
    assert sum(received(frames).values()) > 60
    assert any(line["sent_ns"] == 0 for line in lines)
    assert {line["category"] for line in lines if line["sent_ns"]} == {"linear", "inverse"}


async def test_the_truth_says_coins_and_dollars_of_every_kind_of_contract(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    async with serve("bybit", liquidations_per_second=1000, truth=truth) as served:
        for category, symbol in (("linear", "1000PEPEUSDT"), ("linear", "BTCUSDT"), ("inverse", "BTCUSD")):
            async with socket(served, category) as client:
                await client.ask("subscribe", f"allLiquidation.{symbol}")
                await client.message()

    by_symbol = {line["symbol"]: line for line in map(json.loads, truth.read_text().splitlines())}
    pepe, bitcoin, inverse = by_symbol["1000PEPEUSDT"], by_symbol["BTCUSDT"], by_symbol["BTCUSD"]
    assert pepe["asset"] == "PEPE"
    assert pepe["quantity_base"] == 1000 * float(pepe["quantity"])
    assert pepe["notional_usd"] == pytest.approx(float(pepe["quantity"]) * float(pepe["price"]))
    assert bitcoin["quantity_base"] == float(bitcoin["quantity"])
    assert bitcoin["notional_usd"] == pytest.approx(float(bitcoin["quantity"]) * float(bitcoin["price"]))
    assert inverse["quantity_base"] == pytest.approx(float(inverse["quantity"]) / float(inverse["price"]))
    assert inverse["notional_usd"] == float(inverse["quantity"])


async def test_liquidations_of_a_symbol_come_in_one_batch_per_500_ms() -> None:
    async with serve("bybit", liquidations_per_second=500) as served, socket(served) as client:
        await client.ask("subscribe", "allLiquidation.BTCUSDT", "allLiquidation.ETHUSDT")
        frames = [await client.message() for _ in range(6)]

    batches = defaultdict(list)
    for frame in frames:
        batches[frame["topic"]].append(frame["ts"] // 500)
        times = [item["T"] for item in frame["data"]]
        assert times == sorted(times)
        assert frame["ts"] >= times[-1]
    assert all(len(set(numbers)) == len(numbers) for numbers in batches.values())
    assert max(len(frame["data"]) for frame in frames) > 1


async def test_a_path_that_the_exchange_does_not_have_is_not_found() -> None:
    async with serve("bybit") as served, aiohttp.ClientSession(served.urls["rest"]) as session:
        for path in ("/v5/public/spot", "/v5/order/create"):
            async with session.get(path) as response:
                assert response.status == 404

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from simulator.server import serve
from simulator.truth import Known
from tests.simulator.exchanges.client import DONE, Message, fault
from tests.simulator.exchanges.okx_client import Subscriber, rest, socket

LIQUIDATIONS = ("liquidation-orders:SWAP", "liquidation-orders:FUTURES")
ADVICE = "Please use the correct URL, channel and parameters referring to API document."


def replies(messages: list[Message]) -> list[Message]:
    """Return the answers among messages, without the name of the connection."""
    return [
        {field: value for field, value in message.items() if field != "connId"}
        for message in messages
        if "event" in message
    ]


def rows(messages: list[Message], topic: str) -> list[dict[str, Any]]:
    """Return what was pushed on a topic."""
    channel, _, about = topic.partition(":")
    return [
        row
        for message in messages
        if "data" in message and message["arg"]["channel"] == channel and about in message["arg"].values()
        for row in message["data"]
    ]


def liquidated(messages: list[Message]) -> list[tuple[str, ...]]:
    """Return contract, side, price, quantity and time of each liquidation."""
    return [
        (row["instId"], detail["side"], detail["bkPx"], detail["sz"], detail["ts"])
        for message in messages
        if message.get("arg", {}).get("channel") == "liquidation-orders"
        for row in message.get("data", ())
        for detail in row["details"]
    ]


def true(known: Known) -> tuple[str, ...]:
    """Return the same of a line of truth."""
    side = {"LONG": "sell", "SHORT": "buy"}[known.position]
    return (known.symbol, side, known.price, known.quantity, str(known.event_ms))


def lines(truth: Path) -> list[Known]:
    return [msgspec.json.decode(line, type=Known) for line in truth.read_bytes().splitlines()]


async def test_each_channel_is_acknowledged_by_itself_and_begins_with_where_it_stands() -> None:
    async with serve("okx", rate=1, liquidations_per_second=0) as served, socket(served) as client:
        asked = ("mark-price:BTC-USDT-SWAP", "index-tickers:BTC-USD", "liquidation-orders:SWAP")
        messages = await client.ask("subscribe", *asked)

    assert replies(messages) == [
        {"id": "r", "event": "subscribe", "arg": {"channel": "mark-price", "instId": "BTC-USDT-SWAP"}},
        {"id": "r", "event": "subscribe", "arg": {"channel": "index-tickers", "instId": "BTC-USD"}},
        {"id": "r", "event": "subscribe", "arg": {"channel": "liquidation-orders", "instType": "SWAP"}},
    ]
    assert [row["instId"] for row in rows(messages, asked[0])][:1] == ["BTC-USDT-SWAP"]
    assert [row["instId"] for row in rows(messages, asked[1])][:1] == ["BTC-USD"]


async def test_a_wrong_channel_is_refused_by_name_and_the_others_of_the_message_count() -> None:
    async with serve("okx", rate=1, liquidations_per_second=0) as served, socket(served) as client:
        messages = await client.ask("subscribe", "tickers:OLD-USDT-SWAP", "funding-rate:BTC-USDT-SWAP")
        await client.connection.send(
            '{"op":"subscribe","args":[{"channel":"liquidation-orders","instId":"BTC-USDT-SWAP"}]}'
        )
        (narrow,) = replies(await client.until(lambda message: "event" in message))

    refused, accepted = replies(messages)
    assert refused == {
        "id": "r",
        "event": "error",
        "code": "60018",
        "msg": f"Wrong URL or channel:tickers,instId:OLD-USDT-SWAP doesn't exist. {ADVICE}",
    }
    assert accepted["arg"] == {"channel": "funding-rate", "instId": "BTC-USDT-SWAP"}
    assert (narrow["code"], "id" in narrow) == ("60018", False)


async def test_liquidations_of_one_instrument_are_those_of_its_type() -> None:
    async with serve("okx", rate=1, liquidations_per_second=0) as served, socket(served) as client:
        wanted = {"channel": "liquidation-orders", "instType": "SWAP", "instId": "BTC-USDT-SWAP"}
        await client.connection.send(json.dumps({"op": "subscribe", "args": [wanted]}))
        reply = await client.message()

    assert reply["arg"] == {"channel": "liquidation-orders", "instType": "SWAP"}


async def test_a_text_ping_is_answered_by_a_text_pong() -> None:
    async with serve("okx") as served, socket(served) as client:
        await client.connection.send("ping")
        assert await client.text() == "pong"


@pytest.mark.parametrize(
    "sent", ["{", "[]", '{"op":"subscribe"}', '{"op":"x","args":[]}', f'{{"op":"{"x" * 70_000}"}}']
)
async def test_a_message_that_makes_no_sense_is_an_invalid_request_and_the_connection_lives(sent: str) -> None:
    async with serve("okx", rate=1, liquidations_per_second=0) as served, socket(served) as client:
        await client.connection.send(sent)
        error = await client.message()
        (ack,) = replies(await client.ask("subscribe", "trades:BTC-USDT-SWAP"))

    assert (error["event"], error["code"], error["msg"][:16]) == ("error", "60012", "Invalid request:")
    assert ack["event"] == "subscribe"


async def test_more_than_480_messages_an_hour_are_refused() -> None:
    async with serve("okx", rate=1, liquidations_per_second=0) as served, socket(served) as client:
        spoken = [replies(await client.ask("unsubscribe", "trades:BTC-USDT-SWAP"))[0]["event"] for _ in range(480)]
        (refused,) = replies(await client.ask("subscribe", "trades:BTC-USDT-SWAP"))

    assert set(spoken) == {"unsubscribe"}
    assert (refused["event"], refused["code"]) == ("error", "60014")


async def test_an_unsubscribed_channel_is_silent() -> None:
    async with serve("okx", rate=2_000, liquidations_per_second=0) as served, socket(served) as client:
        await client.ask("subscribe", "mark-price:BTC-USDT-SWAP", "mark-price:ETH-USDT-SWAP")
        await client.ask("unsubscribe", "mark-price:BTC-USDT-SWAP")
        later = [await client.message() for _ in range(3)]

    assert {message["arg"]["instId"] for message in later} == {"ETH-USDT-SWAP"}


async def test_prices_keep_their_pace_and_open_interest_its_slower_one() -> None:
    asked = (
        "mark-price:BTC-USDT-SWAP",
        "index-tickers:BTC-USDT",
        "tickers:BTC-USDT-SWAP",
        "open-interest:BTC-USDT-SWAP",
    )
    async with serve("okx", rate=2_000, liquidations_per_second=0) as served, socket(served) as client:
        messages = await client.ask("subscribe", *asked)
        messages += [await client.message() for _ in range(40)]

    # The first is where it stood when it was subscribed.
    times = {topic: [int(row["ts"]) for row in rows(messages, topic)][1:] for topic in asked}
    gaps = {topic: [after - before for before, after in pairwise(of)] for topic, of in times.items()}
    assert min(gaps["mark-price:BTC-USDT-SWAP"]) >= 200
    assert min(gaps["index-tickers:BTC-USDT"]) >= 100
    assert min(gaps["tickers:BTC-USDT-SWAP"]) >= 100
    assert len(times["open-interest:BTC-USDT-SWAP"]) < len(times["mark-price:BTC-USDT-SWAP"])


async def test_trades_come_one_frame_a_price_with_ids_that_grow() -> None:
    async with serve("okx", rate=2_000, liquidations_per_second=0) as served, socket(served) as client:
        await client.ask("subscribe", "trades:BTC-USDT-SWAP")
        frames = [await client.message() for _ in range(20)]

    prints = [row for frame in frames for row in frame["data"]]
    numbers = [int(row["tradeId"]) for row in prints]
    assert len(prints) == len(frames)
    assert numbers == sorted(set(numbers))
    assert {row["side"] for row in prints} == {"buy", "sell"}


async def both_types(client: Subscriber, frames: int) -> list[Message]:
    """Return frames of liquidations, and whatever was sent until nothing more can come."""
    messages = await client.ask("subscribe", *LIQUIDATIONS)
    messages += await client.liquidations(frames)
    return messages + await client.ask("unsubscribe", *LIQUIDATIONS)


async def test_the_truth_is_what_a_subscribed_client_received(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    async with serve("okx", rate=100, liquidations_per_second=300, truth=truth) as served, socket(served) as client:
        messages = await both_types(client, 16)

    known, received = lines(truth), Counter(liquidated(messages))
    sent = Counter(true(one) for one in known if one.sent_ns)
    before = Counter(true(one) for one in known if not one.sent_ns and not one.withheld)
    assert received >= sent
    assert received - sent <= before  # the last ones again, for newcomers
    assert sum(sent.values()) > 60
    assert {one.category for one in known if one.sent_ns} == {"SWAP", "FUTURES"}


async def test_of_one_contract_and_second_two_are_shown_and_the_others_withheld(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    async with serve("okx", rate=100, liquidations_per_second=600, truth=truth) as served, socket(served) as client:
        messages = await both_types(client, 16)

    known = lines(truth)
    shown = Counter((one.symbol, one.event_ms // 1_000) for one in known if not one.withheld)
    newest = max(one.event_ms for one in known) // 1_000  # some of it may still wait for their batch
    crowded = {(one.symbol, one.event_ms // 1_000) for one in known if one.withheld}
    assert max(shown.values()) == 2
    assert {shown[symbol, second] for symbol, second in crowded if second < newest - 1} == {2}
    assert all(one.sent_ns == 0 for one in known if one.withheld)
    withheld = {true(one) for one in known if one.withheld} - {true(one) for one in known if not one.withheld}
    assert not withheld & set(liquidated(messages))


async def test_frames_have_several_instruments_and_details_out_of_order_and_some_in_net_mode() -> None:
    async with serve("okx", rate=100, liquidations_per_second=600) as served, socket(served) as client:
        frames = [message["data"] for message in await both_types(client, 16) if "data" in message]

    details = [detail for data in frames for row in data for detail in row["details"]]
    times = [int(detail["ts"]) for detail in details]
    assert max(len(data) for data in frames) > 1
    assert max(len(row["details"]) for data in frames for row in data) > 1
    assert times != sorted(times)
    assert {(detail["side"], detail["posSide"]) for detail in details} == {
        *(("sell", "long"), ("sell", "net")),
        *(("buy", "short"), ("buy", "net")),
    }


async def test_a_newcomer_is_told_the_last_ones_again() -> None:
    async with serve("okx", liquidations_per_second=300) as served, socket(served) as one, socket(served) as other:
        await one.ask("subscribe", "liquidation-orders:SWAP")
        seen = liquidated(await one.liquidations(4))
        await other.ask("subscribe", "liquidation-orders:SWAP")
        first = liquidated([await other.message()])
        seen += liquidated(await one.liquidations(4))

    assert len(first) == 10
    assert set(first) <= set(seen)


async def test_rest_tells_the_same_liquidations_newest_first_if_filled_ones_are_asked_for() -> None:
    path = "/api/v5/public/liquidation-orders"
    async with serve("okx", liquidations_per_second=300) as served, socket(served) as client:
        await client.ask("subscribe", "liquidation-orders:SWAP")
        seen = liquidated(await client.liquidations(8))
        asked = {"instType": "SWAP", "instFamily": "BTC-USDT"}
        filled = await rest(served, path, **asked, state="filled")
        unfilled = await rest(served, path, **asked)

    (row,) = filled["data"]
    assert unfilled == {"code": "0", "msg": "", "data": []}
    assert (row["instId"], row["totalLoss"]) == ("BTC-USDT-SWAP", "0")
    times = [int(detail["ts"]) for detail in row["details"]]
    assert times == sorted(times, reverse=True)
    stream = {printed for printed in seen if printed[0] == "BTC-USDT-SWAP"}
    over_rest = {(row["instId"], item["side"], item["bkPx"], item["sz"], item["ts"]) for item in row["details"]}
    assert stream & over_rest


async def test_late_liquidations_keep_their_old_times() -> None:
    async with serve("okx", rate=500, liquidations_per_second=500) as served, socket(served) as client:
        assert await fault(served, fault="late", seconds=600) == DONE
        await client.ask("subscribe", "liquidation-orders:SWAP", "mark-price:BTC-USDT-SWAP")
        meanwhile = [await client.message() for _ in range(5)]
        assert await fault(served, fault="late", seconds=0) == DONE
        released_ms = int(meanwhile[-1]["data"][0]["ts"])
        (frame,) = await client.liquidations(1)

    assert {message["arg"]["channel"] for message in meanwhile} == {"mark-price"}
    assert any(int(printed[-1]) < released_ms for printed in liquidated([frame]))


async def test_garbage_still_names_its_channel() -> None:
    asked = {"channel": "liquidation-orders", "instType": "SWAP"}
    async with serve("okx", liquidations_per_second=100) as served, socket(served) as client:
        await client.ask("subscribe", "liquidation-orders:SWAP")
        await client.liquidations(2)
        assert await fault(served, fault="garbage", channel="liquidation-orders", count=9) == DONE
        texts = [await client.text() for _ in range(9)]

    whole = [message["arg"] for message in map(decoded, texts) if message]
    assert len(whole) >= 5  # four variants are no JSON
    assert all(about == asked for about in whole)


def decoded(text: str) -> Message | None:
    try:
        message: Message = json.loads(text)
    except ValueError:
        return None
    return message


async def test_a_limit_is_a_status_and_a_code() -> None:
    async with serve("okx") as served:
        await fault(served, fault="limit", seconds=600)
        refused = await rest(served, "/api/v5/public/instruments", 429, instType="SWAP")
        await fault(served, fault="limit", seconds=0)
        answered = await rest(served, "/api/v5/public/instruments", instType="SWAP")

    assert refused == {"code": "50011", "msg": "Too Many Requests", "data": []}
    assert (answered["code"], len(answered["data"])) == ("0", 56)


@pytest.mark.parametrize(
    ("path", "query", "count"),
    [
        ("public/instruments", {"instType": "FUTURES"}, 4),
        ("public/instruments", {"instType": "OPTION"}, 0),
        ("public/instruments", {"instType": "SWAP", "instId": "BTC-USD-SWAP"}, 1),
        ("public/open-interest", {"instType": "SWAP"}, 56),
        ("public/mark-price", {"instType": "FUTURES"}, 4),
        ("market/tickers", {"instType": "SWAP"}, 56),
        ("market/index-tickers", {"quoteCcy": "USD"}, 14),
        ("public/funding-rate", {"instId": "ANY"}, 56),
        ("public/funding-rate", {"instId": "ETH-USD-SWAP"}, 1),
    ],
)
async def test_rest_answers_for_everything_of_a_type_at_once(path: str, query: dict[str, str], count: int) -> None:
    async with serve("okx", liquidations_per_second=0) as served:
        answer = await rest(served, f"/api/v5/{path}", **query)

    assert (answer["code"], answer["msg"]) == ("0", "")
    assert len({row["instId"] for row in answer["data"]}) == len(answer["data"]) == count


@pytest.mark.parametrize(
    ("path", "query", "text"),
    [
        ("public/instruments", {}, "Parameter instType error"),
        ("public/open-interest", {"instType": "SPOT"}, "Parameter instType error"),
        ("public/funding-rate", {"instId": "BTC-USDT"}, "Parameter instId error"),
        ("market/index-tickers", {}, "Parameter quoteCcy error"),
        ("public/liquidation-orders", {"instType": "SWAP", "state": "filled"}, "Parameter uly error"),
        ("public/liquidation-orders", {"instType": "MARGIN"}, "Parameter instType error"),
    ],
)
async def test_a_bad_request_is_answered_with_a_code(path: str, query: dict[str, str], text: str) -> None:
    async with serve("okx") as served:
        assert await rest(served, f"/api/v5/{path}", **query) == {"code": "51000", "msg": text, "data": []}


async def test_a_path_that_the_exchange_does_not_have_is_not_found() -> None:
    async with serve("okx") as served, aiohttp.ClientSession(served.urls["rest"]) as session:
        for path in ("/ws/v5/business", "/api/v5/trade/order"):
            async with session.get(path) as response:
                assert response.status == 404

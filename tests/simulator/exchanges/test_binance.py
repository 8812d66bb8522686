from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed

import producers.registry
from simulator.exchanges.registry import EXCHANGES, urls
from simulator.server import serve
from tests.simulator.exchanges.binance_client import rest, socket
from tests.simulator.exchanges.client import DONE, fault

ALL_MARKS, ALL_LIQUIDATIONS = "!markPrice@arr@1s", "!forceOrder@arr"


async def test_subscriptions_are_acknowledged_listed_and_ended() -> None:
    async with serve("binance", rate=1) as served, socket(served) as client:
        first = (await client.ask("SUBSCRIBE", "btcusdt@forceOrder", "ethusdt@forceOrder", number=7))[-1]
        listed = (await client.ask("LIST_SUBSCRIPTIONS", number=8))[-1]
        ended = (await client.ask("UNSUBSCRIBE", "btcusdt@forceOrder", number=9))[-1]
        left = (await client.ask("LIST_SUBSCRIPTIONS", number=10))[-1]

    assert first == {"result": None, "id": 7}
    assert listed == {"result": ["btcusdt@forceOrder", "ethusdt@forceOrder"], "id": 8}
    assert ended == {"result": None, "id": 9}
    assert left == {"result": ["ethusdt@forceOrder"], "id": 10}


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ("{", {"code": 3, "msg": "Invalid JSON: Input data was truncated"}),
        (
            '{"method":"SUBSCRIBE","id":"1"}',
            {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"},
        ),
        (
            '{"method":"SUBSCRIBE","id":-1}',
            {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"},
        ),
        ('{"method":"SUBSCRIBE"}', {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"}),
        ('{"method":"BUY","id":1}', {"code": 2, "msg": "Invalid request: unknown variant `BUY`"}),
        ('{"method":"SET_PROPERTY","params":["colour",1],"id":1}', {"code": 0, "msg": "Unknown property"}),
        (
            '{"method":"SET_PROPERTY","params":["combined",1],"id":1}',
            {"code": 1, "msg": "Invalid value type: expected Boolean"},
        ),
    ],
)
async def test_a_message_that_makes_no_sense_gets_an_error_and_the_connection_lives(
    sent: str, error: dict[str, Any]
) -> None:
    async with serve("binance", rate=1) as served, socket(served) as client:
        await client.send(sent)
        answered = await client.message()
        ack = (await client.ask("SUBSCRIBE", ALL_LIQUIDATIONS))[-1]

    assert answered["error"] == error
    assert ack == {"result": None, "id": 1}


async def test_too_many_streams_are_refused_and_too_many_messages_end_the_connection() -> None:
    async with serve("binance", rate=1) as served, socket(served) as client:
        refused = (await client.ask("SUBSCRIBE", *(f"a{number}usdt@aggTrade" for number in range(1025))))[-1]
        for number in range(30):
            await client.send({"method": "LIST_SUBSCRIPTIONS", "id": number})
        with pytest.raises(ConnectionClosed):
            await client.until(lambda _: False)

    assert refused == {"error": {"code": 4, "msg": "Too many subscriptions"}, "id": 1}


@pytest.mark.parametrize("path", ["/stream", "/public/stream"])
async def test_usd_m_acknowledges_on_other_routes_and_pushes_nothing_there(path: str) -> None:
    async with (
        serve("binance", rate=100) as served,
        socket(served, path) as silent,
        socket(served, "/market/stream") as routed,
    ):
        for client in (silent, routed):
            ack = (await client.ask("SUBSCRIBE", ALL_MARKS, ALL_LIQUIDATIONS, "btcusdt@aggTrade"))[-1]
            assert ack == {"result": None, "id": 1}
        pushed = await routed.until(lambda message: message.get("stream") == ALL_MARKS)
        heard = await silent.ask("LIST_SUBSCRIPTIONS", number=2)

    assert pushed
    assert heard == [{"result": [ALL_MARKS, ALL_LIQUIDATIONS, "btcusdt@aggTrade"], "id": 2}]


@pytest.mark.parametrize("path", ["/stream", "/market/stream"])
async def test_coin_m_pushes_with_a_route_and_without(path: str) -> None:
    async with serve("binance", rate=100) as served, socket(served, path, "ws_cm") as client:
        await client.ask("SUBSCRIBE", "btcusd_perp@markPrice@1s")
        frame = await client.message()

    assert frame["stream"] == "btcusd_perp@markPrice@1s"
    assert (frame["data"]["s"], frame["data"]["st"]) == ("BTCUSD_PERP", 2)


async def test_a_stream_in_the_wrong_case_or_on_the_wrong_host_is_acknowledged_and_silent() -> None:
    wrong = ("BTCUSDT@aggTrade", "btcusd_perp@aggTrade", "nonsense")
    async with serve("binance", rate=3_000) as served, socket(served) as client:
        ack = (await client.ask("SUBSCRIBE", *wrong, "btcusdt@aggTrade"))[-1]
        frames = [await client.message() for _ in range(20)]

    assert ack == {"result": None, "id": 1}
    assert {frame["stream"] for frame in frames} == {"btcusdt@aggTrade"}


async def test_frames_name_their_stream_or_not_by_path_and_by_property() -> None:
    async with serve("binance", rate=100) as served, socket(served, f"/market/ws/{ALL_MARKS}") as client:
        alone = await client.message()
        await client.ask("SET_PROPERTY", "combined", True)
        wrapped = await client.message()

    async with serve("binance", rate=100) as served, socket(served, f"/market/stream?streams={ALL_MARKS}") as client:
        asked = await client.message()

    assert {each["e"] for each in alone} == {"markPriceUpdate"}
    assert wrapped["stream"] == asked["stream"] == ALL_MARKS


async def test_mark_prices_of_all_symbols_of_usd_m_come_each_second() -> None:
    async with serve("binance", rate=100) as served, socket(served) as client:
        await client.ask("SUBSCRIBE", ALL_MARKS)
        first, second = (await client.message())["data"], (await client.message())["data"]
        instruments, _ = await rest(served, "/fapi/v1/exchangeInfo")

    assert [each["s"] for each in first] == [each["s"] for each in second]
    assert {each["s"] for each in first} == {each["symbol"] for each in instruments["symbols"]}
    assert len(first) == 44
    assert second[0]["E"] // 1_000 == first[0]["E"] // 1_000 + 1
    assert [each["s"] for each in first if not each["T"]] != []


async def test_last_prices_are_those_of_symbols_that_were_traded_in_both_markets() -> None:
    async with serve("binance", rate=2_000) as served, socket(served) as client:
        await client.ask("SUBSCRIBE", "!miniTicker@arr")
        frames = [await client.message() for _ in range(2)]

    assert {each["st"] for frame in frames for each in frame["data"]} == {1, 2}
    assert all(float(each["c"]) > 0 for frame in frames for each in frame["data"])


async def test_trades_of_a_symbol_are_numbered_without_a_hole() -> None:
    async with serve("binance", rate=2_000) as served, socket(served) as client:
        await client.ask("SUBSCRIBE", "btcusdt@aggTrade")
        frames = [(await client.message())["data"] for _ in range(50)]

    numbers = [frame["a"] for frame in frames]
    assert numbers == list(range(numbers[0], numbers[0] + 50))
    assert {frame["m"] for frame in frames} == {True, False}


async def test_open_interest_is_asked_for_by_symbol_and_an_unknown_one_is_an_error() -> None:
    async with serve("binance", rate=0, liquidations_per_second=0) as served:
        linear, _ = await rest(served, "/fapi/v1/openInterest", symbol="BTCUSDT")
        inverse, _ = await rest(served, "/dapi/v1/openInterest", symbol="BTCUSD_PERP")
        wrong = [
            (await rest(served, path, 400, **query))[0]
            for path, query in (
                ("/fapi/v1/openInterest", {"symbol": "BTCUSD_PERP"}),
                ("/fapi/v1/openInterest", {}),
                ("/dapi/v1/premiumIndex", {"symbol": "BTCUSDT"}),
            )
        ]

    assert linear.keys() == {"symbol", "openInterest", "time"}
    assert float(linear["openInterest"]) == pytest.approx(2e9 / 94_000, rel=1e-3)
    assert inverse["pair"] == "BTCUSD"
    assert float(inverse["openInterest"]) * 100 == pytest.approx(2e8, rel=1e-3)
    assert wrong == [{"code": -1121, "msg": "Invalid symbol."}] * 3


async def test_a_snapshot_of_one_symbol_is_an_object_and_of_coin_m_always_a_list() -> None:
    async with serve("binance") as served:
        one, used = await rest(served, "/fapi/v1/premiumIndex", symbol="BTCUSDT")
        every, then_used = await rest(served, "/fapi/v1/premiumIndex")
        coin, _ = await rest(served, "/dapi/v1/premiumIndex", symbol="BTCUSD_PERP")
        adjusted, _ = await rest(served, "/dapi/v1/fundingInfo")

    assert (one["symbol"], len(every), [row["symbol"] for row in coin]) == ("BTCUSDT", 44, ["BTCUSD_PERP"])
    assert (used, then_used) in ((1, 11), (1, 10))  # a minute may begin in between
    assert [row["fundingIntervalHours"] for row in adjusted] == [8]


async def test_above_the_weight_of_a_minute_requests_are_refused() -> None:
    async with serve("binance", rate=1) as served, aiohttp.ClientSession(served.urls["rest"]) as session:
        statuses: list[int] = []
        while 429 not in statuses:
            assert len(statuses) < 2 * 241  # a minute may begin in between
            async with session.get("/dapi/v1/premiumIndex") as response:
                statuses.append(response.status)
                used = int(response.headers["X-MBX-USED-WEIGHT-1M"])

    assert used > 2_400
    assert set(statuses) == {200, 429}


async def test_a_limit_on_request_is_told_in_the_words_of_the_exchange() -> None:
    async with serve("binance") as served:
        assert await fault(served, fault="limit", seconds=60) == DONE
        refused, _ = await rest(served, "/fapi/v1/exchangeInfo", 429)

    assert refused == {"code": -1003, "msg": "Too many requests."}


def printed(lines: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    """Return what the exchange must have printed of the liquidations that it says it sent."""
    side = {"LONG": "SELL", "SHORT": "BUY"}
    fields = ("symbol", "price", "quantity", "event_ms")
    return {(side[line["position"]], *(line[field] for field in fields)) for line in lines if line["sent_ns"]}


async def test_of_a_second_of_a_symbol_one_is_told_on_both_hosts_and_the_truth_knows_the_others(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    async with serve("binance", rate=1, liquidations_per_second=300, truth=truth) as served:
        async with socket(served) as first, socket(served, "/ws", "ws_cm") as second:
            for client in (first, second):
                await client.ask("SUBSCRIBE", ALL_LIQUIDATIONS)
            wrapped = [await first.message() for _ in range(150)]
            wrapped += (await first.ask("UNSUBSCRIBE", ALL_LIQUIDATIONS, number=2))[:-1]
            alone = (await second.ask("UNSUBSCRIBE", ALL_LIQUIDATIONS, number=2))[:-1]

    lines = [json.loads(line) for line in truth.read_text().splitlines()]
    orders = [frame["data"]["o"] for frame in wrapped]
    received = {(order["S"], order["s"], order["ap"], order["z"], order["T"]) for order in orders}
    assert received <= printed(lines)
    assert printed(lines) - received <= {
        (order["S"], order["s"], order["ap"], order["z"], order["T"]) for order in (frame["o"] for frame in alone)
    }
    assert {order["st"] for order in orders} == {1, 2}
    assert {frame["o"]["T"] for frame in alone} & {order["T"] for order in orders}

    assert not any(line["withheld"] and line["sent_ns"] for line in lines)
    assert sum(line["withheld"] for line in lines) > len(lines) / 4

    pushed_ms = defaultdict(list)
    for frame in wrapped:
        pushed_ms[frame["data"]["o"]["s"]].append(frame["data"]["E"])
    assert max(map(len, pushed_ms.values())) > 1
    for times in pushed_ms.values():
        assert all(later - earlier >= 1_000 for earlier, later in pairwise(times))


async def test_a_symbol_has_a_channel_of_its_own_and_the_truth_says_who_was_not_told(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    async with serve("binance", rate=1, liquidations_per_second=1_000, truth=truth) as served, socket(served) as client:
        await client.ask("SUBSCRIBE", "btcusdt@forceOrder", "btcusd_perp@forceOrder")
        frames = [await client.message() for _ in range(2)]

    lines = [json.loads(line) for line in truth.read_text().splitlines()]
    assert {frame["stream"] for frame in frames} == {"btcusdt@forceOrder"}
    assert {line["sent_ns"] > 0 for line in lines if line["symbol"] == "BTCUSDT" and not line["withheld"]} == {True}
    assert {line["sent_ns"] for line in lines if line["symbol"] == "ETHUSDT"} == {0}
    assert {line["sent_ns"] for line in lines if line["symbol"] == "BTCUSD_PERP"} == {0}


async def test_late_liquidations_come_when_the_fault_is_over_with_their_old_times() -> None:
    async with serve("binance", rate=100, liquidations_per_second=200) as served, socket(served) as client:
        assert await fault(served, fault="late", seconds=2.5) == DONE
        await client.ask("SUBSCRIBE", ALL_LIQUIDATIONS)
        first = (await client.message())["data"]
        await client.ask("UNSUBSCRIBE", ALL_LIQUIDATIONS, number=2)

    assert first["E"] - first["o"]["T"] > 1_100


async def test_a_path_that_the_exchange_does_not_have_is_not_found() -> None:
    async with serve("binance") as served, aiohttp.ClientSession(served.urls["rest"]) as session:
        for path in ("/market", "/fapi/v1/allForceOrders", "/dstream/fapi/v1/exchangeInfo"):
            async with session.get(path) as response:
                assert response.status == 404


@pytest.mark.parametrize("exchange", sorted(EXCHANGES))
def test_every_host_of_an_exchange_is_played(exchange: str) -> None:
    played = {host: url.partition("://")[0] for host, url in urls(exchange, 1).items()}
    real = {host: url.partition("://")[0] for host, url in producers.registry.EXCHANGES[exchange].hosts.items()}
    assert played == {host: scheme.removesuffix("s") for host, scheme in real.items()}

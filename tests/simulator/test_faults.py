from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from simulator import sockets
from simulator.faults import Fault, spoil
from simulator.server import Served, serve
from tests.simulator.exchanges.bybit_client import Subscriber, rest, socket
from tests.simulator.exchanges.client import DONE, PATIENCE_S, Message, fault

QUIET_S = 0.2  # how long nothing must come where nothing may come


async def is_quiet(client: Subscriber) -> bool:
    try:
        async with asyncio.timeout(QUIET_S):
            await client.connection.recv()
    except TimeoutError:
        return True
    return False


def is_liquidation(message: Message) -> bool:
    return str(message.get("topic", "")).startswith("allLiquidation")


async def end_of(client: Subscriber) -> ConnectionClosed:
    """Read until the connection is closed, and return how it was."""
    while True:
        try:
            await client.text()
        except ConnectionClosed as closed:
            return closed


async def test_drop_cuts_sockets_without_a_close_frame() -> None:
    async with serve("bybit") as served, socket(served) as one, socket(served, "inverse") as other:
        assert await fault(served, fault="drop") == DONE
        assert [(await end_of(client)).rcvd for client in (one, other)] == [None, None]
        async with socket(served) as again:
            assert (await again.ask("ping"))[-1]["ret_msg"] == "pong"


async def test_reconnect_ends_sockets_with_a_close_frame() -> None:
    async with serve("bybit") as served, socket(served) as client:
        await client.ask("subscribe", "tickers.BTCUSDT")
        assert await fault(served, fault="reconnect") == DONE
        closed = (await end_of(client)).rcvd

    assert closed is not None
    assert closed.code == 1012


async def test_a_stall_sends_nothing_and_then_what_waited() -> None:
    async with serve("bybit") as served, socket(served) as before:
        await fault(served, fault="stall", seconds=600)
        async with socket(served) as during:
            for client in (before, during):
                await client.send({"op": "ping"})
                assert await is_quiet(client)
            await fault(served, fault="stall", seconds=0)
            assert [(await client.message())["ret_msg"] for client in (before, during)] == ["pong", "pong"]


async def test_a_stall_ends_by_itself() -> None:
    async with serve("bybit") as served, socket(served) as client:
        await fault(served, fault="stall", seconds=0.05)
        assert (await client.ask("ping"))[-1]["ret_msg"] == "pong"


async def test_mute_loses_what_would_be_sent_on_its_topics_and_leaves_the_rest_alone() -> None:
    async with serve("bybit", rate=500) as served, socket(served) as client:
        await client.ask("subscribe", "tickers.BTCUSDT")
        assert await fault(served, fault="mute", channel="tickers", seconds=600) == DONE
        await client.ask("ping")
        muted_ms = time.time_ns() // 1_000_000
        await client.send({"op": "subscribe", "req_id": "r", "args": ["tickers.ETHUSDT", "publicTrade.BTCUSDT"]})
        meanwhile = await client.until(lambda message: message.get("ts", 0) > muted_ms + 500)
        await fault(served, fault="mute", seconds=0)
        again = (await client.until(lambda message: message.get("topic") == "tickers.BTCUSDT"))[-1]

    assert {message.get("topic", message.get("op")) for message in meanwhile} == {"subscribe", "publicTrade.BTCUSDT"}
    assert again["ts"] > muted_ms + 500


async def test_a_mute_of_everything_acknowledges_and_answers_pings_and_ends_by_itself() -> None:
    async with serve("bybit", rate=500) as served, socket(served) as client:
        await fault(served, fault="mute", seconds=0.3)
        heard = [*await client.ask("subscribe", "tickers.BTCUSDT"), *await client.ask("ping")]
        assert [message["op"] for message in heard] == ["subscribe", "ping"]
        assert (await client.message())["topic"] == "tickers.BTCUSDT"


async def test_late_liquidations_keep_their_old_times() -> None:
    async with serve("bybit", rate=500, liquidations_per_second=500) as served, socket(served) as client:
        await fault(served, fault="late", seconds=600)
        await client.ask("subscribe", "allLiquidation.BTCUSDT", "tickers.BTCUSDT")
        begun_ms = (await client.message())["ts"]
        meanwhile = await client.until(lambda message: message["ts"] > begun_ms + 1200)
        await fault(served, fault="late", seconds=0)
        late = (await client.until(is_liquidation))[-1]

    assert not any(map(is_liquidation, meanwhile))
    assert late["ts"] - late["data"][0]["T"] > 1000


async def test_garbage_is_so_many_broken_frames_of_a_channel() -> None:
    async with serve("bybit", rate=0, liquidations_per_second=500) as served, socket(served) as client:
        await client.ask("subscribe", "allLiquidation.BTCUSDT")
        await client.message()
        assert await fault(served, fault="garbage", channel="allLiquidation", count=20) == DONE
        await client.send({"op": "ping"})
        texts = [await client.text()]
        while "pong" not in texts[-1]:
            texts.append(await client.text())

    assert sum(is_broken(text) for text in texts[:-1]) == 20


def is_broken(text: str) -> bool:
    try:
        item = json.loads(text)["data"][0]
        return not (float(item["p"]) > 0 and float(item["v"]) > 0 and item["s"] == "BTCUSDT")
    except (ValueError, KeyError, TypeError, IndexError):
        return True


@pytest.mark.parametrize(
    "frame",
    [
        b'{"topic":"t","ts":1,"data":[{"T":1,"s":"BTCUSDT","S":"Buy","v":"1","p":"2"}]}',
        b'{"topic":"t","data":{"markPrice":"5"},"ts":1}',
        b'{"arg":{"channel":"t","instId":"i"},"data":[{"markPx":"5","ts":"1"}]}',
    ],
)
def test_no_broken_frame_holds_a_true_value(frame: bytes) -> None:
    def values(node: Any) -> list[Any]:
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else None
        return [node] if inner is None else [value for one in inner for value in values(one)]

    for broken in spoil(frame):
        try:
            message = msgspec.json.decode(broken)
        except msgspec.DecodeError:
            continue
        assert not set(map(str, values(message))) & {"1", "2", "5", "BTCUSDT", "Buy"}


async def test_garbage_on_a_silent_channel_says_what_to_do() -> None:
    async with serve("bybit") as served:
        answered = await fault(served, fault="garbage", channel="allLiquidation.BTCUSDT")

    assert answered == (
        409,
        "nothing was sent yet on a topic that starts with 'allLiquidation.BTCUSDT': subscribe, and wait",
    )


async def test_refuse_cuts_sockets_and_answers_403_to_everything() -> None:
    async with serve("bybit") as served, socket(served) as client:
        await fault(served, fault="refuse", seconds=600)
        await end_of(client)
        with pytest.raises(InvalidStatus, match="403"):
            async with socket(served):
                raise AssertionError("connected")
        with pytest.raises(AssertionError):
            await rest(served, "/v5/market/time")
        await fault(served, fault="refuse", seconds=0)
        async with socket(served) as again:
            assert (await again.ask("ping"))[-1]["ret_msg"] == "pong"


async def test_limit_answers_too_many_visits_over_rest_and_leaves_sockets_alone() -> None:
    async with serve("bybit") as served, socket(served) as client:
        await fault(served, fault="limit", seconds=600)
        answered = await rest(served, "/v5/market/tickers", category="linear")
        pong = (await client.ask("ping"))[-1]

    assert (answered["retCode"], answered["retMsg"], answered["result"]) == (10006, "Too many visits!", {})
    assert pong["success"]


@pytest.mark.parametrize("status", [418, 429])
async def test_limit_can_be_a_status_with_the_seconds_until_it_ends(status: int) -> None:
    async with serve("bybit") as served, socket(served) as client:
        assert await fault(served, fault="limit", seconds=600, status=status) == DONE
        async with aiohttp.ClientSession(served.urls["rest"]) as session, session.get("/v5/market/time") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (status, "600")
        assert (await client.ask("ping"))[-1]["success"]
        await fault(served, fault="limit", seconds=0)
        assert (await rest(served, "/v5/market/time"))["retCode"] == 0


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"fault": "fire"}, "Invalid enum value 'fire'"),
        ({"fault": "stall", "seconds": 601}, "Expected `float` <= 600.0"),
        ({"fault": "stall", "secs": 1}, "unknown field `secs`"),
        ({}, "missing required field `fault`"),
    ],
)
async def test_a_fault_that_does_not_exist_is_refused_with_the_reason(fields: dict[str, Any], reason: str) -> None:
    async with serve("bybit") as served:
        status, text = await fault(served, **fields)

    assert status == 400
    assert reason in text


async def test_a_fault_can_be_ordered_before_the_start() -> None:
    async with asyncio.timeout(PATIENCE_S), serve("bybit", faults=[Fault(fault="limit", after_s=0.1)]) as served:
        while (await rest(served, "/v5/market/time"))["retCode"] == 0:
            pass


async def test_who_reads_too_slowly_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "LONGEST_QUEUE", 50)

    async def wait_behind(served: Served, client: Subscriber) -> ConnectionClosed:
        await fault(served, fault="stall", seconds=600)
        await client.send({"op": "subscribe", "args": ["tickers.BTCUSDT", "publicTrade.BTCUSDT"]})
        return await end_of(client)

    async with serve("bybit", rate=2000) as served, socket(served) as client:
        assert (await wait_behind(served, client)).rcvd is None

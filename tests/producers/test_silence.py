"""An exchange that acknowledges and then says nothing, as Binance does on some of its paths: the simulator plays it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import msgspec

from producers.collector import Collector
from producers.exchange import Exchange
from producers.raw import Frames
from producers.rest import Rest
from schemas.raw import Control
from simulator.server import Served, serve
from simulator.truth import Known

from .scripted import QUICK, Kept, quick, until

CHANNEL = "allLiquidation."
EVERYWHERE = {"allLiquidation.BTCUSDT", "allLiquidation.BTCUSD"}  # one channel of each connection with liquidations


async def bring(served: Served, **fault: object) -> None:
    """Bring a fault upon the exchange."""
    async with aiohttp.ClientSession(served.urls["rest"]) as session, session.post("/_faults", json=fault) as answer:
        assert answer.status == 204


async def collect(served: Served, exchange: Exchange, sink: Kept) -> None:
    """Collect until cancelled."""
    async with aiohttp.ClientSession() as session:
        frames = Frames("bybit", sink)
        rest = Rest(session, exchange, served.urls, frames)
        await Collector(exchange, served.urls, ["BTC", "ETH"], frames, rest, timing=QUICK).run(sink, None)


def gaps(sink: Kept, since_ns: int) -> list[Control]:
    """Return the gaps that last until a moment or longer."""
    return [gap for _, gap in sink.controls("gap") if gap.to_ns > since_ns]


def missed(sink: Kept, since_ns: int) -> set[str]:
    """Return the channels in these gaps."""
    return {channel for gap in gaps(sink, since_ns) for channel in gap.channels}


def lost(truth: Path, sink: Kept) -> Iterator[Known]:
    """Yield each liquidation that somebody subscribed and nobody received."""
    received = "".join(payload for payload in sink.payloads() if CHANNEL in payload)
    for line in truth.read_bytes().splitlines():
        known = msgspec.json.decode(line, type=Known)
        if known.sent_ns and f'"T":{known.event_ms},"s":"{known.symbol}"' not in received:
            yield known


async def test_what_a_muted_exchange_made_lies_in_gaps_that_are_in_raw_while_it_is_silent_still(tmp_path: Path) -> None:
    truth, sink = tmp_path / "truth", Kept()
    async with serve("bybit", rate=2000, liquidations_per_second=200, truth=truth) as served:
        collecting = asyncio.create_task(collect(served, quick(proof_s=1.0), sink))
        await until(lambda: any(CHANNEL in payload for payload in sink.payloads()[100:]))
        await bring(served, fault="mute", seconds=600)
        muted_ns = time.time_ns()
        await until(lambda: missed(sink, muted_ns) >= EVERYWHERE)
        await bring(served, fault="mute", seconds=0)
        unmuted_ns = time.time_ns()
        await until(lambda: missed(sink, unmuted_ns) >= EVERYWHERE)
        unheard = [known for known in lost(truth, sink) if known.sent_ns < unmuted_ns]
        collecting.cancel()
        await asyncio.wait([collecting])
    reasons = [said.reason for _, said in sink.controls("disconnected")]
    assert any(reason.startswith("subscribed, but no frame with ") for reason in reasons)
    assert len(unheard) > 50
    assert [known for known in unheard if not is_inside(known, gaps(sink, muted_ns))] == []


def is_inside(known: Known, those: list[Control]) -> bool:
    """Say whether a liquidation lies in one of these gaps."""
    channel = CHANNEL + known.symbol
    return any(channel in gap.channels and gap.from_ns <= known.sent_ns <= gap.to_ns for gap in those)

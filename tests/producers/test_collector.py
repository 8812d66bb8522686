"""One exchange, collected: discovery, heartbeats, gaps, polls, context."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import msgspec
import pytest

from producers.collector import Collector
from producers.exchange import Exchange, Poll, Request
from producers.raw import Frames
from producers.rest import Rest
from producers.timing import Timing
from schemas.raw import Control, SourceKind

from .scripted import QUICK, Kept, Scripted, Status, contract, page, quick, scripted, until

LINEAR = "/v5/market/instruments-info?category=linear&limit=1000"
INVERSE = "/v5/market/instruments-info?category=inverse&limit=1000"
START_NS = 1_000


@dataclass
class Collecting:
    """A collector and both its ends."""

    server: Scripted
    sink: Kept
    task: asyncio.Task[None]

    def subscribed(self) -> set[str]:
        """Return every channel that was asked for."""
        return {channel for channels in self.server.subscribed() for channel in channels}


@asynccontextmanager
async def collecting(
    exchange: Exchange | None = None, *, since_ns: int = 0, health_file: Path | None = None, timing: Timing = QUICK
) -> AsyncIterator[Collecting]:
    """Collect an exchange with BTCUSDT and XRPUSDT, and BTCUSD."""
    async with scripted() as server, aiohttp.ClientSession() as session:
        server.answers[LINEAR] = page("linear", contract("BTCUSDT"), cursor="2")
        server.answers[f"{LINEAR}&cursor=2"] = page("linear", contract("XRPUSDT"))
        server.answers[INVERSE] = page("inverse", contract("BTCUSD", "BTC"))
        sink, chosen = Kept(), exchange or quick()
        frames = Frames("bybit", sink)
        urls = {"ws": f"ws://{server.url}", "rest": f"http://{server.url}"}
        rest = Rest(session, chosen, urls, frames)
        collector = Collector(chosen, urls, ["BTC"], frames, rest, since_ns=since_ns, timing=timing)
        task = asyncio.create_task(collector.run(sink, health_file))
        try:
            yield Collecting(server, sink, task)
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_everything_listed_is_subscribed_and_every_page_is_published() -> None:
    async with collecting() as it:
        await until(lambda: len(it.sink.controls("subscribed")) == 4)
        assert sorted((told.path, told.channels) for told in it.server.told) == [
            ("/v5/public/inverse", ("allLiquidation.BTCUSD", "tickers.BTCUSD")),
            ("/v5/public/inverse", ("publicTrade.BTCUSD",)),
            (
                "/v5/public/linear",
                ("allLiquidation.BTCUSDT", "allLiquidation.XRPUSDT", "tickers.BTCUSDT", "tickers.XRPUSDT"),
            ),
            ("/v5/public/linear", ("publicTrade.BTCUSDT",)),
        ]
        requests = {source for source, _, _ in it.sink.frames(SourceKind.REST)}
        paths = (LINEAR, f"{LINEAR}&cursor=2", INVERSE)
        assert {f"GET http://{it.server.url}{path}" for path in paths} <= requests


async def test_tickers_are_polled_over_rest_again_and_again() -> None:
    polls = tuple(Poll(poll.requests, every_s=0.01) for poll in quick().polls((), frozenset()))
    async with collecting(quick(polls=lambda _pages, _majors: polls)) as it:
        paths = ("/v5/market/tickers?category=linear", "/v5/market/tickers?category=inverse")
        await until(lambda: all(it.server.requests.count(path) > 2 for path in paths))


async def test_what_is_polled_follows_the_listing() -> None:
    def polls(pages: Sequence[bytes], majors: frozenset[str]) -> Sequence[Poll]:
        names = [each["symbol"] for text in pages for each in json.loads(text)["result"]["list"]]
        return [Poll(tuple(Request("rest", f"/v5/market/{'-'.join(majors)}-{name}") for name in names), every_s=0.01)]

    async with collecting(quick(polls=polls, listing_s=0.02)) as it:
        await until(lambda: "/v5/market/BTC-XRPUSDT" in it.server.requests)
        it.server.answers[f"{LINEAR}&cursor=2"] = page("linear", contract("NEWUSDT"))
        await until(lambda: "/v5/market/BTC-NEWUSDT" in it.server.requests)
        it.server.requests.clear()
        await until(lambda: it.server.requests.count("/v5/market/BTC-NEWUSDT") > 5)
        polled = {path for path in it.server.requests if path.startswith("/v5/market/BTC-")}
        assert polled == {f"/v5/market/BTC-{name}" for name in ("BTCUSDT", "NEWUSDT", "BTCUSD")}


async def test_a_new_listing_is_subscribed_and_one_that_ended_is_unsubscribed() -> None:
    async with collecting(quick(listing_s=0.02)) as it:
        await until(lambda: len(it.sink.controls("subscribed")) == 4)
        before_ns = time.time_ns()
        it.server.told.clear()
        it.server.answers[f"{LINEAR}&cursor=2"] = page("linear", contract("NEWUSDT"))
        await until(lambda: len(it.server.told) == 2)
        assert [(told.operation, told.channels) for told in it.server.told] == [
            ("unsubscribe", ("allLiquidation.XRPUSDT", "tickers.XRPUSDT")),
            ("subscribe", ("allLiquidation.NEWUSDT", "tickers.NEWUSDT")),
        ]
        await until(lambda: it.sink.controls("gap"))
        [(_, gap)] = it.sink.controls("gap")
        assert gap.channels == ("allLiquidation.NEWUSDT", "tickers.NEWUSDT")
        assert 0 < gap.from_ns < before_ns + 10**9


async def test_a_listing_that_fails_or_is_empty_changes_no_subscription(caplog: pytest.LogCaptureFixture) -> None:
    async with collecting(quick(listing_s=0.02)) as it:
        await until(lambda: len(it.sink.controls("subscribed")) == 4)
        it.server.told.clear()
        it.server.answers[f"{LINEAR}&cursor=2"] = b'{"retCode":10001,"retMsg":"no"}'
        await until(lambda: any("retCode 10001" in line for line in caplog.messages))
        it.server.answers[f"{LINEAR}&cursor=2"] = b'{"retCode":0,"result":[]}'
        await until(lambda: any("Expected `object`, got `array`" in line for line in caplog.messages))
        it.server.answers |= {LINEAR: page("linear"), INVERSE: page("inverse")}
        await until(lambda: any("names no instrument" in line for line in caplog.messages))
        assert it.server.told == []


async def test_discovery_is_tried_again_until_the_exchange_answers() -> None:
    async with collecting() as it:
        it.server.answers[LINEAR] = Status(502)
        await until(lambda: it.server.requests.count(LINEAR) > 2)
        assert it.sink.controls("heartbeat") == []
        it.server.answers[LINEAR] = page("linear", contract("BTCUSDT"))
        await until(lambda: it.sink.controls("heartbeat"))


async def test_heartbeats_say_until_when_frames_are_complete() -> None:
    async with collecting() as it:
        it.server.talks = True
        await until(lambda: len(it.sink.controls("subscribed")) == 4)
        now_ns = time.time_ns()
        await until(lambda: any(beat.from_ns > now_ns for _, beat in it.sink.controls("heartbeat")))
        assert {name for name, _ in it.sink.controls("heartbeat")} == {""}


async def test_before_each_heartbeat_what_is_missed_is_said_so_that_a_kill_forgets_nothing() -> None:
    async with collecting(since_ns=START_NS) as it:
        it.server.acknowledges = False
        await until(lambda: len(it.sink.controls("heartbeat")) > 2)
        first, *_ = [content for content in said(it.sink) if content.control in ("gap", "heartbeat")]
        assert (first.control, first.from_ns) == ("gap", START_NS)
        gaps = {(name, gap.channels, gap.from_ns) for name, gap in it.sink.controls("gap")}
        assert {channel for _, channels, _ in gaps for channel in channels} == {
            *("allLiquidation.BTCUSDT", "allLiquidation.XRPUSDT", "tickers.BTCUSDT", "tickers.XRPUSDT"),
            *("publicTrade.BTCUSDT", "allLiquidation.BTCUSD", "tickers.BTCUSD", "publicTrade.BTCUSD"),
        }
        assert {from_ns for _, _, from_ns in gaps} == {START_NS}


async def test_nothing_stored_before_means_no_gap_at_the_start() -> None:
    async with collecting() as it:
        await until(lambda: len(it.sink.controls("subscribed")) == 4)
        await until(lambda: len(it.sink.controls("heartbeat")) > 2)
        assert it.sink.controls("gap") == []


async def test_context_is_repeated() -> None:
    async with collecting(timing=replace(QUICK, context_s=0.02)) as it:
        await until(lambda: len(it.sink.controls("subscribed")) > 30)
        assert len({content.channels for _, content in it.sink.controls("subscribed")}) == 4


async def test_the_health_file_appears_once_everything_is_subscribed(tmp_path: Path) -> None:
    health_file = tmp_path / "health"
    async with collecting(health_file=health_file) as it:
        it.server.acknowledges = False
        await until(lambda: len(it.sink.controls("heartbeat")) > 2)
        assert not health_file.exists()
        it.server.acknowledges = True
        it.server.cut()
        await until(health_file.exists)


async def test_the_health_file_grows_old_when_nothing_is_delivered_any_more(tmp_path: Path) -> None:
    health_file = tmp_path / "health"
    async with collecting(health_file=health_file) as it:
        await until(health_file.exists)
        it.sink.publish = lambda batch: it.sink.batches.append(batch)  # type: ignore[method-assign]  # never delivered
        beats = len(it.sink.controls("heartbeat"))
        await until(lambda: len(it.sink.controls("heartbeat")) > beats + 2)
        touched_ns = health_file.stat().st_mtime_ns
        await until(lambda: len(it.sink.controls("heartbeat")) > beats + 6)
        assert health_file.stat().st_mtime_ns == touched_ns


async def test_a_failure_of_the_sink_ends_the_collector() -> None:
    async with collecting() as it:
        await until(lambda: it.sink.batches)

        def fail() -> None:
            raise RuntimeError("no more")

        it.sink.poll = fail  # type: ignore[method-assign]  # from now on
        with pytest.raises(ExceptionGroup) as raised:
            await it.task
        assert raised.value.subgroup(RuntimeError)


def said(sink: Kept) -> list[Control]:
    """Return every control frame in order."""
    return [msgspec.json.decode(payload, type=Control) for _, payload, _ in sink.frames(SourceKind.CONTROL)]

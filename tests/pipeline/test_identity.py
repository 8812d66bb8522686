"""One event is one record: seen by two collectors, over sockets that are cut, and again over REST."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import aiohttp
import msgspec
import pytest

from processors.normalize.facts import Frame
from processors.normalize.registry import NORMALIZERS
from processors.normalize.stage import Normalize
from producers.collector import Collector
from producers.raw import Frames
from producers.registry import EXCHANGES
from producers.rest import Rest
from schemas.raw import RawBatch
from schemas.records import Liquidation
from simulator.exchanges.registry import EXCHANGES as PLAYED
from simulator.server import Served, serve
from simulator.truth import Known
from tests.producers.scripted import Kept, until

ENOUGH = 40  # liquidations, before all sockets are cut and after


def frames_of(batches: Sequence[RawBatch], first: int = 0) -> Iterator[Frame]:
    """Yield the frames as the stage gets them; `first` is the offset of the first batch."""
    for offset, batch in enumerate(batches, first):
        for index, one in enumerate(batch.frames()):
            source = batch.sources[one.source]
            where = source.kind, source.url, source.connection
            yield Frame(one.payload, one.received_ns // 1_000_000, *where, 0, offset, index)


class Reader:
    """What the stage makes of frames, as far as they have come."""

    def __init__(self, exchange: str) -> None:
        self.liquidations: list[Liquidation] = []
        self._stage = Normalize(exchange, NORMALIZERS[exchange](), 1, 1, ["liquidations"])
        self._batches = 0

    def read(self, frames: Iterator[Frame]) -> list[Liquidation]:
        for frame in frames:
            told = [one.record for one in self._stage.receive(frame)]
            self.liquidations += [record for record in told if isinstance(record, Liquidation)]
        return self.liquidations

    def follow(self, sink: Kept) -> int:
        """Read what a collector has kept since; return how many liquidations there are."""
        new, done = sink.batches[self._batches :], self._batches
        self._batches += len(new)
        return len(self.read(frames_of(new, done)))


async def collect(exchange: str, served: Served, sink: Kept) -> None:
    async with aiohttp.ClientSession() as session:
        frames, chosen = Frames(exchange, sink), EXCHANGES[exchange]
        rest = Rest(session, chosen, served.urls, frames)
        await Collector(chosen, served.urls, ("BTC",), frames, rest, since_ns=0).run(sink, None)


async def watch(exchange: str, truth: Path, sinks: Sequence[Kept]) -> list[Reader]:
    """Let two collectors see enough, cut all their sockets, and let them see enough again."""
    readers = [Reader(exchange) for _ in sinks]
    async with serve(exchange, rate=60, liquidations_per_second=30, truth=truth) as served:
        work = [asyncio.create_task(collect(exchange, served, sink)) for sink in sinks]

        def all_have(count: int) -> bool:
            return min(reader.follow(sink) for reader, sink in zip(readers, sinks, strict=True)) >= count

        await until(lambda: all_have(ENOUGH))
        before = max(len(reader.liquidations) for reader in readers)
        async with aiohttp.ClientSession(served.urls["rest"]) as session:
            async with session.post("/_faults", json={"fault": "drop"}) as answer:
                assert answer.status == 204
        await until(lambda: all_have(before + ENOUGH))
        for one in work:
            one.cancel()
            with suppress(asyncio.CancelledError):
                await one
        for reader, sink in zip(readers, sinks, strict=True):
            reader.follow(sink)
    return readers


def printed(one: Liquidation | Known) -> tuple[str, str, float, float, int]:
    if isinstance(one, Known):
        return one.symbol, one.position, float(one.price), float(one.quantity), one.event_ms
    return one.symbol, one.position, one.price_native, one.quantity_native, one.event_ms


@pytest.mark.parametrize("exchange", sorted(PLAYED))
async def test_two_collectors_whose_sockets_are_cut_tell_of_each_event_once(exchange: str, tmp_path: Path) -> None:
    sinks = Kept(), Kept()
    alone = await watch(exchange, tmp_path / "truth", sinks)
    both = sorted([*sinks[0].batches, *sinks[1].batches], key=lambda batch: batch.received_ns[-1])
    together = Reader(exchange).read(frames_of(both))

    ids = [{one.id for one in reader.liquidations} for reader in alone]
    assert Counter(one.id for one in together) == Counter(ids[0] | ids[1])
    assert len(ids[0] & ids[1]) >= ENOUGH
    made = Counter(
        map(printed, map(msgspec.json.Decoder(Known).decode, (tmp_path / "truth").read_bytes().splitlines()))
    )
    assert Counter(map(printed, together)) - made == Counter()

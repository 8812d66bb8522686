"""All lanes of a worker: loaded after a rebalance, fed, snapshotted, and asked what may be committed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from faust.types import TP, Message

from ..processor import Input, Output
from .lane import Lane
from .loading import Loader
from .snapshots import Note, Snapshot, Unreadable, newest_note, write_note

log = logging.getLogger(__name__)


class Mark(NamedTuple):
    """A commit of one partition."""

    offset: int  # the first record that is not processed yet
    note: str  # see snapshots.Note


class Publisher(Protocol):
    """What the lanes need of an outbox."""

    def publish(self, output: Output) -> None:
        """Queue one record."""

    async def delivered(self) -> None:
        """Wait until every record so far is acknowledged."""


class Store(Protocol):
    """What the lanes need of a state topic."""

    async def write(self, lane: int, snapshot: Snapshot, committed: Note | None) -> Note:
        """Store a snapshot and return its note."""

    def keep(self, lane: int, note: Note) -> None:
        """Delete what lies before the named snapshot."""

    def read(self, notes: Mapping[int, Note | None]) -> dict[int, Snapshot | Unreadable]:
        """Return the named snapshots."""


class Lanes:
    """Feeds records to the processors and tells the consumer what may be committed and what should rest."""

    def __init__(self, loader: Loader, outbox: Publisher, store: Store) -> None:
        """Make lanes with `loader`, publish to `outbox`, snapshot to `store`."""
        self.lanes: dict[int, Lane] = {}
        self.epoch = 0  # counts rebalances
        self.records = self.rests = 0
        self.to_rebuild = 0  # records, when the lanes were last loaded
        self.snapshot_bytes: dict[int, int] = {}
        self.settled_at_s = time.monotonic()  # when nothing was left to commit
        self._loader, self._outbox, self._store = loader, outbox, store
        self._tuning, self._inputs = loader.tuning, loader.inputs
        self._names = {full: name for name, full in loader.inputs.items()}
        self._failed = False
        self._snapshotting = asyncio.Lock()

    def forget(self) -> None:
        """Drop all lanes; what was not committed will be read again."""
        self.epoch += 1
        self.lanes = {}
        self.snapshot_bytes = {}

    async def load(self, commits: Mapping[TP, Mark], earliest: Mapping[TP, int]) -> dict[TP, int]:
        """Restore the lanes of the partitions in `earliest`; return where to read on."""
        epoch, started_s = self.epoch, time.monotonic()
        numbers = sorted({tp.partition for tp in earliest})
        notes = {n: newest_note(mark.note for tp, mark in commits.items() if tp.partition == n) for n in numbers}
        found = await asyncio.to_thread(self._store.read, notes)
        lanes: dict[int, Lane] = {}
        for place, n in enumerate(numbers, start=1):
            told = {self._names[tp.topic]: mark.offset for tp, mark in commits.items() if tp.partition == n}
            first = {self._names[tp.topic]: offset for tp, offset in earliest.items() if tp.partition == n}
            lane = lanes[n] = await self._loader.load(n, told, first, notes[n], found.get(n))
            if lane.note:  # spread the next snapshots; a lane without one takes it now, for nothing is committed before
                lane.snapped_at_s = started_s - self._tuning.snapshot_longest_s * (1 - place / len(numbers))
        if epoch == self.epoch:
            self.lanes = lanes
            self.to_rebuild = sum(lane.behind() for lane in lanes.values())
            log.info("lanes %s loaded, %d records to rebuild", numbers, self.to_rebuild)
        return {self._tp(name, n): offset for n, lane in lanes.items() for name, offset in lane.due.items()}

    def feed(self, message: Message) -> None:
        """Take one record and publish what follows from it; an unexpected error gets out, and the worker dies of it."""
        lane = self.lanes.get(message.partition)
        if lane is None:
            return
        rested = len(lane.merge.resting)
        try:
            for output in lane.receive(self._input(message)):
                self._outbox.publish(output)
        except BaseException:
            self._failed = True  # the processor may be half way: no more snapshots
            raise
        self.records += 1
        self.rests += max(0, len(lane.merge.resting) - rested)

    def resting(self) -> set[TP]:
        """Return the partitions that are ahead of the others."""
        return {self._tp(name, number) for number, lane in self.lanes.items() for name in lane.merge.resting}

    def due(self) -> dict[TP, int]:
        """Return the next record to receive from each partition."""
        return {self._tp(name, number): due for number, lane in self.lanes.items() for name, due in lane.due.items()}

    def held(self) -> int:
        """Return how many records wait for the other inputs of their lane."""
        return sum(lane.merge.held() for lane in list(self.lanes.values()))

    async def checkpoint(self) -> dict[TP, Mark]:
        """Return what may be committed, once every output that it implies is delivered."""
        epoch, marks = self.epoch, {}
        for number, lane in self.lanes.items():
            for name, offset in lane.done().items() if lane.note else ():
                mark = Mark(max(offset, lane.told[name]), write_note(lane.note))
                marks[self._tp(name, number)] = mark
        await self._outbox.delivered()
        return marks if epoch == self.epoch else {}

    def committed(self, marks: Mapping[TP, Mark]) -> None:
        """Learn that `marks` are committed: older snapshots may go."""
        for tp, mark in marks.items():
            lane, note = self.lanes[tp.partition], newest_note([mark.note])
            if note and note != lane.committed:
                self._store.keep(tp.partition, note)
                lane.committed = note

    def settled(self) -> None:
        """Learn that everything up to here is committed."""
        self.settled_at_s = time.monotonic()

    async def snapshot_due(self) -> None:
        """Snapshot the lanes whose time has come, those with the most work to save first."""
        for number, lane in sorted(self.lanes.items(), key=lambda numbered: -numbered[1].unsaved_us):
            age_s = time.monotonic() - lane.snapped_at_s
            much = sum(other.unsaved_us for other in self.lanes.values()) > self._tuning.rebuild_us
            if age_s >= (self._tuning.snapshot_shortest_s if much else self._tuning.snapshot_longest_s):
                await self._snapshot(number, lane)

    async def snapshot_all(self) -> None:
        """Snapshot every lane, before a planned stop."""
        for number, lane in list(self.lanes.items()):
            await self._snapshot(number, lane)

    async def _snapshot(self, number: int, lane: Lane) -> None:
        async with self._snapshotting:
            done = lane.done()
            if self._failed or done == lane.snapped or self.lanes.get(number) is not lane:
                return
            lane.snapped_at_s, lane.unsaved_us = time.monotonic(), 0.0
            times_ms, encode = lane.merge.times_ms(), lane.processor.snapshot()
            body = await asyncio.to_thread(encode)
            snapshot = Snapshot(lane.processor.state_version, done, times_ms, body)
            lane.note = await self._store.write(number, snapshot, lane.committed)
            lane.snapped = done
            self.snapshot_bytes[number] = len(body)

    def _tp(self, name: str, number: int) -> TP:
        return TP(self._inputs[name], number)

    def _input(self, message: Message) -> Input:
        return Input(
            self._names[message.topic],
            message.partition,
            message.offset,
            round((message.timestamp or 0) * 1000),
            message.key,
            message.value,
            tuple(message.headers or ()),  # type: ignore[arg-type]  # aiokafka brings pairs, never a mapping
        )

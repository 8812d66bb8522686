"""All lanes of a worker: loaded after a rebalance, fed, snapshotted, and asked what may be committed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from faust.types import TP, Message

from ..processor import Input, Output, Processor
from .lane import Lane, Offsets
from .merge import Merge
from .snapshots import Note, Snapshot, Unreadable, newest_note, write_note
from .tuning import Tuning

WarmUp = Callable[[Mapping[TP, int]], Mapping[TP, int]]
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

    def __init__(
        self,
        make: Callable[[int], Processor],
        inputs: Mapping[str, str],
        outbox: Publisher,
        store: Store,
        warm_up: WarmUp,
        tuning: Tuning,
    ) -> None:
        """Make a processor per partition number of `inputs` (full topic name by the name without prefix)."""
        self.lanes: dict[int, Lane] = {}
        self.epoch = 0  # counts rebalances
        self.records = self.rests = 0
        self.to_rebuild = 0  # records, when the lanes were last loaded
        self.snapshot_bytes: dict[int, int] = {}
        self.settled_at_s = time.monotonic()  # when nothing was left to commit
        self._make, self._inputs, self._outbox, self._store = make, inputs, outbox, store
        self._names = {full: name for name, full in inputs.items()}
        self._warm_up, self._tuning = warm_up, tuning
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
        lanes = {n: self._empty(n, commits, earliest) for n in numbers}
        for place, (number, lane) in enumerate(lanes.items(), start=1):
            if any(tp.partition == number for tp in commits):
                await self._restore(number, lane, notes[number], found.get(number))
            if lane.note:  # spread the next snapshots; a lane without one takes it now, for nothing is committed before
                lane.snapped_at_s = started_s - self._tuning.snapshot_longest_s * (1 - place / len(lanes))
            self._step_over_what_is_gone(number, lane, earliest)
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

    def _empty(self, number: int, commits: Mapping[TP, Mark], earliest: Mapping[TP, int]) -> Lane:
        """Return the lane at its commits; where there is none, at the beginning of the log."""
        told: Offsets = {}
        for name in self._inputs:
            tp = self._tp(name, number)
            told[name] = commits[tp].offset if tp in commits else earliest[tp]
        merge: Merge[Input] = Merge(list(self._inputs), rest_at=self._tuning.rest_at)
        return Lane(self._make(number), merge, due=dict(told), told=told, snapped_at_s=float("-inf"))

    async def _restore(self, number: int, lane: Lane, note: Note | None, found: Snapshot | Unreadable | None) -> None:
        """Continue from the snapshot; without a usable one warm up from the context in the log."""
        lost = _why_lost(found, lane.processor.state_version)
        if isinstance(found, Snapshot) and not lost:
            lane.processor.restore(found.body)
            lane.merge = Merge(list(self._inputs), found.times_ms, self._tuning.rest_at)
            lane.due = {name: found.offsets.get(name, told) for name, told in lane.told.items()}
            lane.note = lane.committed = note
            lane.snapped = dict(lane.due)
            self.snapshot_bytes[number] = len(found.body)
            return
        commits = {self._tp(name, number): told for name, told in lane.told.items()}
        starts = await asyncio.to_thread(self._warm_up, commits)
        lane.due = {self._names[tp.topic]: offset for tp, offset in starts.items()}
        log.warning("lane %d warms up over %d records: %s", number, lane.behind(), lost)

    def _step_over_what_is_gone(self, number: int, lane: Lane, earliest: Mapping[TP, int]) -> None:
        for name, due in lane.due.items():
            first = earliest[self._tp(name, number)]
            if first > due:
                log.error("retention removed records %d to %d of %s/%d unread", due, first - 1, name, number)
                lane.due[name] = first

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


def _why_lost(found: Snapshot | Unreadable | None, state_version: int) -> str:
    if found is None:
        return "its commit names no snapshot"
    if isinstance(found, Unreadable):
        return str(found)
    if found.state_version != state_version:
        return f"its snapshot has state version {found.state_version}, the processor {state_version}"
    return ""

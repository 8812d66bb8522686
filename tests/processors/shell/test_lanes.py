"""What the lanes promise about replays, holes, commits and snapshots, without a broker."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from processors.processor import Input, Output
from processors.shell.lanes import Lanes, Mark
from processors.shell.loading import Loader
from processors.shell.outbox import DeliveryError
from processors.shell.snapshots import Note, Snapshot, Unreadable, newest_note, pack, unpack
from processors.shell.tuning import Tuning


class MemoryOutbox:
    """Collects outputs; fails on demand."""

    def __init__(self) -> None:
        self.sent: list[bytes | None] = []
        self.on_delivery: Callable[[], None] = lambda: None

    def publish(self, output: Output) -> None:
        self.sent.append(output.value)

    async def delivered(self) -> None:
        self.on_delivery()


class MemoryStore:
    """A state topic in memory: what is written stays."""

    def __init__(self) -> None:
        self.written: dict[str, list[bytes]] = {}
        self.kept: list[Note] = []
        self.on_read: Callable[[], None] = lambda: None

    async def write(self, lane: int, snapshot: Snapshot, committed: Note | None) -> Note:
        note = Note(f"{lane}:{len(self.written)}", len(self.written), committed.at if committed else 0)
        self.written[note.name] = pack(snapshot)
        return note

    def keep(self, lane: int, note: Note) -> None:
        self.kept.append(note)

    def read(self, notes: Mapping[int, Note | None]) -> dict[int, Snapshot | Unreadable]:
        self.on_read()
        return {lane: self._unpack(note) for lane, note in notes.items() if note}

    def _unpack(self, note: Note) -> Snapshot | Unreadable:
        try:
            return unpack(dict(enumerate(self.written.get(note.name, []))))
        except Unreadable as error:
            return error


class Sums:
    """Publishes running sums; dies of 13."""

    state_version = 1

    def __init__(self, lane: int) -> None:
        self.total = 0
        self.counts = {"summed": 0}

    @property
    def levels(self) -> Mapping[str, int]:
        return {"total": self.total}

    def process(self, record: Input) -> Iterable[Output]:
        if record.value is None:
            return []
        if record.value == b"13":
            raise ZeroDivisionError
        self.total += int(record.value)
        self.counts["summed"] += 1
        return [Output("out", b"%d" % self.total, None, record.timestamp_ms)]

    def snapshot(self) -> Callable[[], bytes]:
        total = self.total
        return lambda: b"%d" % total

    def restore(self, data: bytes) -> None:
        self.total = int(data)


class NewerSums(Sums):
    state_version = 2


class Started:
    """Lanes of partition 0 with memory around them."""

    def __init__(
        self,
        inputs: tuple[str, ...] = ("a",),
        *,
        store: MemoryStore | None = None,
        commits: Mapping[TP, Mark] | None = None,
        earliest: int = 0,
        make: Callable[[int], Sums] = Sums,
        warm_up: Callable[[Mapping[TP, int]], Mapping[TP, int]] = dict,
        tuning: Tuning | None = None,
    ) -> None:
        self.outbox, self.store = MemoryOutbox(), store or MemoryStore()
        names = {name: f"full.{name}" for name in inputs}
        self.lanes = Lanes(Loader(make, names, warm_up, tuning or Tuning()), self.outbox, self.store)
        self.lanes.forget()
        begin = {TP(full, 0): earliest for full in names.values()}
        self.positions = asyncio.run(self.lanes.load(commits or {}, begin))

    def feed(self, offset: int, value: bytes | None, name: str = "a", time_ms: int | None = None) -> None:
        message: Any = SimpleNamespace(
            topic=f"full.{name}",
            partition=0,
            offset=offset,
            timestamp=(offset if time_ms is None else time_ms) / 1000,
            key=None,
            value=value,
            headers=(),
        )
        self.lanes.feed(message)

    def snapshot(self) -> None:
        asyncio.run(self.lanes.snapshot_all())

    def marks(self) -> dict[TP, Mark]:
        return asyncio.run(self.lanes.checkpoint())


A = TP("full.a", 0)


def test_nothing_is_committed_before_the_first_snapshot_which_is_due_at_once() -> None:
    started = Started()
    assert started.positions == {A: 0}
    started.feed(0, b"1")
    assert started.marks() == {}
    asyncio.run(started.lanes.snapshot_due())
    assert started.marks()[A].offset == 1


def test_a_lane_without_a_commit_starts_at_the_beginning_and_publishes() -> None:
    started = Started(earliest=5)
    assert started.positions == {A: 5}
    started.feed(5, b"1")
    assert started.outbox.sent == [b"1"]


def test_a_restart_rebuilds_without_publishing_what_was_delivered() -> None:
    first = Started()
    first.feed(0, b"1")
    first.snapshot()
    for offset in (1, 2, 3):
        first.feed(offset, b"1")
    commits = first.marks()
    assert commits[A].offset == 4
    first.feed(4, b"1")  # published, not committed
    second = Started(store=first.store, commits=commits)
    assert second.positions == {A: 1}
    assert second.lanes.to_rebuild == 3
    for offset in range(1, 6):
        second.feed(offset, b"1")
    assert first.outbox.sent == [b"1", b"2", b"3", b"4", b"5"]
    assert second.outbox.sent == [b"5", b"6"]  # only the last commit interval repeats, with the same bytes


def test_a_commit_never_goes_back_while_a_lane_is_rebuilt() -> None:
    first = Started()
    first.snapshot()
    for offset in range(5):
        first.feed(offset, b"1")
    commits = first.marks()
    second = Started(store=first.store, commits=commits)
    second.feed(0, b"1")
    assert second.marks() == commits


def test_older_snapshots_go_only_after_the_commit_that_names_a_newer_one() -> None:
    started = Started()
    started.snapshot()
    started.feed(0, b"1")
    marks = started.marks()
    assert started.store.kept == []
    started.lanes.committed(marks)
    started.lanes.committed(marks)
    assert started.store.kept == [newest_note([marks[A].note])]


def lose(store: MemoryStore, mark: Mark, harm: str) -> Mark:
    note = newest_note([mark.note])
    assert note is not None
    if harm == "its commit names no snapshot":
        return Mark(mark.offset, "")
    if harm == "gone":
        del store.written[note.name]
    elif harm == "half":
        store.written[note.name].pop()
    elif harm == "flipped":
        store.written[note.name][1] = b"5"
    return mark


@pytest.mark.parametrize("harm", ["gone", "half", "flipped", "another version", "its commit names no snapshot"])
def test_a_lane_with_a_lost_snapshot_warms_up_without_publishing(harm: str) -> None:
    first = Started()
    for offset in range(4):
        first.feed(offset, b"1")
    first.snapshot()
    commits = {A: lose(first.store, first.marks()[A], harm)}
    asked: list[Mapping[TP, int]] = []

    def warm_up(marks: Mapping[TP, int]) -> Mapping[TP, int]:
        asked.append(marks)
        return {A: 2}

    make = NewerSums if harm == "another version" else Sums
    second = Started(store=first.store, commits=commits, warm_up=warm_up, make=make)
    assert asked == [{A: 4}]
    assert second.positions == {A: 2}
    for offset in range(2, 5):
        second.feed(offset, b"1")
    assert second.outbox.sent == [b"3"]  # offsets 2 and 3 were the context
    assert second.marks() == {}  # until it has a snapshot of its own


def test_what_retention_removed_is_stepped_over_and_said(caplog: pytest.LogCaptureFixture) -> None:
    first = Started()
    first.snapshot()
    first.feed(0, b"1")
    second = Started(store=first.store, commits=first.marks(), earliest=9)
    assert second.positions == {A: 9}
    assert "retention removed records 0 to 8 of a/0 unread" in caplog.text


def test_a_replay_is_skipped() -> None:
    started = Started(earliest=5)
    started.feed(4, b"1")
    assert started.outbox.sent == []


def test_a_hole_is_refused() -> None:
    started = Started(earliest=5)
    with pytest.raises(RuntimeError, match="hole in a/0: record 5 is due, 6 came"):
        started.feed(6, b"1")


def test_records_of_foreign_partitions_are_left_alone() -> None:
    started = Started()
    started.lanes.forget()
    started.feed(0, b"1")
    assert started.outbox.sent == []


def test_a_failed_record_is_neither_committed_nor_snapshotted() -> None:
    started = Started()
    started.snapshot()
    started.feed(0, b"1")
    with pytest.raises(ZeroDivisionError):
        started.feed(1, b"13")
    before = dict(started.store.written)
    started.snapshot()
    assert started.store.written == before
    assert started.marks()[A].offset == 1


def test_nothing_is_committed_when_a_delivery_failed() -> None:
    started = Started()
    started.snapshot()
    started.feed(0, b"1")

    def fail() -> None:
        raise DeliveryError("no")

    started.outbox.on_delivery = fail
    with pytest.raises(DeliveryError):
        started.marks()


def test_nothing_is_committed_when_the_lanes_were_revoked_meanwhile() -> None:
    started = Started()
    started.snapshot()
    started.feed(0, b"1")
    started.outbox.on_delivery = started.lanes.forget
    assert started.marks() == {}


def test_a_load_that_a_rebalance_overtakes_changes_nothing() -> None:
    started = Started()
    started.store.on_read = started.lanes.forget
    asyncio.run(started.lanes.load({}, {A: 0}))
    assert started.lanes.lanes == {}


def test_an_input_rests_until_it_is_needed_again_and_held_records_are_not_committed() -> None:
    started = Started(("a", "b"), tuning=Tuning(rest_at=4))
    for offset in range(4):
        started.feed(offset, b"1")
    assert started.lanes.resting() == {A}
    assert (started.lanes.rests, started.lanes.held()) == (1, 4)
    started.feed(0, None, "b", time_ms=2)
    assert started.lanes.resting() == set()
    started.snapshot()
    assert {tp.topic: mark.offset for tp, mark in started.marks().items()} == {"full.a": 3, "full.b": 1}


def test_a_merge_goes_on_with_its_times() -> None:
    first = Started(("a", "b"))
    first.feed(0, b"1", "a", time_ms=100)
    first.feed(0, b"1", "b", time_ms=70)
    first.snapshot()
    second = Started(("a", "b"), store=first.store, commits=first.marks())
    assert second.positions == {A: 0, TP("full.b", 0): 1}
    assert second.lanes.lanes[0].merge.times_ms() == {"a": 100, "b": 70}


def snapshots_after(records: int, tuning: Tuning) -> int:
    """Return how many snapshots a lane has after its first and some records."""
    started = Started(tuning=tuning)
    asyncio.run(started.lanes.snapshot_due())
    for offset in range(records):
        started.feed(offset, b"1")
    asyncio.run(started.lanes.snapshot_due())
    return len(started.store.written)


def test_the_next_snapshot_waits_for_much_work_or_the_longest_interval() -> None:
    at_once_if_much = Tuning(snapshot_shortest_s=0.0, snapshot_longest_s=3600.0, rebuild_us=1000.0)
    assert snapshots_after(5, at_once_if_much) == 1
    assert snapshots_after(15, at_once_if_much) == 2
    assert snapshots_after(15, Tuning(snapshot_shortest_s=3600.0, snapshot_longest_s=3600.0, rebuild_us=1000.0)) == 1
    assert snapshots_after(1, Tuning(snapshot_longest_s=0.0)) == 2
    assert snapshots_after(0, Tuning(snapshot_longest_s=0.0)) == 1  # nothing new to save

"""What is known of one stream, and the row that says what of a minute is proven by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from schemas.records import Coverage

from ..minutes import MINUTE_MS
from .stretches import Stretch, Stretches, length

SKEW_MS = 2_000  # between the clocks, with the way to us: an event of a minute may arrive so long before or after it


class Counts(msgspec.Struct, gc=False):
    """What was counted for a stream in one minute."""

    frames: int = 0
    reconnects: int = 0
    parked: int = 0


NOTHING = Counts()


class Minute(NamedTuple):
    """One minute, and what is known of the producer in it."""

    start_ms: int
    received_ms: int  # of the heartbeat that tells it
    silences: Stretches  # without heartbeats
    is_final: bool
    revision: int


class StreamState(NamedTuple):
    """A stream as plain values, its counts left out."""

    name: str
    since_ms: int
    is_carried: bool
    beside: list[str]
    connected: list[Stretch]
    gaps: list[Stretch]
    unread: list[Stretch]


class Stream:
    """What is known of one stream of an exchange."""

    def __init__(self, name: str, since_ms: int) -> None:
        """`since_ms`: when the last of its channels was subscribed for the first time."""
        self.name, self.since_ms = name, since_ms
        self.is_carried = False  # by channels of sockets
        self.beside = {name}  # streams that share a socket with it
        self.connected, self.gaps = Stretches(), Stretches()
        self.unread = Stretches()  # seconds with frames that nobody understood
        self.counts: dict[int, Counts] = {}  # by start of the minute

    def count(self, at_ms: int) -> Counts:
        """Return the counts of the minute of a moment, to be raised."""
        return self.counts.setdefault(at_ms - at_ms % MINUTE_MS, Counts())

    def forget(self, before_ms: int) -> None:
        """Forget what was before a moment."""
        for stretches in (self.connected, self.gaps, self.unread):
            stretches.forget(before_ms)
        for minute_ms in [minute_ms for minute_ms in self.counts if minute_ms < before_ms]:
            del self.counts[minute_ms]

    def state(self) -> StreamState:
        """Return the stream as plain values."""
        stretches = (self.connected.all(), self.gaps.all(), self.unread.all())
        return StreamState(self.name, self.since_ms, self.is_carried, sorted(self.beside), *stretches)

    def counted(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield each minute with its frames, reconnects and frames that nobody understood."""
        for minute_ms, counts in self.counts.items():
            yield minute_ms, counts.frames, counts.reconnects, counts.parked

    @classmethod
    def of(cls, state: StreamState) -> Stream:
        """Return the stream with this state, without counts."""
        stream = cls(state.name, state.since_ms)
        stream.is_carried, stream.beside = state.is_carried, set(state.beside)
        stream.connected, stream.gaps = Stretches(state.connected), Stretches(state.gaps)
        stream.unread = Stretches(state.unread)
        return stream

    def row(self, exchange: str, minute: Minute, streams: Mapping[str, Stream]) -> Coverage:
        """Return what is proven of a minute."""
        start_ms, end_ms = minute.start_ms, minute.start_ms + MINUTE_MS
        counts, gaps = self.counts.get(start_ms, NOTHING), self.gaps.within(start_ms, end_ms)
        proven_by = self._proven_by(start_ms, streams)
        return Coverage(
            exchange=exchange,
            stream=self.name,
            minute_ms=start_ms,
            received_ms=minute.received_ms,
            connected_ms=length(self.connected.within(start_ms, end_ms)),
            subscribed_ms=self._subscribed_ms(minute),
            gap_ms=length(gaps),
            frames=counts.frames,
            gaps=len(gaps),
            reconnects=counts.reconnects,
            parked_frames=counts.parked,
            proven_by=proven_by,
            is_alive=bool(proven_by) and self._is_proven(minute),
            is_final=minute.is_final,
            version=minute.revision << 32 | minute.received_ms - start_ms,
        )

    def _proven_by(self, minute_ms: int, streams: Mapping[str, Stream]) -> str:
        """Return the stream with most frames of those on its sockets; only its own where it has no socket."""
        frames = {name: streams[name].counts.get(minute_ms, NOTHING).frames for name in sorted(self.beside)}
        busiest = max(frames, key=frames.__getitem__)
        return busiest if frames[busiest] else ""

    def _subscribed_ms(self, minute: Minute) -> int:
        from_ms, to_ms = max(minute.start_ms, self.since_ms), minute.start_ms + MINUTE_MS
        if from_ms >= to_ms:
            return 0
        missed = Stretches([*self.gaps.within(from_ms, to_ms), *minute.silences.within(from_ms, to_ms)])
        return to_ms - from_ms - length(missed.all())

    def _is_proven(self, minute: Minute) -> bool:
        from_ms, to_ms = minute.start_ms - SKEW_MS, minute.start_ms + MINUTE_MS + SKEW_MS
        unproven = any(stretches.within(from_ms, to_ms) for stretches in (self.gaps, self.unread, minute.silences))
        return minute.is_final and self.since_ms <= from_ms and not unproven

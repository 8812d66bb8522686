"""Tell of each stream and minute what is proven, by what the producer says. No clock: heartbeats say the time.

A producer says what it subscribed, each second that it lives and until when its frames are complete, and which channels
missed frames from when to when. A minute is told when it closes, again when its proof is final, and once more where a
gap that is told later reaches back into it. What is not proven is not alive.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from schemas.raw import Control, SourceKind
from schemas.records import Coverage, Funding, Instrument, Liquidation, OpenInterest

from ..minutes import GRACE_MS, MINUTE_MS, start_of_minute
from ..pieces import Pieces, Tables, rows
from .covered import SKEW_MS, Counts, Minute, Stream, StreamState
from .facts import Frame, Quote, Trade, Unfilled
from .frames import NS_PER_MS
from .sockets import Sockets
from .stretches import Stretches

KEEP_MS = 6 * 60 * MINUTE_MS  # how far back a gap can revise a minute; a new contract's begins at the last listing
SILENCE_MS = 10_000  # heartbeats come each second: after so long without one, nobody lived to say what was missed
SECOND_MS = 1_000

STREAMS = ("liquidations", "quotes", "trades", "open-interest", "funding")
# What a frame shows is a number: a bit for each stream.
BITS: dict[type, int] = {
    Liquidation: 1,
    Unfilled: 1,
    Quote: 2,
    Trade: 4,
    OpenInterest: 8,
    Funding: 16,
    Instrument: 0,
}

Told = tuple[int, str]  # a row, by start of its minute and name of its stream


class Coverages:
    """What is proven of the streams of one exchange."""

    def __init__(self, exchange: str, revision: int, stream_of: Callable[[str], str]) -> None:
        """`revision` of the mapping; `stream_of` returns what a channel carries, or nothing."""
        self._exchange, self._revision, self._stream_of = exchange, revision, stream_of
        self._sockets = Sockets(stream_of)
        self._streams: dict[str, Stream] = {}
        self.shown = [0] * (1 << len(STREAMS))  # frames of the pending second, by what they show; whoever reads counts
        self._silences = Stretches()
        self._revised: set[Told] = set()  # what is not true any more
        self._now_ms = self._beat_ms = 0  # newest control frame, newest heartbeat
        self._complete_ms = 0  # until when the producer proved its frames complete
        self._closed_before_ms = self._final_before_ms = 0

    def close_second(self, second_ms: int) -> None:
        """Give the frames that were counted to the minute of their second."""
        for place, name in enumerate(STREAMS):
            if frames := sum(count for shown, count in enumerate(self.shown) if shown >> place & 1):
                self._stream(name, second_ms).count(second_ms).frames += frames
        self.shown[:] = [0] * len(self.shown)

    def bury(self, channel: str, frame: Frame) -> None:
        """Note a frame that nobody understands. One of a socket that shows no known channel may be of any stream."""
        name = self._stream_of(channel)
        if not name and frame.kind is SourceKind.REST:
            return
        second_ms = frame.received_ms - frame.received_ms % SECOND_MS
        for stream in self._touched([name] if name else self._streams):
            stream.count(second_ms).parked += 1
            stream.unread.add(second_ms, second_ms + SECOND_MS)

    def hear(self, said: Control, frame: Frame) -> list[Coverage]:
        """Take in a control frame; after a heartbeat return the minutes that it closes, makes final or revises."""
        self._advance(frame.received_ms)
        if said.control == "heartbeat":
            return self._beat(said.from_ns // NS_PER_MS or self._now_ms)
        if said.control == "gap":
            self._miss(said)
        elif said.control == "disconnected":
            for name in self._sockets.disconnected(frame.connection):
                self._streams[name].count(self._now_ms).reconnects += 1
        else:
            self._carry(said.channels, frame.connection)
        return []

    def tables(self) -> Tables:
        """Return the state."""
        clock = (self._now_ms, self._beat_ms, self._complete_ms, self._closed_before_ms, self._final_before_ms)
        streams = self._streams.values()
        return {
            **self._sockets.tables(),
            "coverage.clock": [clock],
            "coverage.shown": list(self.shown),
            "coverage.revised": sorted(self._revised),
            "coverage.silences": self._silences.all(),
            "coverage.streams": [stream.state() for stream in streams],
            "coverage.counts": [(stream.name, *counts) for stream in streams for counts in stream.counted()],
        }

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""
        self._sockets.load(pieces)
        [(self._now_ms, self._beat_ms, self._complete_ms, self._closed_before_ms, self._final_before_ms)] = rows(
            pieces["coverage.clock"], tuple[int, int, int, int, int]
        )
        self.shown[:] = rows(pieces["coverage.shown"], int)
        self._revised = set(rows(pieces["coverage.revised"], tuple[int, str]))
        self._silences = Stretches(rows(pieces["coverage.silences"], tuple[int, int]))
        self._streams = {state.name: Stream.of(state) for state in rows(pieces["coverage.streams"], StreamState)}
        for name, minute_ms, *counts in rows(pieces["coverage.counts"], tuple[str, int, int, int, int]):
            self._streams[name].counts[minute_ms] = Counts(*counts)

    def _advance(self, received_ms: int) -> None:
        """Count the time since the last control frame as connected, unless it is so long that nobody lived."""
        before_ms, self._now_ms = self._now_ms, max(self._now_ms, received_ms)
        if not before_ms:
            self._closed_before_ms = self._final_before_ms = start_of_minute(received_ms)
        elif self._sockets.is_any_open() and before_ms < self._now_ms <= before_ms + SILENCE_MS:
            for stream in self._touched(self._sockets.carried()):
                stream.connected.add(before_ms, self._now_ms)

    def _carry(self, channels: Sequence[str], connection: str) -> None:
        names = self._sockets.subscribed(channels, connection, self._now_ms)
        for name in sorted(names):
            stream = self._stream(name, self._now_ms)
            stream.is_carried = True
            stream.beside |= names

    def _miss(self, said: Control) -> None:
        names = self._sockets.missed(said.channels)
        for name in sorted(names):
            self._stream(name, self._now_ms).is_carried = True
        from_ms = said.from_ns // NS_PER_MS
        to_ms = max(-(-said.to_ns // NS_PER_MS), from_ms + 1)  # rounded up, and never nothing
        for stream in self._touched(names):
            self._revise(stream, stream.gaps.add(from_ms, to_ms), to_ms)

    def _stream(self, name: str, since_ms: int) -> Stream:
        return self._streams.setdefault(name, Stream(name, since_ms))

    def _touched(self, names: Collection[str]) -> Iterator[Stream]:
        """Yield some streams, and those without channels: what happens to any channel may concern them."""
        return (stream for stream in self._streams.values() if stream.name in names or not stream.is_carried)

    def _revise(self, stream: Stream, from_ms: int, to_ms: int) -> None:
        """Note the closed minutes that something touches which was not known when they were told."""
        if from_ms < to_ms:
            first_ms = start_of_minute(max(from_ms - SKEW_MS, self._now_ms - KEEP_MS))
            after_ms = min(to_ms + SKEW_MS, self._closed_before_ms)
            self._revised.update((minute_ms, stream.name) for minute_ms in range(first_ms, after_ms, MINUTE_MS))

    def _beat(self, complete_ms: int) -> list[Coverage]:
        if self._now_ms == self._beat_ms:  # of a second producer whose clock is behind; the next one tells
            return []
        if self._beat_ms and self._now_ms > self._beat_ms + SILENCE_MS:
            self._silences.add(self._beat_ms, self._now_ms)
        self._beat_ms = self._now_ms
        self._complete_ms = max(self._complete_ms, min(complete_ms, self._now_ms))
        for name, since_ms in self._sockets.admit(self._now_ms).items():
            stream = self._streams[name]
            self._revise(stream, stream.since_ms, since_ms)
            stream.since_ms = max(stream.since_ms, since_ms)
        told = [self._row(minute_ms, name) for minute_ms, name in sorted(self._due())]
        self._forget(start_of_minute(self._now_ms - KEEP_MS))
        return told

    def _due(self) -> set[Told]:
        closed_ms, final_ms = self._closed_before_ms, self._final_before_ms
        self._closed_before_ms = max(closed_ms, start_of_minute(self._now_ms - GRACE_MS))
        proven_ms = start_of_minute(self._complete_ms - SKEW_MS)
        self._final_before_ms = max(final_ms, min(self._closed_before_ms, proven_ms))
        floor_ms = start_of_minute(self._now_ms - KEEP_MS)
        closed = range(max(closed_ms, floor_ms), self._closed_before_ms, MINUTE_MS)
        final = range(max(final_ms, floor_ms), self._final_before_ms, MINUTE_MS)
        due, self._revised = self._revised, set()
        for stream in self._streams.values():
            known = (minute_ms for minute_ms in {*closed, *final} if stream.since_ms < minute_ms + MINUTE_MS)
            due.update((minute_ms, stream.name) for minute_ms in known)
        return due

    def _forget(self, before_ms: int) -> None:
        self._silences.forget(before_ms)
        for stream in self._streams.values():
            stream.forget(before_ms)

    def _row(self, minute_ms: int, name: str) -> Coverage:
        is_final = minute_ms < self._final_before_ms
        minute = Minute(minute_ms, self._now_ms, self._silences, is_final, self._revision)
        return self._streams[name].row(self._exchange, minute, self._streams)

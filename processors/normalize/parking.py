"""Park a channel that fails in a row: a sample of its dead letters is kept, the rest is counted.

Its frames are still tried, and the first that maps ends the parking: a stage that cannot replay must not lose what it
understands again. What failed meanwhile lies in the raw topic, untouched.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from ..pieces import Pieces, Tables, rows
from .facts import Frame

PARK_AFTER = 20  # failures in a row
SAMPLE = 1_000  # of a parked channel every so many failures are kept
MAX_CHANNELS = 64  # beyond, names that were never seen share one place: garbage invents names
QUIET_MS = 60_000  # without a failure: ends the parking of what has no name, frees the place of a name not parked


class Letter(NamedTuple):
    """What a dead letter says about its channel."""

    is_parked: bool
    suppressed: int  # failures since the previous dead letter of this channel


class _Channel(msgspec.Struct, array_like=True, frozen=True):
    name: str
    run: int = 0  # failures in a row
    suppressed: int = 0
    failed_ms: int = 0


class Parking:
    """The failing channels of one exchange."""

    def __init__(self) -> None:
        """Start with none."""
        self.suppressed = 0
        self.failing: dict[str, re.Pattern[bytes]] = {}  # by channel: its name as it stands in a frame
        self._channels: dict[str, _Channel] = {}

    @property
    def parked(self) -> int:
        """Return how many channels are parked; metrics ask from a thread of their own."""
        return sum(channel.run >= PARK_AFTER for channel in tuple(self._channels.values()))

    def failed(self, name: str, received_ms: int) -> Letter | None:
        """Count a failure; return what its dead letter says, or None where none is to be kept."""
        if name not in self._channels and not self._has_room(received_ms):
            name = ""
        known = self._channels.get(name) or _Channel(name)
        was_quiet = not name and received_ms - known.failed_ms > QUIET_MS
        run = 1 if was_quiet else known.run + 1
        is_kept = run <= PARK_AFTER or (run - PARK_AFTER) % SAMPLE == 0
        self._channels[name] = _Channel(name, run, 0 if is_kept else known.suppressed + 1, received_ms)
        if name and name not in self.failing:
            self.failing[name] = _standing_alone(name)
        if not is_kept:
            self.suppressed += 1
            return None
        return Letter(run >= PARK_AFTER, known.suppressed)

    def mapped(self, frame: Frame) -> None:
        """End the run of each channel that a frame with facts names."""
        for name, standing in tuple(self.failing.items()):
            if standing.search(frame.payload) or name in frame.url:
                known = self._channels[name]
                self._channels[name] = _Channel(name, 0, known.suppressed, known.failed_ms)
                del self.failing[name]

    def _has_room(self, now_ms: int) -> bool:
        """Make room where there is none: names that failed a few times and are quiet may have been garbage."""
        if len(self._channels) >= MAX_CHANNELS:
            for channel in tuple(self._channels.values()):
                if now_ms - channel.failed_ms > QUIET_MS and channel.run < PARK_AFTER and not channel.suppressed:
                    del self._channels[channel.name]
                    self.failing.pop(channel.name, None)
        return len(self._channels) < MAX_CHANNELS

    def tables(self) -> Tables:
        """Return the state."""
        return {"parking": list(self._channels.values())}

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""
        self._channels = {channel.name: channel for channel in rows(pieces["parking"], _Channel)}
        failing = [name for name, channel in self._channels.items() if name and channel.run]
        self.failing = {name: _standing_alone(name) for name in failing}


def _standing_alone(name: str) -> re.Pattern[bytes]:
    """Return what finds a name that is no part of another one: `tickers` does not stand in `index-tickers`."""
    return re.compile(rb"(?<![\w-])" + re.escape(name.encode()) + rb"(?![\w-])")

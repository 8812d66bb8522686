"""Tell a liquidation from its repeats: the ids of the last two hours, by the minute of the newer of its two clocks."""

from __future__ import annotations

from itertools import chain

from schemas.records import Liquidation

from .minutes import MINUTE_MS
from .pieces import Pieces, Tables, rows

MAX_IDS = 500_000  # some 70 MB; beyond, the oldest minutes are forgotten early


class Repeats:
    """The ids one exchange has shown.

    No minute at or after `forget()` has lost an id, so a minute that is still kept never counts an event twice.
    """

    def __init__(self) -> None:
        """Start with no ids."""
        self.repeats = self.dropped = 0
        self._seen: set[str] = set()
        self._minutes: dict[int, list[str]] = {}
        self._floor_ms = 0

    def is_repeat(self, liquidation: Liquidation) -> bool:
        """Say whether its id was seen; from now on it was."""
        known = liquidation.id
        if known in self._seen:
            self.repeats += 1
            return True
        self._seen.add(known)
        event_ms, received_ms = liquidation.event_ms, liquidation.received_ms
        newer_ms = event_ms if event_ms > received_ms else received_ms
        minute_ms = newer_ms - newer_ms % MINUTE_MS
        try:
            self._minutes[minute_ms].append(known)
        except KeyError:
            self._minutes[minute_ms] = [known]
        return False

    def forget(self, before_ms: int) -> int:
        """Forget the minutes before a time, or more where there are too many ids; return before which time."""
        self._floor_ms = max(self._floor_ms, before_ms)
        for minute_ms in sorted(self._minutes):
            if minute_ms >= self._floor_ms:
                if len(self._seen) <= MAX_IDS:
                    break
                self._floor_ms = minute_ms + MINUTE_MS
                self.dropped += len(self._minutes[minute_ms])
            self._seen.difference_update(self._minutes.pop(minute_ms))
        return self._floor_ms

    def tables(self) -> Tables:
        """Return the state."""
        return {
            "repeats": list(chain.from_iterable(self._minutes.values())),
            "repeats.minutes": [(minute_ms, len(ids)) for minute_ms, ids in self._minutes.items()],
            "repeats.floor": [self._floor_ms],
        }

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""
        ids = rows(pieces["repeats"], str)
        self._seen, self._minutes, start = set(ids), {}, 0
        for minute_ms, count in rows(pieces["repeats.minutes"], tuple[int, int]):
            self._minutes[minute_ms] = ids[start : start + count]
            start += count
        [self._floor_ms] = rows(pieces["repeats.floor"], int)

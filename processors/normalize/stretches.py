"""Stretches of time that neither overlap nor touch: what is added joins what it meets."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from operator import itemgetter

Stretch = tuple[int, int]  # from, to: ms since the epoch

BEGIN, END = itemgetter(0), itemgetter(1)
MAX_STRETCHES = 10_000  # beyond, the two oldest become one, and what lay between them counts too


class Stretches:
    """Some time, in pieces."""

    def __init__(self, stretches: Iterable[Stretch] = ()) -> None:
        """Begin with stretches, in any order."""
        self._all: list[Stretch] = []
        for from_ms, to_ms in stretches:
            self.add(from_ms, to_ms)

    def add(self, from_ms: int, to_ms: int) -> int:
        """Add a stretch; return from when on it is new: `to_ms` where all of it was there."""
        first = bisect_left(self._all, from_ms, key=END)
        after = bisect_right(self._all, to_ms, key=BEGIN)
        new_from_ms = from_ms
        if first < after:
            met_from_ms, met_to_ms = self._all[first]
            if met_from_ms <= from_ms:
                new_from_ms = min(met_to_ms, to_ms)
            from_ms, to_ms = min(from_ms, met_from_ms), max(to_ms, self._all[after - 1][1])
        self._all[first:after] = [(from_ms, to_ms)]
        if len(self._all) > MAX_STRETCHES:
            self._all[:2] = [(self._all[0][0], self._all[1][1])]
        return new_from_ms

    def within(self, from_ms: int, to_ms: int) -> list[Stretch]:
        """Return what lies between two moments."""
        first = bisect_right(self._all, from_ms, key=END)
        after = bisect_left(self._all, to_ms, key=BEGIN)
        return [(max(begin, from_ms), min(end, to_ms)) for begin, end in self._all[first:after]]

    def forget(self, before_ms: int) -> None:
        """Forget the stretches that ended before a moment."""
        del self._all[: bisect_left(self._all, before_ms, key=END)]

    def all(self) -> list[Stretch]:
        """Return the stretches in their order."""
        return list(self._all)


def length(stretches: Iterable[Stretch]) -> int:
    """Return how many milliseconds some stretches are."""
    return sum(end - begin for begin, end in stretches)

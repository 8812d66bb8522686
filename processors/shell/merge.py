"""Merge the inputs of one lane in an order that depends on the logs alone, holding little.

Each input keeps its log order. Its records get an *effective time*: the largest time seen in that input so far. So the
inputs are monotone, and the merged order (effective time, input, offset) does not depend on how the consumer mixed
them. A record leaves once no input can still bring an earlier one; heartbeats keep that moving. An input with too many
waiting records *rests*: the consumer reads the others until it is needed again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
OVERSHOOT = 10  # times `rest_at`: what was fetched before the rest began still arrives


class Overrun(RuntimeError):
    """A resting input was read on and on."""


class Timed(NamedTuple, Generic[T]):
    """An item in merged order."""

    time_ms: int
    input: int
    offset: int
    item: T


class Merge(Generic[T]):
    """Holds records until every input has passed their effective time."""

    def __init__(self, inputs: Sequence[str], since_ms: Mapping[str, int] | None = None, rest_at: int = 2000) -> None:
        """Merge `inputs`; `since_ms` holds their times at a restart; with `rest_at` waiting records an input rests."""
        self.resting: set[str] = set()
        self._inputs = tuple(inputs)
        self._rest_at = rest_at
        self._index = {name: i for i, name in enumerate(inputs)}
        self._queues: list[deque[Timed[T]]] = [deque() for _ in inputs]
        self._times = [(since_ms or {}).get(name, -1) for name in inputs]

    def push(self, name: str, time_ms: int, offset: int, item: T) -> Iterator[Timed[T]]:
        """Add one record; yield what is now in order. A record counts as held until the next one is asked for."""
        i = self._index[name]
        time_ms = self._times[i] = max(time_ms, self._times[i])
        queue = self._queues[i]
        queue.append(Timed(time_ms, i, offset, item))
        if len(queue) >= self._rest_at:
            self._rest(name, len(queue))
        while all(self._queues):  # an empty input may still bring an earlier record
            first = min(self._queues, key=lambda waiting: waiting[0][:2])
            yield first[0]
            first.popleft()
        if self.resting:
            self.resting = {n for n in self.resting if len(self._queues[self._index[n]]) > self._rest_at // 2}

    def held(self) -> int:
        """Return how many records wait."""
        return sum(map(len, self._queues))

    def floors(self) -> dict[str, int]:
        """Return the offset of the oldest held record by input: it is not processed yet."""
        return {name: q[0].offset for name, q in zip(self._inputs, self._queues, strict=True) if q}

    def times_ms(self) -> dict[str, int]:
        """Return the effective time at the floor by input: what a restart needs as `since_ms`."""
        heads = zip(self._inputs, self._queues, self._times, strict=True)
        return {name: q[0].time_ms if q else time_ms for name, q, time_ms in heads}

    def _rest(self, name: str, waiting: int) -> None:
        self.resting.add(name)
        if waiting > OVERSHOOT * self._rest_at:
            raise Overrun(f"{waiting} records of {name} wait although it should rest")

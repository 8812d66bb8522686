"""Tell a batch of raw from its repeat: the frames of a producer's run are numbered without holes.

A producer skips what Kafka has stored already, but what a network holds back can arrive after it looked.
"""

from __future__ import annotations

from ..pieces import Pieces, Tables, rows

MAX_RUNS = 256  # an exchange has one or two at a time; beyond, the one first seen is forgotten


class Runs:
    """The runs of the producers of one exchange, and which frame of each comes next."""

    def __init__(self) -> None:
        """Start with none."""
        self.repeated = 0  # batches
        self._next: dict[str, int] = {}

    def is_repeat(self, run_id: str, first_seq: int, count: int) -> bool:
        """Say whether a batch of `count` frames came before; from now on it did. A run may be met in its middle."""
        if first_seq < self._next.get(run_id, 0):
            self.repeated += 1
            return True
        self._next[run_id] = first_seq + count
        if len(self._next) > MAX_RUNS:
            del self._next[next(iter(self._next))]
        return False

    def tables(self) -> Tables:
        """Return the state."""
        return {"runs": list(self._next.items())}

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""
        self._next = dict(rows(pieces["runs"], tuple[str, int]))

"""From the command `liq run` in an empty directory, with everything downloaded already, to the first row."""

from __future__ import annotations

from .everything import everything
from .figures import Figure, middle

ROUNDS = 2
RATE = 200  # as the command's own
LONGEST_S = 30.0


def measure() -> list[Figure]:
    """Start it some times."""
    found = []
    for _ in range(ROUNDS):
        with everything(RATE) as started:
            found.append(started.wait_for_rows())
    return [Figure("`liq run` to the first row in ClickHouse", middle(found), "s", at_most=LONGEST_S)]

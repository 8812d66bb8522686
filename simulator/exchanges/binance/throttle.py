"""What Binance tells of liquidations: of those of one symbol within a second, the largest, when the second is over."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.contracts import Contract
from simulator.events import Liquidation

SECOND_MS = 1_000


class Throttle:
    """Holds liquidations back for a second.

    It begins with a liquidation, not with the clock: what comes alone is told a second later, as live frames show.
    """

    def __init__(self) -> None:
        self._open: dict[Contract, tuple[int, list[Liquidation]]] = {}  # since when, and what came

    def add(self, one: Liquidation, now_ms: int) -> None:
        """Take one."""
        _, second = self._open.setdefault(one.contract, (now_ms, []))
        second.append(one)

    def take(self, now_ms: int) -> list[list[Liquidation]]:
        """Return the seconds that are over, each with its liquidations."""
        over = [contract for contract, (since_ms, _) in self._open.items() if now_ms - since_ms >= SECOND_MS]
        return [self._open.pop(contract)[1] for contract in over]


def shown(second: Sequence[Liquidation]) -> int:
    """Return which one is told: the largest in money, the first of equals.

    The documentation has said both "largest" and "latest" in 2026.
    """
    return max(range(len(second)), key=lambda number: second[number].quantity_base * second[number].price)

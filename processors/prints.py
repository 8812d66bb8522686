"""Tell a print of the trades from its repeat: connections overlap when one is replaced, and so do two producers.

A print is a repeat where another connection has shown its number. Which numbers a connection has shown is told by the
first and the newest of them, since each delivers all of its symbol's prints in order. A number may be that of many
prints, of one order, in several frames: of the newest they are counted.
"""

from __future__ import annotations

import copy

import msgspec

from .pieces import Pieces, Tables, rows

MAX_SYMBOLS = 4_096  # beyond, the symbol that was first seen starts anew


class _Shown(msgspec.Struct, array_like=True, gc=False):
    """What one connection has shown of a symbol."""

    symbol: str
    connection: str
    first: int
    newest: int
    event_ms: int  # of the newest
    prints: int = 0  # with the newest number


class Prints:
    """The numbers of the prints of one exchange, by symbol: of the connection that shows it, and of the one before."""

    def __init__(self) -> None:
        """Start with none."""
        self.repeats = 0
        self._shown: dict[str, _Shown] = {}
        self._others: dict[str, _Shown] = {}

    def is_repeat(self, symbol: str, connection: str, number: int, event_ms: int) -> bool:
        """Say whether another connection has shown this print. Numbers may begin anew, but then time goes on."""
        own = self._shown.get(symbol)
        if own is None or own.connection != connection:
            own = self._of(symbol, connection, number, event_ms)
        if number > own.newest:
            own.newest, own.prints = number, 0
        if number == own.newest:
            own.prints += 1
        if event_ms > own.event_ms:
            own.event_ms = event_ms
        other = self._others.get(symbol)
        if other and other.first <= number <= other.newest and event_ms <= other.event_ms:
            is_repeat = number < other.newest or number < own.newest or own.prints <= other.prints
            self.repeats += is_repeat
            return is_repeat
        return False

    def tables(self) -> Tables:
        """Return the state, copied."""
        both = {"prints": self._shown, "prints.others": self._others}
        return {name: list(map(copy.copy, shown.values())) for name, shown in both.items()}

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""
        self._shown = {shown.symbol: shown for shown in rows(pieces["prints"], _Shown)}
        self._others = {shown.symbol: shown for shown in rows(pieces["prints.others"], _Shown)}

    def _of(self, symbol: str, connection: str, number: int, event_ms: int) -> _Shown:
        """Let a connection be the one that shows the symbol now; it may have been the other one."""
        before, other = self._shown.get(symbol), self._others.get(symbol)
        known = other if other and other.connection == connection else None
        own = known or _Shown(symbol, connection, number, number, event_ms)
        if before:
            self._others[symbol] = before
        elif len(self._shown) >= MAX_SYMBOLS:
            oldest = next(iter(self._shown))
            del self._shown[oldest]
            self._others.pop(oldest, None)
        self._shown[symbol] = own
        return own

"""Let a value through where it changed: the newest of each second, if it differs from the one before."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from schemas.records import Funding, FundingKind, OpenInterest

from .pieces import Pieces, Tables, rows

MAX_KEYS = 10_000  # beyond, the one first seen is forgotten, and its next value counts as changed

Value = TypeVar("Value", OpenInterest, Funding)


class _Known(msgspec.Struct, array_like=True, frozen=True):
    key: str
    event_ms: int
    value: tuple[float | int | str | bool | None, ...]


class Changes(Generic[Value]):
    """The open interest, or the funding, of one exchange.

    Of the rows of one second, as in a page of history, only the newest of a symbol counts; and none that is older than
    what was let through.
    """

    def __init__(self, record: type[Value]) -> None:
        """`record`: what passes here."""
        self._record: type[Value] = record
        self._known: dict[str, _Known] = {}
        self._waiting: dict[str, Value] = {}

    def receive(self, value: Value) -> None:
        """Hold a value until its second closes."""
        key = _key(value)
        waiting = self._waiting.get(key)
        if waiting is None or value.event_ms >= waiting.event_ms:
            self._waiting[key] = value

    def close(self) -> list[Value]:
        """Return what changed in this second."""
        waiting, self._waiting = self._waiting, {}
        return [value for key, value in waiting.items() if self._is_news(key, value)]

    def tables(self) -> Tables:
        """Return the state."""
        name = self._record.__name__
        return {name: list(self._known.values()), f"{name}.waiting": list(self._waiting.values())}

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""
        name = self._record.__name__
        self._known = {known.key: known for known in rows(pieces[name], _Known)}
        self._waiting = {_key(value): value for value in rows(pieces[f"{name}.waiting"], self._record)}

    def _is_news(self, key: str, value: Value) -> bool:
        known, now = self._known.get(key), _Known(key, value.event_ms, _content(value))
        if known and (known.event_ms > now.event_ms or known.value == now.value):
            return False
        if known is None and len(self._known) >= MAX_KEYS:
            del self._known[next(iter(self._known))]
        self._known[key] = now
        return True


def _key(value: OpenInterest | Funding) -> str:
    return f"{value.kind}:{value.symbol}" if isinstance(value, Funding) else value.symbol


def _content(value: OpenInterest | Funding) -> tuple[float | int | str | bool | None, ...]:
    """Return what has to differ: what is converted moves with every price; each settlement is an event of its own."""
    if isinstance(value, OpenInterest):
        unproven = (value.open_interest_base is None, value.open_interest_usd is None)
        return (value.open_interest_native, str(value.native_unit), *unproven)
    settled_ms = value.event_ms if value.kind is FundingKind.SETTLED else None
    return (value.rate, value.interval_hours, value.next_funding_ms, settled_ms)

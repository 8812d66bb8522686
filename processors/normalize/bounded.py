"""What a normalizer keeps is bounded: of too many symbols the one first seen leaves."""

from __future__ import annotations

from typing import TypeVar

SYMBOLS_MAX = 8_192  # an exchange lists some hundreds

K = TypeVar("K")
V = TypeVar("V")


def keep(kept: dict[K, V], key: K, value: V) -> None:
    """Keep a value by its key."""
    kept[key] = value
    if len(kept) > SYMBOLS_MAX:
        del kept[next(iter(kept))]

"""Tell large taker orders from the crowd: the trailing 99 % quantile of order sizes, per symbol."""

from __future__ import annotations

from math import frexp, nan

import msgspec

from .pieces import Pieces, Tables, rows

QUANTILE = 0.99
STEPS = 8  # buckets per doubling of the size: 6 to 12 % wide
ENOUGH = 1_000  # orders before the quantile means anything
HALVE_AT = 20_000  # orders; then all counts are halved, so that the newer half weighs as much as all before it
RENEW_AFTER = 100  # orders between two looks at the quantile
MAX_SYMBOLS = 4_096  # beyond, the symbol that was first seen starts anew


class _Sizes(msgspec.Struct, array_like=True):
    """Order sizes of one symbol in geometric buckets."""

    symbol: str
    counts: dict[int, int]
    total: int = 0
    renew_in: int = ENOUGH
    quantile: int | None = None  # bucket in which it lies


class LargeOrders:
    """The order sizes of one exchange."""

    def __init__(self) -> None:
        """Start with no orders."""
        self._symbols: dict[str, _Sizes] = {}

    def large_part(self, symbol: str, size: float) -> float:
        """Return the size of a large order, 0 of any other, NaN as long as too few were seen; and remember it."""
        sizes = self._symbols.get(symbol) or self._new(symbol)
        fraction, exponent = frexp(size)  # 0.5 <= fraction < 1: exact on every machine, as a logarithm is not
        bucket = STEPS * exponent + int(2 * STEPS * fraction)
        part = nan if sizes.quantile is None else size if bucket > sizes.quantile else 0.0
        sizes.counts[bucket] = sizes.counts.get(bucket, 0) + 1
        sizes.total += 1
        sizes.renew_in -= 1
        if not sizes.renew_in:
            _renew(sizes)
        return part

    def tables(self) -> Tables:
        """Return the state, copied."""
        return {
            "large": [
                _Sizes(sizes.symbol, dict(sizes.counts), sizes.total, sizes.renew_in, sizes.quantile)
                for sizes in self._symbols.values()
            ]
        }

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""
        self._symbols = {sizes.symbol: sizes for sizes in rows(pieces["large"], _Sizes)}

    def _new(self, symbol: str) -> _Sizes:
        if len(self._symbols) >= MAX_SYMBOLS:
            del self._symbols[next(iter(self._symbols))]
        sizes = self._symbols[symbol] = _Sizes(symbol, {})
        return sizes


def _renew(sizes: _Sizes) -> None:
    if sizes.total >= HALVE_AT:
        sizes.counts = {bucket: count // 2 for bucket, count in sizes.counts.items() if count > 1}
        sizes.total = sum(sizes.counts.values())
    sizes.renew_in = RENEW_AFTER
    above = sizes.total * (1 - QUANTILE)
    for bucket in sorted(sizes.counts, reverse=True):
        above -= sizes.counts[bucket]
        if above < 0:
            sizes.quantile = bucket
            return

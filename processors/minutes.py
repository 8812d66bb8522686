"""Fold liquidations into one aggregate per symbol and minute of event time. No clock: records say what time it is.

A minute is final once the watermark has passed its end by the grace. It is kept for two more hours, so that a late
liquidation revises it. What comes later still folds into no minute; it is counted.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from math import inf, isnan, nan

import msgspec

from schemas.records import Liquidation, MinuteAggregate, Position, SourceQuality

from .pieces import Pieces, Tables, rows

MINUTE_MS = 60_000
GRACE_MS = 5_000  # exchanges batch liquidations for up to a second; this also covers a short reconnect
KEEP_MS = 2 * 60 * MINUTE_MS  # how long a final minute can be revised
MAX_ROWS = 100_000  # symbols x minutes; beyond, the oldest minutes can be revised no more

LONG = Position.LONG  # looked up once: Python 3.11 is slow at it

BAD_TO_WORSE = (*(quality for quality in SourceQuality if quality != SourceQuality.UNKNOWN), SourceQuality.UNKNOWN)
BADNESS = {quality: place for place, quality in enumerate(BAD_TO_WORSE)}


def start_of_minute(time_ms: int) -> int:
    """Return the start of the minute in which a time lies."""
    return time_ms - time_ms % MINUTE_MS


class _Row(msgspec.Struct, array_like=True, gc=False):
    """One symbol in one minute. A sum that is not proven is NaN: whatever is added to it, it stays so."""

    symbol: str
    asset: str
    quality: SourceQuality
    received_ms: int = 0
    long_count: int = 0
    short_count: int = 0
    long_base: float = 0.0
    short_base: float = 0.0
    long_usd: float = 0.0
    short_usd: float = 0.0
    largest_usd: float = 0.0
    price_low: float = inf
    price_high: float = -inf
    value: float = 0.0  # sum of price x coins
    late_count: int = 0


class Minutes:
    """The minutes of one exchange."""

    def __init__(self, exchange: str, revision: int) -> None:
        """`revision` of the mapping: a later one replaces the rows of an earlier one."""
        self.late = self.too_old = self.dropped = 0
        self._exchange, self._revision = exchange, revision
        self._rows: dict[int, dict[str, _Row]] = {}  # by start of the minute; rows of final minutes are never changed
        self._changed: dict[tuple[int, str], None] = {}  # since they were last given out
        self._floor_ms = 0  # minutes before it are forgotten
        self._final_before_ms = 0  # minutes before it are final

    def receive(self, liquidation: Liquidation) -> None:
        """Fold a liquidation that was not seen before into its minute."""
        event_ms, symbol = liquidation.event_ms, liquidation.symbol
        minute_ms = event_ms - event_ms % MINUTE_MS
        if minute_ms < self._final_before_ms:
            if minute_ms < self._floor_ms:
                self.too_old += 1
                return
            row = self._late_row(minute_ms, liquidation)
        else:
            try:
                row = self._rows[minute_ms][symbol]
            except KeyError:
                row = self._new_row(minute_ms, liquidation)
        self._changed[minute_ms, symbol] = None
        _fold(row, liquidation)

    def close(self, watermark_ms: int, floor_ms: int) -> list[MinuteAggregate]:
        """Return the minutes that changed and those that became final; forget the ones before `floor_ms`."""
        before_ms, self._final_before_ms = (
            self._final_before_ms,
            max(self._final_before_ms, start_of_minute(watermark_ms - GRACE_MS)),
        )
        for minute_ms in sorted(self._rows):
            if before_ms <= minute_ms < self._final_before_ms:
                self._changed.update(dict.fromkeys((minute_ms, symbol) for symbol in self._rows[minute_ms]))
        changed, self._changed = self._changed, {}
        aggregates = [self._aggregate(minute_ms, self._rows[minute_ms][symbol]) for minute_ms, symbol in changed]
        self._forget(floor_ms)
        return aggregates

    def tables(self) -> Tables:
        """Return the state; what can still change is copied."""
        kept = [
            (minute_ms, row if minute_ms < self._final_before_ms else copy.copy(row))
            for minute_ms, minute in self._rows.items()
            for row in minute.values()
        ]
        return {
            "minutes": kept,
            "minutes.changed": list(self._changed),
            "minutes.clock": [(self._floor_ms, self._final_before_ms)],
        }

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""
        self._rows = {}
        for minute_ms, row in rows(pieces["minutes"], tuple[int, _Row]):
            self._rows.setdefault(minute_ms, {})[row.symbol] = row
        self._changed = dict.fromkeys(rows(pieces["minutes.changed"], tuple[int, str]))
        [(self._floor_ms, self._final_before_ms)] = rows(pieces["minutes.clock"], tuple[int, int])

    def _new_row(self, minute_ms: int, liquidation: Liquidation) -> _Row:
        row = _Row(liquidation.symbol, liquidation.asset, liquidation.source_quality)
        self._rows.setdefault(minute_ms, {})[row.symbol] = row
        return row

    def _late_row(self, minute_ms: int, liquidation: Liquidation) -> _Row:
        """Return a new row in place of the old one, which a snapshot may hold."""
        self.late += 1
        minute = self._rows.setdefault(minute_ms, {})
        known = minute.get(liquidation.symbol)
        row = copy.copy(known) if known else self._new_row(minute_ms, liquidation)
        row.late_count += 1
        minute[row.symbol] = row
        return row

    def _forget(self, floor_ms: int) -> None:
        self._floor_ms = max(self._floor_ms, floor_ms)
        for minute_ms in sorted(self._rows):
            if minute_ms >= self._floor_ms:
                if sum(map(len, self._rows.values())) <= MAX_ROWS:
                    break
                self._floor_ms = minute_ms + MINUTE_MS
                self.dropped += len(self._rows[minute_ms])
            del self._rows[minute_ms]
        self._final_before_ms = max(self._final_before_ms, self._floor_ms)

    def _aggregate(self, minute_ms: int, row: _Row) -> MinuteAggregate:
        is_final = minute_ms < self._final_before_ms
        count = row.long_count + row.short_count
        base = row.long_base + row.short_base
        return MinuteAggregate(
            exchange=self._exchange,
            symbol=row.symbol,
            asset=row.asset,
            minute_ms=minute_ms,
            received_ms=row.received_ms,
            long_count=row.long_count,
            short_count=row.short_count,
            long_base=proven(row.long_base),
            short_base=proven(row.short_base),
            long_usd=proven(row.long_usd),
            short_usd=proven(row.short_usd),
            largest_usd=None if isnan(row.long_usd + row.short_usd) else row.largest_usd,
            price_low=row.price_low,
            price_high=row.price_high,
            price_vwap=proven(row.value / base) if base else None,
            source_quality=row.quality,
            late_count=row.late_count,
            is_final=is_final,
            version=self._revision << 32 | 2 * count + is_final,
        )


def proven(total: float) -> float | None:
    """Return a sum, or None where one of its summands was not proven."""
    return None if isnan(total) else total


def worst(qualities: Sequence[SourceQuality]) -> SourceQuality:
    """Return the quality that shows the least of the truth."""
    return max(qualities, key=BADNESS.__getitem__)


def _fold(row: _Row, liquidation: Liquidation) -> None:
    base, usd, price = liquidation.quantity_base, liquidation.notional_usd, liquidation.price
    if base is None:
        base = nan
    if usd is None:
        usd = nan
    if liquidation.position is LONG:
        row.long_count += 1
        row.long_base += base
        row.long_usd += usd
    else:
        row.short_count += 1
        row.short_base += base
        row.short_usd += usd
    row.value += price * base
    if usd > row.largest_usd:
        row.largest_usd = usd
    if price < row.price_low:
        row.price_low = price
    if price > row.price_high:
        row.price_high = price
    received_ms, quality = liquidation.received_ms, liquidation.source_quality
    if received_ms > row.received_ms:
        row.received_ms = received_ms
    if quality is not row.quality:
        row.quality = worst((row.quality, quality))

"""Add the seconds of the market up to minutes of event time: final rows, and every ten seconds those in progress."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from schemas.records import MarketMinute

from .minutes import GRACE_MS, MINUTE_MS, start_of_minute
from .part import Part, flow
from .pieces import Pieces, Tables, rows

PROVISIONAL_MS = 10_000  # hundreds of symbols move at any time; who wants each second reads `market`
MAX_OPEN = 10  # minutes; without a moving watermark the oldest stay provisional


class MarketMinutes:
    """The open minutes of one exchange."""

    def __init__(self, exchange: str, revision: int) -> None:
        """`revision` of the mapping: a later one replaces the rows of an earlier one."""
        self.late = 0  # parts of a second that came after their minute was closed; they fold into none
        self._exchange, self._revision = exchange, revision
        self._minutes: dict[int, dict[str, Part]] = {}
        self._changed: dict[tuple[int, str], None] = {}  # since they were last given out
        self._closed_before_ms = 0
        self._shown_ms = 0  # the last rows in progress were given out then

    def receive(self, part: Part) -> None:
        """Add what was seen in one second; the part is kept."""
        if part.minute_ms < self._closed_before_ms:
            self.late += 1
            return
        minute = self._minutes.setdefault(part.minute_ms, {})
        if part.symbol in minute:
            minute[part.symbol].absorb(part)
        else:
            minute[part.symbol] = part
        self._changed[part.minute_ms, part.symbol] = None

    def close(self, watermark_ms: int, second_ms: int) -> list[MarketMinute]:
        """Return the minutes that became final, and at times what changed in the others."""
        final_before_ms = max(self._closed_before_ms, start_of_minute(watermark_ms - GRACE_MS))
        final = self._take(minute_ms for minute_ms in sorted(self._minutes) if minute_ms < final_before_ms)
        self._closed_before_ms = final_before_ms
        closed = [self._row(part, is_final=True) for part in final]
        if second_ms // PROVISIONAL_MS > self._shown_ms // PROVISIONAL_MS:
            self._shown_ms = second_ms
            return closed + self.flush()
        return closed

    def flush(self) -> list[MarketMinute]:
        """Return what changed in open minutes; let go of the oldest where there are too many."""
        changed, self._changed = self._changed, {}
        shown = [self._row(self._minutes[minute_ms][symbol], is_final=False) for minute_ms, symbol in changed]
        oldest = sorted(self._minutes)[:-MAX_OPEN]
        if oldest:
            self._take(oldest)
            self._closed_before_ms = oldest[-1] + MINUTE_MS
        return shown

    def tables(self) -> Tables:
        """Return the state, copied."""
        return {
            "market_minutes": [copy.copy(part) for minute in self._minutes.values() for part in minute.values()],
            "market_minutes.changed": list(self._changed),
            "market_minutes.clock": [(self._closed_before_ms, self._shown_ms)],
        }

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""
        self._minutes = {}
        for part in rows(pieces["market_minutes"], Part):
            self._minutes.setdefault(part.minute_ms, {})[part.symbol] = part
        self._changed = dict.fromkeys(rows(pieces["market_minutes.changed"], tuple[int, str]))
        [(self._closed_before_ms, self._shown_ms)] = rows(pieces["market_minutes.clock"], tuple[int, int])

    def _take(self, minutes: Iterable[int]) -> list[Part]:
        taken = [part for minute_ms in minutes for part in self._minutes.pop(minute_ms).values()]
        for part in taken:
            self._changed.pop((part.minute_ms, part.symbol), None)
        return taken

    def _row(self, part: Part, is_final: bool) -> MarketMinute:
        trades, has_mark = part.trades, part.mark is not None
        return MarketMinute(
            exchange=self._exchange,
            symbol=part.symbol,
            asset=part.asset,
            minute_ms=part.minute_ms,
            received_ms=part.received_ms,
            mark_open=part.mark_open,
            mark_high=part.mark_high if has_mark else None,
            mark_low=part.mark_low if has_mark else None,
            mark_close=part.mark,
            index_close=part.index,
            last_close=part.last,
            open_interest_base=part.open_interest_base,
            open_interest_usd=part.open_interest_usd,
            funding_rate=part.funding_rate,
            trades=trades or None,
            taker_buy_base=flow(part.buy_base, trades),
            taker_sell_base=flow(part.sell_base, trades),
            taker_buy_usd=flow(part.buy_usd, trades),
            taker_sell_usd=flow(part.sell_usd, trades),
            large_buy_base=flow(part.large_buy_base, trades),
            large_sell_base=flow(part.large_sell_base, trades),
            is_final=is_final,
            version=self._revision << 32 | 2 * part.observations + is_final,
        )

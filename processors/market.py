"""Fold quotes and trades into what changed for each symbol in one second of the collector's clock."""

from __future__ import annotations

import copy
from math import isnan, nan
from operator import attrgetter

from schemas.partition import partition_of
from schemas.records import Funding, FundingKind, MarketEntry, MarketSlice, OpenInterest

from .large import LargeOrders
from .minutes import MINUTE_MS
from .normalize.facts import Quote, Trade
from .part import Part, flow
from .pieces import Pieces, Tables, rows
from .prints import Prints


class Market:
    """The pending second of one exchange, apart by minute of event time, so that minutes add up exactly."""

    def __init__(self, exchange: str, partitions: int) -> None:
        """`partitions` of the topic `market`."""
        self.received_ms, self.connection = 0, ""  # of the frame whose facts come in now
        self.prints = Prints()
        self._exchange, self._partitions = exchange, partitions
        self._parts: dict[int, dict[str, Part]] = {}  # by start of the minute
        self._large = LargeOrders()

    def quote(self, quote: Quote) -> None:
        """Fold a quote."""
        symbol, asset, event_ms, mark, index, last = quote
        try:
            part = self._parts[event_ms - event_ms % MINUTE_MS][symbol]
        except KeyError:
            part = self._part(symbol, asset, event_ms)
        part.observations += 1
        part.received_ms = self.received_ms
        if event_ms > part.event_ms:
            part.event_ms = event_ms
        if mark is not None:
            if part.mark_open is None:
                part.mark_open = mark
            if mark > part.mark_high:
                part.mark_high = mark
            if mark < part.mark_low:
                part.mark_low = mark
            part.mark = mark
        if index is not None:
            part.index = index
        if last is not None:
            part.last = last

    def trade(self, trade: Trade) -> None:
        """Fold a print."""
        symbol, asset, event_ms, is_buy, price, base, usd, order, number = trade
        if number and self.prints.is_repeat(symbol, self.connection, number, event_ms):
            return
        try:
            part = self._parts[event_ms - event_ms % MINUTE_MS][symbol]
        except KeyError:
            part = self._part(symbol, asset, event_ms)
        part.observations += 1
        part.trades += 1
        part.received_ms = self.received_ms
        if event_ms > part.event_ms:
            part.event_ms = event_ms
        if price > part.high:
            part.high = price
        if price < part.low:
            part.low = price
        part.last = price
        if base is None:
            base = nan
        if usd is None:
            usd = nan
        if is_buy:
            part.buy_base += base
            part.buy_usd += usd
        else:
            part.sell_base += base
            part.sell_usd += usd
        if order and order == part.order:
            part.order_base += base
        else:
            self._end_order(part)
            part.order, part.order_is_buy, part.order_base = order, is_buy, base

    def open_interest(self, value: OpenInterest) -> None:
        """Remember the newest open interest of the minute. Slices do not show it."""
        part = self._part(value.symbol, value.asset, value.event_ms)
        part.take_open_interest(value.open_interest_base, value.open_interest_usd, value.event_ms)
        self._touch(part)

    def funding(self, value: Funding) -> None:
        """Remember the newest rate of the minute; what was charged before is another number."""
        if value.kind is not FundingKind.SETTLED:
            part = self._part(value.symbol, value.asset, value.event_ms)
            part.funding_rate = value.rate
            self._touch(part)

    def close(self, second_ms: int, with_empty: bool) -> tuple[dict[int, MarketSlice], list[Part]]:
        """Return one slice per partition in which something changed, or for all, and the parts for their minutes."""
        parts = [part for minute_ms in sorted(self._parts) for part in self._parts[minute_ms].values()]
        self._parts = {}
        whole: dict[str, Part] = {}
        for part in parts:
            self._end_order(part)
            whole[part.symbol] = _joined(whole[part.symbol], part) if part.symbol in whole else part
        entries: dict[int, list[MarketEntry]] = {n: [] for n in range(self._partitions)} if with_empty else {}
        for part in sorted(whole.values(), key=attrgetter("symbol")):
            if part.trades or part.mark is not None or part.index is not None or part.last is not None:
                entries.setdefault(partition_of(part.asset, self._partitions), []).append(_entry(part))
        return {n: self._slice(second_ms, found) for n, found in entries.items()}, parts

    def tables(self) -> Tables:
        """Return the state, copied."""
        pending = [copy.copy(part) for parts in self._parts.values() for part in parts.values()]
        return {
            "market": pending,
            "market.received_ms": [self.received_ms],
            **self.prints.tables(),
            **self._large.tables(),
        }

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""
        self._parts = {}
        for part in rows(pieces["market"], Part):
            self._parts.setdefault(part.minute_ms, {})[part.symbol] = part
        [self.received_ms] = rows(pieces["market.received_ms"], int)
        self.prints.load(pieces)
        self._large.load(pieces)

    def _part(self, symbol: str, asset: str, event_ms: int) -> Part:
        minute_ms = event_ms - event_ms % MINUTE_MS
        parts = self._parts.setdefault(minute_ms, {})
        return parts.get(symbol) or parts.setdefault(symbol, Part(minute_ms, symbol, asset))

    def _touch(self, part: Part) -> None:
        part.observations += 1
        part.received_ms = self.received_ms

    def _end_order(self, part: Part) -> None:
        """Weigh a taker order once its prints are complete: at the next order, at the latest with the second."""
        if not part.order_base:
            return
        large = nan if isnan(part.order_base) else self._large.large_part(part.symbol, part.order_base)
        if part.order_is_buy:
            part.large_buy_base += large
        else:
            part.large_sell_base += large
        part.order, part.order_base = "", 0.0

    def _slice(self, second_ms: int, entries: list[MarketEntry]) -> MarketSlice:
        return MarketSlice(
            exchange=self._exchange, second_ms=second_ms, received_ms=self.received_ms, entries=tuple(entries)
        )


def _joined(earlier: Part, later: Part) -> Part:
    both = copy.copy(earlier)
    both.absorb(later)
    return both


def _entry(part: Part) -> MarketEntry:
    trades = part.trades
    return MarketEntry(
        symbol=part.symbol,
        asset=part.asset,
        event_ms=part.event_ms,
        mark=part.mark,
        index=part.index,
        last=part.last,
        trades=trades or None,
        taker_buy_base=flow(part.buy_base, trades),
        taker_sell_base=flow(part.sell_base, trades),
        taker_buy_usd=flow(part.buy_usd, trades),
        taker_sell_usd=flow(part.sell_usd, trades),
        high=part.high if trades else None,
        low=part.low if trades else None,
        large_buy_base=flow(part.large_buy_base, trades),
        large_sell_base=flow(part.large_sell_base, trades),
    )

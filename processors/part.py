"""What was seen of one symbol in a stretch of time; two stretches add up."""

from __future__ import annotations

from math import inf, isnan

import msgspec


class Part(msgspec.Struct, array_like=True, gc=False):
    """What was seen of one symbol in one minute of event time, or in a part of it. A sum that is not proven is NaN."""

    minute_ms: int
    symbol: str
    asset: str
    event_ms: int = 0
    received_ms: int = 0
    observations: int = 0
    mark_open: float | None = None
    mark_high: float = -inf
    mark_low: float = inf
    mark: float | None = None
    index: float | None = None
    last: float | None = None
    trades: int = 0
    high: float = -inf
    low: float = inf
    buy_base: float = 0.0
    sell_base: float = 0.0
    buy_usd: float = 0.0
    sell_usd: float = 0.0
    large_buy_base: float = 0.0
    large_sell_base: float = 0.0
    order: str = ""  # the taker order whose prints are still coming
    order_is_buy: bool = False
    order_base: float = 0.0
    open_interest_base: float | None = None
    open_interest_usd: float | None = None
    funding_rate: float | None = None
    open_interest_ms: int = 0  # its event time

    def absorb(self, later: Part) -> None:
        """Add what was seen later."""
        if later.event_ms > self.event_ms:
            self.event_ms = later.event_ms
        if later.received_ms > self.received_ms:
            self.received_ms = later.received_ms
        self.observations += later.observations
        if later.mark is not None:
            if self.mark_open is None:
                self.mark_open = later.mark_open
            if later.mark_high > self.mark_high:
                self.mark_high = later.mark_high
            if later.mark_low < self.mark_low:
                self.mark_low = later.mark_low
            self.mark = later.mark
        if later.index is not None:
            self.index = later.index
        if later.last is not None:
            self.last = later.last
        if later.trades:
            self._absorb_trades(later)
        if later.open_interest_ms:
            self.take_open_interest(later.open_interest_base, later.open_interest_usd, later.open_interest_ms)
        if later.funding_rate is not None:
            self.funding_rate = later.funding_rate

    def take_open_interest(self, base: float | None, usd: float | None, event_ms: int) -> None:
        """Take an open interest unless a newer one is known: answers of REST also tell of the past."""
        if event_ms >= self.open_interest_ms:
            self.open_interest_base, self.open_interest_usd, self.open_interest_ms = base, usd, event_ms

    def _absorb_trades(self, later: Part) -> None:
        self.trades += later.trades
        self.high, self.low = max(self.high, later.high), min(self.low, later.low)
        self.buy_base += later.buy_base
        self.sell_base += later.sell_base
        self.buy_usd += later.buy_usd
        self.sell_usd += later.sell_usd
        self.large_buy_base += later.large_buy_base
        self.large_sell_base += later.large_sell_base


def flow(total: float, trades: int) -> float | None:
    """Return a sum over trades, or None where no trade was seen or one is not proven."""
    return None if not trades or isnan(total) else total

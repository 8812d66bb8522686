"""What Binance pushes: one liquidation a symbol and second, prices of all symbols each second, trades as they come."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import orjson

from simulator.events import Event, Liquidation, Quote, Trade
from simulator.exchanges.binance.printing import (
    Listed,
    agg_trades,
    force_order,
    listed,
    mark_price,
    mini_ticker,
)
from simulator.exchanges.binance.throttle import Throttle, shown
from simulator.faults import Faults
from simulator.market import Market
from simulator.sockets import Clients
from simulator.truth import Truth, known

RAW = "raw "  # begins the topics of those who want frames without the name of their stream
MARK_PRICE_S = {"@1s": 1, "": 3}


class Feed:
    """Prints the events of a market for those who listen, and knows where each contract stands."""

    def __init__(self, market: Market, clients: Clients, faults: Faults, truth: Truth) -> None:
        self._clients, self._faults, self._truth = clients, faults, truth
        self._listed = {contract: listed(contract) for contract in market.contracts}
        self._quotes = {quote.contract: quote for quote in market.quotes()}
        self._traded: dict[Listed, None] = {}  # since the last second, in order
        self._trade_numbers = Counter[str]()
        self._throttle = Throttle()
        self._due: list[list[Liquidation]] = []  # seconds that are over and not told
        self._second = 0

    def symbols(self, category: str) -> dict[str, Listed]:
        """Return the contracts of a market, in the order of their names."""
        return dict(sorted((this.symbol, this) for this in self._listed.values() if this.category == category))

    def quote(self, this: Listed) -> Quote:
        """Return where a contract stands."""
        return self._quotes[this.contract]

    def publish(self, events: Iterable[Event], now_ms: int) -> None:
        """Tell what happened until now; liquidations wait for the end of their second, prices for that of the clock."""
        self._due += self._throttle.take(now_ms)
        if not self._faults.lasts("late"):
            due, self._due = self._due, []
            for second in due:
                self._tell_liquidation(second, now_ms)
        for event in events:
            match event:
                case Quote():
                    self._quotes[event.contract] = event
                case Trade():
                    self._tell_trade(event, now_ms)
                case Liquidation():
                    self._throttle.add(event, now_ms)
        if now_ms // 1_000 != self._second:
            self._second = now_ms // 1_000
            self._tell_prices(now_ms)

    def _tell_liquidation(self, second: list[Liquidation], now_ms: int) -> None:
        """Both hosts tell of both markets on the channel of all symbols."""
        this = self._listed[second[0].contract]
        streams = ("!forceOrder@arr", f"{this.symbol.lower()}@forceOrder")
        sent_ns = time.time_ns() if any(map(self._is_wanted, streams)) else 0
        told = shown(second)
        facts = [
            known("binance", this, one, sent_ns if number == told else 0, withheld=number != told)
            for number, one in enumerate(second)
        ]
        self._truth.write(facts)  # first: who is killed now has sent nothing that the file does not know
        for stream in streams:
            self._push(stream, force_order(this, facts[told], now_ms))

    def _tell_trade(self, trade: Trade, now_ms: int) -> None:
        this = self._listed[trade.contract]
        self._traded[this] = None
        first = self._trade_numbers[this.symbol] + 1
        self._trade_numbers[this.symbol] += len(trade.fills)
        stream = f"{this.symbol.lower()}@aggTrade"
        if self._is_wanted(stream):
            for printed in agg_trades(this, trade, first, now_ms):
                self._push(stream, printed)

    def _tell_prices(self, now_ms: int) -> None:
        """Whether the mark prices of all symbols are those of both markets is not documented: here they are not."""
        marks = {this: mark_price(this, self.quote(this), now_ms) for this in self._listed.values()}
        for suffix, every_s in MARK_PRICE_S.items():
            if self._second % every_s == 0:
                self._push(f"!markPrice@arr{suffix}", [mark for this, mark in marks.items() if this.category == "um"])
                for this, mark in marks.items():
                    self._push(f"{this.symbol.lower()}@markPrice{suffix}", mark)
        if self._traded:
            self._push("!miniTicker@arr", [mini_ticker(this, self.quote(this), now_ms) for this in self._traded])
            self._traded = {}

    def _is_wanted(self, stream: str) -> bool:
        return self._clients.listens(stream) or self._clients.listens(RAW + stream)

    def _push(self, stream: str, data: dict[str, Any] | list[dict[str, Any]]) -> None:
        if self._clients.listens(stream):
            self._clients.publish(stream, orjson.dumps({"stream": stream, "data": data}))
        if self._clients.listens(RAW + stream):
            self._clients.publish(RAW + stream, orjson.dumps(data))

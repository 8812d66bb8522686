"""What OKX pushes of a contract or an index: its newest row, where it changed and the pace allows, or after a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import NamedTuple

import orjson

from simulator.contracts import Contract
from simulator.events import Event, Liquidation, Quote, Trade
from simulator.exchanges.okx.liquidations import Liquidations
from simulator.exchanges.okx.printing import (
    Listed,
    Row,
    fills,
    funding_rate,
    index_ticker,
    listed,
    mark_price,
    open_interest,
    ticker,
)
from simulator.faults import Faults
from simulator.market import Market
from simulator.sockets import Client, Clients
from simulator.truth import Truth

TRADES = "trades"


class Channel(NamedTuple):
    """A channel whose pushes are whole rows."""

    row: Callable[[Listed, Quote, int], Row]
    pace_ms: float  # between two pushes at least, where something changed
    repeat_ms: float  # after so long the same is pushed again


CHANNELS = {
    "mark-price": Channel(mark_price, 200, 10_000),
    "index-tickers": Channel(index_ticker, 100, 60_000),
    "tickers": Channel(ticker, 100, inf),
    "open-interest": Channel(open_interest, 3_000, inf),
    "funding-rate": Channel(funding_rate, 30_000, 30_000),
}


class Feed:
    """Prints the events of a market for those who listen, and knows where each contract stands."""

    def __init__(self, market: Market, clients: Clients, faults: Faults, truth: Truth) -> None:
        self._clients, self._faults = clients, faults
        self._listed = {contract: listed(contract) for contract in market.contracts}
        self._quotes: dict[Contract, Quote] = {quote.contract: quote for quote in market.quotes()}
        self._pushed: dict[str, tuple[int, Row]] = {}  # by topic: when, and which row but for its time
        self._second = 0
        self._trades = 0
        self.liquidations = Liquidations(self._listed, clients, truth)

    def contracts(self, category: str) -> list[Listed]:
        """Return the contracts of a type."""
        return [this for this in self._listed.values() if this.category == category]

    def rows(self, channel: str, contracts: Iterable[Listed], now_ms: int) -> list[Row]:
        """Return the rows of a channel as they are now, as REST has them."""
        return [CHANNELS[channel].row(this, self._quotes[this.contract], now_ms) for this in contracts]

    def topics(self) -> dict[str, Listed]:
        """Return what can be subscribed that is about one contract, or about the index that it follows."""
        found: dict[str, Listed] = {}
        for this in self._listed.values():
            found |= {
                f"{channel}:{this.symbol}": this for channel in ("mark-price", "tickers", "open-interest", TRADES)
            }
            found[f"index-tickers:{this.family}"] = this
            if this.contract.expiry_ms is None:
                found[f"funding-rate:{this.symbol}"] = this
        return found

    def show(self, client: Client, topic: str, this: Listed, now_ms: int) -> None:
        """Show a newcomer where a contract stands."""
        channel = topic.partition(":")[0]
        if channel in CHANNELS:
            row = CHANNELS[channel].row(this, self._quotes[this.contract], now_ms)
            self._clients.tell(client, topic, _frame(topic, row))

    def publish(self, events: Iterable[Event], now_ms: int) -> None:
        """Tell what happened until now."""
        for event in events:
            match event:
                case Quote():
                    self._quotes[event.contract] = event
                    self._push(event, now_ms)
                case Trade():
                    self._tell_trade(event)
                case Liquidation():
                    self.liquidations.take(event, now_ms)
        if now_ms // 1_000 != self._second:  # what does not move is pushed again now and then
            self._second = now_ms // 1_000
            for quote in self._quotes.values():
                self._push(quote, now_ms)
        if not self._faults.lasts("late"):
            self.liquidations.tell(now_ms)

    def _push(self, quote: Quote, now_ms: int) -> None:
        this = self._listed[quote.contract]
        for name, channel in CHANNELS.items():
            topic = f"{name}:{this.family if name == 'index-tickers' else this.symbol}"
            if not self._clients.listens(topic):
                continue
            row = channel.row(this, quote, now_ms)
            still = {**row, "ts": ""}
            pushed_ms, before = self._pushed.get(topic, (0, {}))
            if now_ms - pushed_ms >= (channel.repeat_ms if still == before else channel.pace_ms):
                self._pushed[topic] = now_ms, still
                self._clients.publish(topic, _frame(topic, row))

    def _tell_trade(self, trade: Trade) -> None:
        this = self._listed[trade.contract]
        topic = f"{TRADES}:{this.symbol}"
        rows = fills(this, trade, self._trades + 1)
        self._trades += len(rows)
        if self._clients.listens(topic):
            for row in rows:
                self._clients.publish(topic, _frame(topic, row))


def _frame(topic: str, row: Row) -> bytes:
    channel, _, about = topic.partition(":")
    return orjson.dumps({"arg": {"channel": channel, "instId": about}, "data": [row]})

"""Events of the simulated market as each exchange prints them, one a frame, for the sockets that would tell them.

The simulator's own exchanges keep to the paces of the real ones; here as many are printed as a benchmark wants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import orjson

from simulator.events import Event, Liquidation, Quote, Trade
from simulator.exchanges.binance import printing as binance_print
from simulator.exchanges.bybit import printing as bybit_print
from simulator.exchanges.bybit.feed import SIDES
from simulator.exchanges.okx import printing as okx_print
from simulator.exchanges.okx.liquidations import printed
from simulator.market import Market
from simulator.truth import known

SECOND_MS = 1_000
OKX_PRICES = {
    "mark-price": okx_print.mark_price,
    "index-tickers": okx_print.index_ticker,
    "tickers": okx_print.ticker,
}


class Printed(NamedTuple):
    """A frame, and for whom it is."""

    topic: str  # as the simulated exchange names what its clients listen to
    frame: bytes


class Printer(Protocol):
    """How an exchange prints a market."""

    def tell(self, event: Event, now_ms: int) -> Sequence[Printed]:
        """Return the frames that an event is worth; none where nothing changed."""


class Bybit:
    """Tickers show what changed, a frame of trades all fills of an order."""

    def __init__(self, market: Market) -> None:
        """Begin with the tickers of now."""
        self._listed = {contract: bybit_print.listed(contract) for contract in market.contracts}
        self._tickers = {
            quote.contract: bybit_print.standing(self._listed[quote.contract], quote) for quote in market.quotes()
        }
        self._orders = 0

    def tell(self, event: Event, now_ms: int) -> Sequence[Printed]:
        """Return a frame."""
        this = self._listed[event.contract]
        match event:
            case Quote():
                before, now = self._tickers[event.contract], bybit_print.standing(this, event)
                self._tickers[event.contract] = now
                changed = {field: text for field, text in now.items() if text != before[field]}
                data: Any = {"symbol": this.symbol, **changed}
                return [_bybit(f"tickers.{this.symbol}", "delta", data, now_ms)] if changed else []
            case Trade():
                self._orders += 1
                data = [_bybit_fill(this, event, self._orders, number) for number in range(len(event.fills))]
                return [_bybit(f"publicTrade.{this.symbol}", "snapshot", data, now_ms)]
            case Liquidation():
                amounts = {"v": this.quantity(event.quantity_base, event.price), "p": this.price(event.price)}
                data = [{"T": event.event_ms, "s": this.symbol, "S": SIDES[event.position], **amounts}]
                return [_bybit(f"allLiquidation.{this.symbol}", "snapshot", data, now_ms)]


class Okx:
    """Marks, indexes and last prices in turn; each fill has a frame."""

    def __init__(self, market: Market) -> None:
        """Number trades from 1."""
        self._listed = {contract: okx_print.listed(contract) for contract in market.contracts}
        self._quotes = self._fills = 0

    def tell(self, event: Event, now_ms: int) -> Sequence[Printed]:
        """Return a frame, or one for each fill."""
        this = self._listed[event.contract]
        match event:
            case Quote():
                self._quotes += 1
                channel = list(OKX_PRICES)[self._quotes % len(OKX_PRICES)]
                row = OKX_PRICES[channel](this, event, now_ms)
                return [_okx(channel, "instId", row["instId"], row)]
            case Trade():
                rows = okx_print.fills(this, event, self._fills + 1)
                self._fills += len(rows)
                return [_okx("trades", "instId", this.symbol, row) for row in rows]
            case Liquidation():
                about = {"instFamily": this.family, "instId": this.symbol, "instType": this.category}
                row = {"details": [printed(known("okx", this, event, 0))], **about, "uly": this.family}
                return [_okx("liquidation-orders", "instType", this.category, row)]


class Binance:
    """Beside the marks of all contracts each second every quote is a mark of its own, as COIN-M prints them.

    Without those there would be no more than two frames of marks a second.
    """

    def __init__(self, market: Market) -> None:
        """Number trades from 1."""
        self._listed = {contract: binance_print.listed(contract) for contract in market.contracts}
        self._quotes = {quote.contract: quote for quote in market.quotes()}
        self._fills = self._second = 0

    def tell(self, event: Event, now_ms: int) -> Sequence[Printed]:
        """Return a frame, or one for each price; with the first quote of a second those of all."""
        this = self._listed[event.contract]
        match event:
            case Quote():
                self._quotes[event.contract] = event
                stream = f"{this.symbol.lower()}@markPrice@1s"
                topic = stream if this.category == "cm" else "!markPrice@arr@1s"  # the socket of its market's marks
                mark = binance_print.mark_price(this, event, now_ms)
                return [*self._of_all(now_ms), _binance(stream, mark, topic)]
            case Trade():
                rows = binance_print.agg_trades(this, event, self._fills + 1, now_ms)
                self._fills += len(rows)
                return [_binance(f"{this.symbol.lower()}@aggTrade", row) for row in rows]
            case Liquidation():
                order = binance_print.force_order(this, known("binance", this, event, 0), now_ms)
                return [_binance("!forceOrder@arr", order)]

    def _of_all(self, now_ms: int) -> list[Printed]:
        if now_ms // SECOND_MS == self._second:
            return []
        self._second = now_ms // SECOND_MS
        quotes = [(self._listed[contract], quote) for contract, quote in self._quotes.items()]
        marks = [binance_print.mark_price(this, quote, now_ms) for this, quote in quotes if this.category == "um"]
        last = [binance_print.mini_ticker(this, quote, now_ms) for this, quote in quotes]
        return [_binance("!markPrice@arr@1s", marks), _binance("!miniTicker@arr", last)]


PRINTERS: Mapping[str, type[Binance | Bybit | Okx]] = {"binance": Binance, "bybit": Bybit, "okx": Okx}


def _bybit(topic: str, kind: str, data: Any, now_ms: int) -> Printed:
    return Printed(topic, orjson.dumps({"topic": topic, "type": kind, "data": data, "ts": now_ms}))


def _bybit_fill(this: bybit_print.Listed, trade: Trade, order: int, number: int) -> dict[str, Any]:
    price, coins = trade.fills[number]
    return {
        "T": trade.event_ms,
        "s": this.symbol,
        "S": "Buy" if trade.taker_buys else "Sell",
        "v": this.quantity(coins, price),
        "p": this.price(price),
        "L": "PlusTick" if trade.taker_buys else "MinusTick",
        "i": f"{order:08x}-0000-5000-8000-{number:012x}",
        "BT": False,
        "RPI": False,
        "seq": order,
    }


def _okx(channel: str, kind: str, about: str, row: Mapping[str, Any]) -> Printed:
    frame = orjson.dumps({"arg": {"channel": channel, kind: about}, "data": [row]})
    return Printed(f"{channel}:{about}", frame)


def _binance(stream: str, data: Any, topic: str = "") -> Printed:
    return Printed(topic or stream, orjson.dumps({"stream": stream, "data": data}))

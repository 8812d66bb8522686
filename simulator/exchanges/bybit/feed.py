"""What Bybit pushes: liquidations in batches of 500 ms per symbol, tickers as changes, trades with all their fills."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any
from zlib import crc32

import orjson

from schemas.records import Position
from simulator.contracts import Contract
from simulator.events import Event, Liquidation, Quote, Trade
from simulator.exchanges.bybit.printing import Listed, delivery, listed, standing, yesterday
from simulator.faults import Faults
from simulator.market import Market
from simulator.sockets import Clients
from simulator.truth import Known, Truth, known

BATCH_MS = 500
SIDES = {Position.LONG: "Buy", Position.SHORT: "Sell"}  # of the position, not of the order that closed it


class Feed:
    """Prints the events of a market for those who listen, and knows each contract's ticker."""

    def __init__(self, market: Market, clients: Clients, faults: Faults, truth: Truth) -> None:
        self._clients = clients
        self._faults = faults
        self._truth = truth
        self._waiting: dict[tuple[Contract, int], list[Liquidation]] = {}  # by contract and number of its 500 ms
        self._sequence = 0
        self._listed = {contract: listed(contract) for contract in market.contracts}
        self._tickers: dict[str, dict[str, str]] = {}
        for quote in market.quotes():
            this = self._listed[quote.contract]
            self._tickers[this.symbol] = yesterday(this, quote) | standing(this, quote)

    def symbols(self, category: str) -> dict[str, Listed]:
        """Return the contracts of a category, in the order of their names."""
        found = sorted((this.symbol, this) for this in self._listed.values() if this.category == category)
        return dict(found)

    def ticker(self, this: Listed) -> dict[str, str]:
        """Return all fields of a contract's ticker as they are now, as REST has them."""
        return {**self._tickers[this.symbol], **delivery(this, rest=True)}

    def snapshot(self, this: Listed) -> bytes:
        """Return the frame with which a subscription to a ticker begins."""
        fields = {**self._tickers[this.symbol], **delivery(this, rest=False)}
        return self._ticker_frame(this, "snapshot", fields, time.time_ns() // 1_000_000)

    def publish(self, events: Iterable[Event], now_ms: int) -> None:
        """Tell what happened until now; liquidations wait for the end of their 500 ms."""
        for event in events:
            match event:
                case Quote():
                    self._tell_ticker(event, now_ms)
                case Trade():
                    self._tell_trade(event, now_ms)
                case Liquidation():
                    self._waiting.setdefault((event.contract, self._batch(event.contract, now_ms)), []).append(event)
        if not self._faults.lasts("late"):
            self._tell_liquidations(now_ms)

    def _tell_liquidations(self, now_ms: int) -> None:
        over = [key for key in self._waiting if key[1] != self._batch(key[0], now_ms)]
        for contract, batch in ((key[0], self._waiting.pop(key)) for key in over):
            this = self._listed[contract]
            topic = f"allLiquidation.{this.symbol}"
            listens = self._clients.listens(topic)
            sent_ns = time.time_ns() if listens else 0
            facts = [known("bybit", this, one, sent_ns) for one in batch]
            self._truth.write(facts)  # first: who is killed now has sent nothing that the file does not know
            if listens:
                self._clients.publish(topic, _snapshot(topic, [_printed(one) for one in facts], now_ms))

    def _batch(self, contract: Contract, now_ms: int) -> int:
        """Return the number of a contract's 500 ms; real frames show that contracts do not share a beat."""
        return (now_ms + crc32(self._listed[contract].symbol.encode())) // BATCH_MS

    def _tell_trade(self, trade: Trade, now_ms: int) -> None:
        this = self._listed[trade.contract]
        topic = f"publicTrade.{this.symbol}"
        self._sequence += 1
        if self._clients.listens(topic):
            self._clients.publish(topic, _snapshot(topic, _fills(this, trade, self._sequence), now_ms))

    def _tell_ticker(self, quote: Quote, now_ms: int) -> None:
        this = self._listed[quote.contract]
        ticker = self._tickers[this.symbol]
        changed = {field: text for field, text in standing(this, quote).items() if ticker[field] != text}
        ticker.update(changed)
        self._sequence += 1
        topic = f"tickers.{this.symbol}"
        if changed and self._clients.listens(topic):
            self._clients.publish(topic, self._ticker_frame(this, "delta", {"symbol": this.symbol, **changed}, now_ms))

    def _ticker_frame(self, this: Listed, kind: str, fields: dict[str, str], now_ms: int) -> bytes:
        topic = f"tickers.{this.symbol}"
        return orjson.dumps({"topic": topic, "type": kind, "data": fields, "cs": self._sequence, "ts": now_ms})


def _snapshot(topic: str, data: list[dict[str, Any]], now_ms: int) -> bytes:
    return orjson.dumps({"topic": topic, "type": "snapshot", "ts": now_ms, "data": data})


def _printed(one: Known) -> dict[str, Any]:
    return {"T": one.event_ms, "s": one.symbol, "S": SIDES[one.position], "v": one.quantity, "p": one.price}


def _fills(this: Listed, trade: Trade, sequence: int) -> list[dict[str, Any]]:
    return [
        {
            "T": trade.event_ms,
            "s": this.symbol,
            "S": "Buy" if trade.taker_buys else "Sell",
            "v": this.quantity(coins, price),
            "p": this.price(price),
            "L": "PlusTick" if trade.taker_buys else "MinusTick",
            "i": f"{sequence:08x}-0000-5000-8000-{number:012x}",
            "BT": False,
            "RPI": False,
            "seq": sequence,
        }
        for number, (price, coins) in enumerate(trade.fills)
    ]

"""Bybit derivatives, linear and inverse: frames in, facts out. Evidence: tests/fixtures/bybit/SOURCES.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from processors.normalize.answers import endpoint_of
from processors.normalize.bounded import keep
from processors.normalize.bybit import wire
from processors.normalize.bybit.contracts import (
    EXCHANGE,
    Category,
    category_of,
    checked_category,
    contract_of,
    guessed,
    instrument_of,
)
from processors.normalize.bybit.facts import (
    CAPPED,
    COMPLETE,
    NO_TICKER,
    REST,
    REVISION,
    STREAM,
    TickerState,
    liquidation,
    one_side,
    overlaid,
    ticker_facts,
    trade,
)
from processors.normalize.contracts import Contract, Instruments
from processors.normalize.facts import Fact, Frame, not_understood
from processors.normalize.measures import Seen, funding, hours_apart, open_interest
from processors.normalize.printed import happened, ordinals
from schemas.records import FundingKind, SourceQuality

__all__ = ["EXCHANGE", "REVISION", "Bybit"]

CONTROLS = frozenset({"subscribe", "unsubscribe", "ping", "pong"})  # the pong of these sockets says `ping`

TICKERS, INSTRUMENTS = "/v5/market/tickers", "/v5/market/instruments-info"
OPEN_INTEREST, FUNDING = "/v5/market/open-interest", "/v5/market/funding/history"
# What only the rows of one answer have, for answers whose request is not known.
SHAPES = {
    INSTRUMENTS: frozenset({"symbol", "contractType"}),
    FUNDING: frozenset({"symbol", "fundingRateTimestamp"}),
    OPEN_INTEREST: frozenset({"timestamp", "openInterest"}),
    TICKERS: frozenset({"symbol", "markPrice"}),
}
# Tickers carry open interest and funding too.
STREAMS = {
    "allLiquidation": "liquidations",
    "liquidation": "liquidations",
    "tickers": "quotes",
    "publicTrade": "trades",
}
LIQUIDATIONS = b'{"topic":"allLiquidation.'  # how their frames begin: need not be looked into twice
TOPIC = re.compile(rb'"topic"\s*:\s*"(\w{1,64})')

Key = tuple[str, str]  # category and symbol: nobody promises that two categories never share one


class Bybit:
    """What Bybit's frames mean."""

    def __init__(self) -> None:
        self._instruments = Instruments(contract_of)
        self._tickers: dict[Key, TickerState] = {}

    def normalize(self, frame: Frame) -> Sequence[Fact]:
        """Return the facts of one frame, in order, or raise `BadFrame` and change nothing."""
        try:
            if frame.payload.startswith(LIQUIDATIONS):
                return self._liquidations(wire.PRINTS.decode(frame.payload).data, COMPLETE, frame)
            message = wire.MESSAGE.decode(frame.payload)
            if message.topic:
                return self._pushed(message, frame)
            if message.retCode is not None:
                return self._answered(message, frame)
            if message.op in CONTROLS:  # a failed subscribe too: the producer reads it and tries again
                return ()
            raise ValueError("expected a topic, a retCode or an op")
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            raise not_understood(EXCHANGE, _channel(frame), frame, error) from error

    def stream_of(self, channel: str) -> str:
        """Return what a topic carries, with or without its symbol."""
        return STREAMS.get(channel.partition(".")[0], "")

    def disconnected(self, connection: str) -> None:
        """Forget the tickers that this connection kept up to date; a snapshot or REST brings them back."""
        self._tickers = {key: ticker for key, ticker in self._tickers.items() if ticker.owner != connection}

    def state(self) -> object:
        """Return instruments and tickers as plain values."""
        return {
            "instruments": self._instruments.state(),
            "tickers": [[*key, *msgspec.structs.astuple(ticker)] for key, ticker in self._tickers.items()],
        }

    def load(self, state: object) -> None:
        """Continue from `state()`."""
        kept: dict[str, list[Any]] = msgspec.convert(state, dict[str, list[Any]])
        self._instruments.load(kept["instruments"])
        self._tickers = {(category, symbol): TickerState(*rest) for category, symbol, *rest in kept["tickers"]}

    def _pushed(self, message: wire.Message, frame: Frame) -> Sequence[Fact]:
        topic = message.topic
        channel = topic.partition(".")[0]
        if channel == "tickers":
            return self._ticker(message, frame)
        if channel == "publicTrade":
            return self._trades(message, frame)
        if channel == "allLiquidation":
            return self._liquidations(wire.PRINTS.decode(frame.payload).data, COMPLETE, frame)
        if channel == "liquidation":
            old = wire.OLD_PRINT.decode(message.data)
            prints = [wire.Print(old.updatedTime, old.symbol, old.side, old.size, old.price)]
            return self._liquidations(prints, CAPPED, frame)
        raise ValueError(f"topic is {topic!r}, expected tickers, publicTrade, allLiquidation or liquidation")

    def _liquidations(self, prints: list[wire.Print], quality: SourceQuality, frame: Frame) -> list[Fact]:
        """Identical prints within one frame are separate liquidations, told apart by their ordinal."""
        category = category_of(frame.url)
        if len(prints) == 1:  # as in nearly all frames
            return [liquidation(prints[0], 0, quality, self._contract(prints[0].s, category), frame)]
        numbers = ordinals((item.T, item.s, item.S, item.v, item.p) for item in prints)
        return [
            liquidation(item, ordinal, quality, self._contract(item.s, category), frame)
            for item, ordinal in zip(prints, numbers, strict=True)
        ]

    def _trades(self, message: wire.Message, frame: Frame) -> list[Fact]:
        """Block trades are negotiated off the book: no taker, no fact."""
        category = category_of(frame.url)
        return [
            trade(item, self._contract(item.s, category), frame.received_ms)
            for item in wire.TRADES.decode(message.data)
            if not item.BT
        ]

    def _ticker(self, message: wire.Message, frame: Frame) -> Sequence[Fact]:
        """A snapshot replaces the state, a delta changes what it shows; without a state it says nothing certain."""
        data = wire.TICKER.decode(message.data)
        event_ms = happened(message.ts, frame.received_ms)
        contract = self._contract(data.symbol, category_of(frame.url))
        key = contract.category, contract.symbol
        if message.type == "snapshot":
            was = NO_TICKER
        elif message.type == "delta":
            was = self._tickers.get(key, NO_TICKER)
            if was is NO_TICKER or was.owner not in ("", frame.connection):
                return ()
        else:
            raise ValueError(f"type is {message.type!r}, expected 'snapshot' or 'delta'")
        now = overlaid(data, was, frame.connection, event_ms)
        keep(self._tickers, key, now)
        return ticker_facts(data, now, contract, Seen(event_ms, frame.received_ms, STREAM))

    def _answered(self, message: wire.Message, frame: Frame) -> Sequence[Fact]:
        if message.retCode != 0:
            raise ValueError(f"retCode is {message.retCode} ({message.retMsg[:100]!r}), expected 0")
        event_ms = happened(message.time, frame.received_ms)
        endpoint = urlsplit(frame.url.removeprefix("GET ")).path
        if endpoint not in SHAPES:
            endpoint = endpoint_of(wire.ROWS.decode(message.result).rows, SHAPES)
        if endpoint == TICKERS:
            return self._all_tickers(message, event_ms, frame)
        if endpoint == INSTRUMENTS:
            return self._new_instruments(message, event_ms, frame)
        if endpoint == OPEN_INTEREST:
            return self._past_open_interest(message, frame)
        return self._past_funding(message, frame)

    def _all_tickers(self, message: wire.Message, event_ms: int, frame: Frame) -> list[Fact]:
        """Complete rows: each replaces the state unless a socket has shown something newer."""
        result = wire.TICKERS.decode(message.result)
        category = _category(frame.url, result.category)
        seen = Seen(event_ms, frame.received_ms, REST)
        facts: list[Fact] = []
        newer: dict[Key, TickerState] = {}
        for row in result.rows:
            contract = self._contract(row.symbol, category)
            key = contract.category, contract.symbol
            was = self._tickers.get(key, NO_TICKER)
            if event_ms >= was.event_ms:
                newer[key] = overlaid(row, NO_TICKER, was.owner, event_ms)
                facts += ticker_facts(row, newer[key], contract, seen)
        for key, now in newer.items():
            keep(self._tickers, key, now)
        return facts

    def _new_instruments(self, message: wire.Message, event_ms: int, frame: Frame) -> Sequence[Fact]:
        """The type of the contract decides its category: asked by `baseCoin`, an answer mixes them."""
        rows = wire.INSTRUMENTS.decode(message.result).rows
        return self._instruments.learn([instrument_of(row, event_ms, frame.received_ms) for row in rows])

    def _past_open_interest(self, message: wire.Message, frame: Frame) -> list[Fact]:
        """Oldest first, as facts come; without a mark price of that time."""
        result = wire.OPEN_INTEREST.decode(message.result)
        contract = self._contract(result.symbol, _category(frame.url, result.category))
        facts: list[Fact] = []
        for row in reversed(result.rows):
            printed = one_side(row)
            if printed is not None:
                seen = Seen(happened(row.timestamp, frame.received_ms), frame.received_ms, REST)
                facts.append(open_interest(printed, None, contract, seen))
        return facts

    def _past_funding(self, message: wire.Message, frame: Frame) -> list[Fact]:
        """Oldest first. An interval is the time since the payment before; of the first, what the instrument has now."""
        result = wire.FUNDING.decode(message.result)
        category = _category(frame.url, result.category)
        facts: list[Fact] = []
        paid = result.rows[::-1]
        for row, apart in zip(paid, hours_apart((row.symbol, row.fundingRateTimestamp) for row in paid), strict=True):
            contract = self._contract(row.symbol, category)
            seen = Seen(happened(row.fundingRateTimestamp, frame.received_ms), frame.received_ms, REST)
            hours = apart or contract.interval_hours
            facts.append(funding(row.fundingRate, hours, None, FundingKind.SETTLED, contract, seen))
        return facts

    def _contract(self, symbol: str, category: Category | None) -> Contract:
        known = self._instruments.contract
        if category:
            return known(category, symbol) or guessed(category, symbol)
        return known("linear", symbol) or known("inverse", symbol) or guessed(None, symbol)


def _category(url: str, said: str) -> Category | None:
    """Return what the request asked for, else what the answer says of itself."""
    return category_of(url) or (checked_category(said) if said else None)


def _channel(frame: Frame) -> str:
    """Return the endpoint, or the topic without its symbol, as far as a frame that may be damaged tells."""
    if frame.url.startswith("GET "):
        return frame.url.partition("?")[0].rpartition("/v5/")[2][:64]
    topic = TOPIC.search(frame.payload, 0, 4_096)
    return topic[1].decode() if topic else ""

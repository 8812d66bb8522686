"""Binance futures, USD-M and COIN-M: frames in, facts out. Evidence: tests/fixtures/binance/SOURCES.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from processors.normalize.binance import wire
from processors.normalize.binance.channels import channel_of, path_of, stream_of
from processors.normalize.binance.contracts import (
    COIN_MARGINED,
    EXCHANGE,
    Category,
    category_of,
    contract_of,
    guessed,
    instrument_of,
)
from processors.normalize.binance.facts import (
    REVISION,
    UNKNOWN,
    Standing,
    following,
    last_price,
    liquidation,
    standing_facts,
    trade,
)
from processors.normalize.bounded import keep
from processors.normalize.contracts import Contract, Instruments
from processors.normalize.facts import Fact, Frame, not_understood
from processors.normalize.measures import Seen, funding, hours_apart, of_the_time, open_interest
from processors.normalize.printed import happened, ordinals
from schemas.raw import SourceKind
from schemas.records import Channel, FundingKind

__all__ = ["EXCHANGE", "REVISION", "Binance"]

USUAL_HOURS = 8.0  # between two payments of funding, for symbols that `fundingInfo` does not list

Key = tuple[str, str]  # category and symbol
Kind = TypeVar("Kind")
Row = TypeVar("Row", wire.MarkPrice | wire.PremiumIndex, wire.MiniTicker)


class Binance:
    """What Binance's frames mean."""

    def __init__(self) -> None:
        self._instruments = Instruments(contract_of)
        self._standings: dict[Key, Standing] = {}
        self._adjusted_hours: dict[str, dict[str, float]] = {}  # by category, once it is known, and symbol

    def normalize(self, frame: Frame) -> Sequence[Fact]:
        """Return the facts of one frame, in order, or raise `BadFrame` and change nothing."""
        try:
            return self._answered(frame) if frame.kind is SourceKind.REST else self._said(frame)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            raise not_understood(EXCHANGE, channel_of(frame), frame, error) from error

    def stream_of(self, channel: str) -> str:
        """Return what a channel carries, `!forceOrder@arr` or `forceOrder`, or an endpoint."""
        return stream_of(channel)

    def disconnected(self, connection: str) -> None:
        """Forget nothing: every frame is complete, and what it tells is replaced by a newer one of any connection."""

    def state(self) -> object:
        """Return instruments, standings and intervals as plain values."""
        return {
            "instruments": self._instruments.state(),
            "standings": [[*key, *msgspec.structs.astuple(now)] for key, now in self._standings.items()],
            "adjusted_hours": {category: dict(hours) for category, hours in self._adjusted_hours.items()},
        }

    def load(self, state: object) -> None:
        """Continue from `state()`."""
        kept: dict[str, Any] = msgspec.convert(state, dict[str, Any])
        self._instruments.load(kept["instruments"])
        self._standings = {(category, symbol): Standing(*rest) for category, symbol, *rest in kept["standings"]}
        self._adjusted_hours = msgspec.convert(kept["adjusted_hours"], dict[str, dict[str, float]])

    def _said(self, frame: Frame) -> Sequence[Fact]:
        """Data comes wrapped with the name of its stream, or alone."""
        if frame.payload.startswith(b"["):
            return self._pushed(wire.EVENTS.decode(frame.payload), frame)
        message = wire.MESSAGE.decode(frame.payload)
        if message.stream:
            return self._pushed(wire.EVENTS.decode(message.data), frame)
        if message.e:
            return self._pushed(wire.EVENTS.decode(frame.payload), frame)
        if message.id is message.error is message.code is UNSET:
            raise ValueError("expected a stream, an event or a reply")
        return ()  # a refused subscription too: the producer reads it and tries again

    def _pushed(self, data: wire.Event | list[wire.Event], frame: Frame) -> Sequence[Fact]:
        events = data if isinstance(data, list) else [data]
        match events[0] if events else None:
            case wire.AggTrade():
                trades = _only(wire.AggTrade, events)
                return [trade(item, self._contract(item.s, item.st), frame.received_ms) for item in trades]
            case wire.MarkPrice():
                return self._marked(_only(wire.MarkPrice, events), Channel.STREAM, frame)
            case wire.MiniTicker():
                tickers = _only(wire.MiniTicker, events)
                quotes = [last_price(item, contract, frame.received_ms) for item, contract in self._named(tickers)]
                return [quote for quote in quotes if quote]
            case wire.ForceOrder():
                return self._liquidations(_only(wire.ForceOrder, events), frame)
        return ()

    def _liquidations(self, events: list[wire.ForceOrder], frame: Frame) -> list[Fact]:
        """Identical orders within one frame are separate liquidations; so far each frame has one."""
        numbers = ordinals((event.o.s, event.o.S, event.o.T, event.o.z, event.o.ap) for event in events)
        return [
            liquidation(event.o, ordinal, self._contract(event.o.s, _book(event)), frame)
            for event, ordinal in zip(events, numbers, strict=True)
        ]

    def _marked(
        self, rows: Sequence[wire.MarkPrice | wire.PremiumIndex], channel: Channel, frame: Frame
    ) -> Sequence[Fact]:
        """Rows are complete: each replaces what was known, unless that is newer."""
        facts: list[Fact] = []
        newer: dict[Key, Standing] = {}
        for row, contract in self._named(rows):
            seen = Seen(happened(row.E, frame.received_ms), frame.received_ms, channel)
            key = contract.category, contract.symbol
            was = newer.get(key) or self._standings.get(key, UNKNOWN)
            if was.event_ms <= row.E:
                newer[key] = now = following(was, row)
                facts += standing_facts(row, self._hours(now, contract), contract, seen)
        for key, now in newer.items():
            keep(self._standings, key, now)
        return facts

    def _answered(self, frame: Frame) -> Sequence[Fact]:
        path = path_of(frame.url)
        match path.rpartition("/")[2]:
            case "exchangeInfo":
                return self._new_instruments(wire.EXCHANGE_INFO.decode(frame.payload), category_of(path), frame)
            case "openInterest":
                return self._open_interest(wire.OPEN_INTEREST.decode(frame.payload), frame)
            case "premiumIndex":
                rows = wire.PREMIUM_INDEX.decode(frame.payload)
                return self._marked(rows if isinstance(rows, list) else [rows], Channel.REST, frame)
            case "fundingInfo":
                return self._new_intervals(wire.FUNDING_INFO.decode(frame.payload), category_of(path), frame)
            case "fundingRate":
                return self._past_funding(wire.FUNDING_RATE.decode(frame.payload), frame)
        raise ValueError(
            f"path is {path!r}, expected exchangeInfo, openInterest, premiumIndex, fundingInfo or fundingRate"
        )

    def _new_intervals(self, rows: list[wire.FundingInfo], category: Category, frame: Frame) -> Sequence[Fact]:
        """What was not true any more is told anew; of a perpetual contract the interval is a fact."""
        self._adjusted_hours[category] = {row.symbol: row.fundingIntervalHours for row in rows}
        for key, standing in self._standings.items():
            if key[0] == category and standing.interval_hours == 0:
                self._standings[key] = msgspec.structs.replace(standing, interval_hours=None)
        now = dict.fromkeys(("event_ms", "received_ms", "valid_from_ms"), frame.received_ms)
        return self._instruments.learn(
            [
                msgspec.structs.replace(known, funding_interval_hours=self._listed_hours(category, known.symbol), **now)
                for known in self._instruments.of(category)
                if known.is_perpetual
            ]
        )

    def _new_instruments(self, info: wire.ExchangeInfo, category: Category, frame: Frame) -> Sequence[Fact]:
        """The `serverTime` of the answer is not to be relied on, says the exchange."""
        return self._instruments.learn(
            [
                instrument_of(row, category, self._listed_hours(category, row.symbol), frame.received_ms)
                for row in info.symbols
            ]
        )

    def _open_interest(self, row: wire.OpenInterest, frame: Frame) -> Sequence[Fact]:
        """The answer shows no price: the newest mark price values it."""
        contract = self._contract(row.symbol)
        seen = Seen(happened(row.time, frame.received_ms), frame.received_ms, Channel.REST)
        known = self._standing(contract)
        mark = of_the_time(known.mark, known.event_ms, seen.event_ms)
        return [open_interest(row.openInterest, mark, contract, seen)]

    def _past_funding(self, rows: list[wire.FundingRate], frame: Frame) -> Sequence[Fact]:
        """Oldest first. An interval is the time since the payment before; of the first, what the symbol has now."""
        paid = [row for row in rows if row.rateType == "Regular"]
        facts: list[Fact] = []
        for row, apart in zip(paid, hours_apart((row.symbol, row.fundingTime) for row in paid), strict=True):
            contract = self._contract(row.symbol)
            seen = Seen(happened(row.fundingTime, frame.received_ms), frame.received_ms, Channel.REST)
            hours = apart or self._hours(self._standing(contract), contract)
            facts.append(funding(row.fundingRate, hours, None, FundingKind.SETTLED, contract, seen))
        return facts

    def _named(self, rows: Sequence[Row]) -> list[tuple[Row, Contract]]:
        """Return rows with their contracts, without those that name none: one of them must not hide all others."""
        found: list[tuple[Row, Contract]] = []
        strange: ValueError | None = None
        for row in rows:
            try:
                found.append((row, self._contract(row.s, row.st)))
            except ValueError as error:
                strange = error
        if strange and not found:
            raise strange
        return found

    def _contract(self, symbol: str, book: wire.Book = UNSET) -> Contract:
        """Return the contract of a symbol, which is never one of both markets. Of `st` only COIN-M is proof."""
        known = self._instruments.contract
        contract = known("cm", symbol) or known("um", symbol) or guessed(symbol, book)
        if book == COIN_MARGINED and contract.category != "cm":
            raise ValueError(f"st is {book} for {symbol!r}, which is listed as USD-M: expected 1")
        return contract

    def _standing(self, contract: Contract) -> Standing:
        return self._standings.get((contract.category, contract.symbol), UNKNOWN)

    def _hours(self, standing: Standing, contract: Contract) -> float | None:
        """Return the interval that was observed, or the one that is listed unless that was seen not to be true."""
        observed = standing.interval_hours
        return self._listed_hours(contract.category, contract.symbol) if observed is None else observed or None

    def _listed_hours(self, category: str, symbol: str) -> float | None:
        """Return the interval that `fundingInfo` proves, also by its silence; None before its first answer."""
        adjusted = self._adjusted_hours.get(category)
        return None if adjusted is None else adjusted.get(symbol, USUAL_HOURS)


def _book(event: wire.ForceOrder) -> wire.Book:
    return event.st if event.o.st is UNSET else event.o.st


def _only(kind: type[Kind], events: Sequence[wire.Event]) -> list[Kind]:
    """Return the events, all of one kind, or raise ValueError."""
    only: list[Kind] = [event for event in events if isinstance(event, kind)]
    if len(only) < len(events):
        raise ValueError(f"events of several kinds in one frame, expected {kind.__name__} alone")
    return only

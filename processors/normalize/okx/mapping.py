"""OKX swaps and futures: frames in, facts out. Evidence: tests/fixtures/okx/SOURCES.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Raw

from processors.normalize.answers import endpoint_of
from processors.normalize.bounded import keep
from processors.normalize.contracts import Contract, Instruments
from processors.normalize.facts import Fact, Frame, not_understood
from processors.normalize.measures import Seen, funding, of_the_time, open_interest
from processors.normalize.okx import wire
from processors.normalize.okx.contracts import EXCHANGE, TYPES, contract_of, guessed, index_of, instrument_of, type_of
from processors.normalize.okx.facts import REVISION, liquidation, predicted, quote, trade
from processors.normalize.printed import happened, ordinals
from schemas.records import Channel, FundingKind

__all__ = ["EXCHANGE", "REVISION", "Okx"]

CONTROLS = frozenset({"subscribe", "unsubscribe", "error", "notice", "channel-conn-count", "channel-conn-count-error"})
STREAMS = {
    "liquidation-orders": "liquidations",
    "mark-price": "quotes",
    "index-tickers": "quotes",
    "tickers": "quotes",
    "trades": "trades",
    "open-interest": "open-interest",
    "funding-rate": "funding",
    "funding-rate-history": "funding",
}
# A field that only the rows of one answer have, for answers whose request is not known.
SHAPES = {
    "liquidation-orders": frozenset({"details"}),
    "open-interest": frozenset({"oi"}),
    "funding-rate": frozenset({"nextFundingTime"}),
    "funding-rate-history": frozenset({"realizedRate"}),
    "mark-price": frozenset({"markPx"}),
    "index-tickers": frozenset({"idxPx"}),
    "tickers": frozenset({"lastSz"}),
    "instruments": frozenset({"ctVal"}),
}
CHANNEL = re.compile(rb'"channel"\s*:\s*"([\w-]{1,64})"')

Reader = Callable[[Raw, Channel, Frame], Sequence[Fact]]


class Mark(msgspec.Struct, frozen=True, gc=False):
    """The newest mark price of a contract, which open interest is valued at."""

    owner: str  # the connection that showed it
    event_ms: int
    price: float | None  # as printed


NO_MARK = Mark("", 0, None)


class Okx:
    """What OKX's frames mean. A channel of the socket and the endpoint of the same name show the same rows."""

    def __init__(self) -> None:
        self._instruments = Instruments(contract_of)
        self._followers: dict[str, dict[str, list[str]]] = {}  # by type and index: the listed contracts that follow it
        self._marks: dict[str, Mark] = {}
        both: dict[str, Reader] = {
            "liquidation-orders": self._liquidations,
            "open-interest": self._open_interest,
            "funding-rate": self._funding,
            "mark-price": self._mark_prices,
            "index-tickers": self._index_prices,
            "tickers": self._last_prices,
        }
        self._pushes: Mapping[str, Reader] = {**both, "trades": self._trades}
        self._answers: Mapping[str, Reader] = {
            **both,
            "instruments": self._new_instruments,
            "funding-rate-history": self._past_funding,
        }

    def normalize(self, frame: Frame) -> Sequence[Fact]:
        """Return the facts of one frame, in order, or raise `BadFrame` and change nothing."""
        if frame.payload == b"pong":
            return ()
        try:
            message = wire.MESSAGE.decode(frame.payload)
            if message.event in CONTROLS:  # errors too: the producer reads them. They may have an `arg`
                return ()
            if message.event:
                raise ValueError(f"event is {message.event!r}, expected one of {', '.join(sorted(CONTROLS))}")
            if message.arg:
                return _chosen(self._pushes, message.arg.channel)(message.data, Channel.STREAM, frame)
            if message.code:
                return self._answered(message, frame)
            raise ValueError("expected pong, an event, an arg or a code")
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            raise not_understood(EXCHANGE, _channel(frame), frame, error) from error

    def stream_of(self, channel: str) -> str:
        """Return what a channel carries, with or without what it is about, or an endpoint: `public/open-interest`."""
        return STREAMS.get(channel.rpartition("/")[2].partition(":")[0], "")

    def disconnected(self, connection: str) -> None:
        """Forget the mark prices that this connection kept up to date."""
        self._marks = {symbol: mark for symbol, mark in self._marks.items() if mark.owner != connection}

    def state(self) -> object:
        """Return instruments, what follows which index, and mark prices as plain values."""
        return {
            "instruments": self._instruments.state(),
            "followers": {
                kind: {index: list(ids) for index, ids in of.items()} for kind, of in self._followers.items()
            },
            "marks": [[symbol, *msgspec.structs.astuple(mark)] for symbol, mark in self._marks.items()],
        }

    def load(self, state: object) -> None:
        """Continue from `state()`."""
        kept: dict[str, Any] = msgspec.convert(state, dict[str, Any])
        self._instruments.load(kept["instruments"])
        self._followers = msgspec.convert(kept["followers"], dict[str, dict[str, list[str]]])
        self._marks = {symbol: Mark(*rest) for symbol, *rest in kept["marks"]}

    def _answered(self, message: wire.Message, frame: Frame) -> Sequence[Fact]:
        if message.code != "0":
            raise ValueError(f"code is {message.code} ({message.msg[:100]!r}), expected 0")
        endpoint = urlsplit(frame.url.removeprefix("GET ")).path.rpartition("/")[2]
        read = self._answers.get(endpoint) or self._answers[endpoint_of(wire.ROWS.decode(message.data), SHAPES)]
        return read(message.data, Channel.REST, frame)

    def _liquidations(self, data: Raw, channel: Channel, frame: Frame) -> list[Fact]:
        """Identical lines within one frame are separate liquidations. Margin loans and options are no contracts."""
        printed = [
            (row.instId, item)
            for row in wire.LIQUIDATIONS.decode(data)
            if row.instType in TYPES
            for item in row.details
        ]
        if len(printed) == 1:  # as in nearly all frames
            [(symbol, item)] = printed
            return [liquidation(item, 0, self._contract(symbol), channel, frame)]
        numbers = ordinals((symbol, *msgspec.structs.astuple(item)) for symbol, item in printed)
        return [
            liquidation(item, ordinal, self._contract(symbol), channel, frame)
            for (symbol, item), ordinal in zip(printed, numbers, strict=True)
        ]

    def _open_interest(self, data: Raw, channel: Channel, frame: Frame) -> list[Fact]:
        """`oiUsd` is not read: at which price it is valued is not said."""
        facts: list[Fact] = []
        for row in wire.OPEN_INTEREST.decode(data):
            if isinstance(row.oi, float):
                seen = Seen(happened(row.ts, frame.received_ms), frame.received_ms, channel)
                known = self._marks.get(row.instId, NO_MARK)
                mark = of_the_time(known.price, known.event_ms, seen.event_ms)
                facts.append(open_interest(row.oi, mark, self._contract(row.instId), seen))
        return facts

    def _funding(self, data: Raw, channel: Channel, frame: Frame) -> list[Fact]:
        facts: list[Fact] = []
        for row in wire.FUNDING.decode(data):
            if isinstance(row.fundingRate, float):
                seen = Seen(happened(row.ts, frame.received_ms), frame.received_ms, channel)
                facts.append(predicted(row, row.fundingRate, self._contract(row.instId), seen))
        return facts

    def _past_funding(self, data: Raw, channel: Channel, frame: Frame) -> list[Fact]:
        """Oldest first, as facts come. Rows do not tell the interval."""
        facts: list[Fact] = []
        for row in reversed(wire.PAST_FUNDING.decode(data)):
            if isinstance(row.realizedRate, float):
                seen = Seen(happened(row.fundingTime, frame.received_ms), frame.received_ms, channel)
                contract = self._contract(row.instId)
                facts.append(funding(row.realizedRate, None, None, FundingKind.SETTLED, contract, seen))
        return facts

    def _mark_prices(self, data: Raw, _channel: Channel, frame: Frame) -> list[Fact]:
        facts: list[Fact] = []
        newer: dict[str, Mark] = {}
        for row in wire.MARKS.decode(data):
            event_ms = happened(row.ts, frame.received_ms)
            contract = self._contract(row.instId)
            if row.markPx and event_ms >= self._marks.get(row.instId, NO_MARK).event_ms:
                facts.append(quote(contract, event_ms, mark=row.markPx))
                newer[row.instId] = Mark(frame.connection, event_ms, row.markPx)
        for symbol, mark in newer.items():
            keep(self._marks, symbol, mark)
        return facts

    def _index_prices(self, data: Raw, _channel: Channel, frame: Frame) -> list[Fact]:
        """An index belongs to all contracts that follow it, as far as they are known."""
        facts: list[Fact] = []
        for row in wire.INDEXES.decode(data):
            event_ms = happened(row.ts, frame.received_ms)
            if row.idxPx:
                for following in self._followers.values():
                    contracts = map(self._contract, following.get(row.instId, ()))
                    facts += [quote(contract, event_ms, index=row.idxPx) for contract in contracts]
        return facts

    def _last_prices(self, data: Raw, _channel: Channel, frame: Frame) -> list[Fact]:
        return [
            quote(self._contract(row.instId), happened(row.ts, frame.received_ms), last=row.last)
            for row in wire.TICKERS.decode(data)
            if row.last
        ]

    def _trades(self, data: Raw, _channel: Channel, frame: Frame) -> list[Fact]:
        return [trade(row, self._contract(row.instId), frame.received_ms) for row in wire.TRADES.decode(data)]

    def _new_instruments(self, data: Raw, _channel: Channel, frame: Frame) -> Sequence[Fact]:
        rows = wire.INSTRUMENTS.decode(data)
        described = [instrument_of(row, frame.received_ms) for row in rows]
        if parse_qs(urlsplit(frame.url).query).keys() <= {"instType"}:  # all there are of a type
            self._followers |= _followers(rows)
        return self._instruments.learn(instrument for instrument in described if instrument)

    def _contract(self, symbol: str) -> Contract:
        return self._instruments.contract(type_of(symbol), symbol) or guessed(symbol)


def _followers(rows: Iterable[wire.InstrumentRow]) -> dict[str, dict[str, list[str]]]:
    """Return the live contracts of a listing by type and index."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        if row.instType in TYPES:
            following = found.setdefault(row.instType, {})
            if row.state == "live" and index_of(row):
                following.setdefault(index_of(row), []).append(row.instId)
    return found


def _chosen(readers: Mapping[str, Reader], channel: str) -> Reader:
    if channel not in readers:
        raise ValueError(f"channel is {channel[:64]!r}, expected one of {', '.join(readers)}")
    return readers[channel]


def _channel(frame: Frame) -> str:
    """Return the endpoint, or the channel, as far as a frame that may be damaged tells."""
    if frame.url.startswith("GET "):
        return frame.url.partition("?")[0].rpartition("/api/v5/")[2][:64]
    found = CHANNEL.search(frame.payload, 0, 4_096)
    return found[1].decode() if found else ""

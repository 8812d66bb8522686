"""The records: meaning in the names, a unit in every number.

Common to all: `exchange`; `symbol`, the exchange's own, unchanged; `asset`, the coin; `event_ms`, the exchange's clock;
`received_ms`, ours; both in milliseconds since the epoch, UTC. `price` is the quote currency's price of one coin of the
asset, `*_base` are coins of the asset, `*_usd` US dollars (a USD stablecoin counts as 1).
What cannot be proven is null.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec


class Position(StrEnum):
    """The position that was closed, never the order's side."""

    UNKNOWN = "UNKNOWN"
    LONG = "LONG"
    SHORT = "SHORT"


class PriceKind(StrEnum):
    """Which price a liquidation shows."""

    UNKNOWN = "UNKNOWN"
    FILL = "FILL"
    BANKRUPTCY = "BANKRUPTCY"
    ORDER = "ORDER"
    MARK = "MARK"
    TRIGGER = "TRIGGER"


class QuantityKind(StrEnum):
    """Which quantity a liquidation shows."""

    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    ORDERED = "ORDERED"


class NativeUnit(StrEnum):
    """What the exchange's own number counts."""

    UNKNOWN = "UNKNOWN"
    BASE = "BASE"
    CONTRACTS = "CONTRACTS"
    QUOTE = "QUOTE"
    USD = "USD"


class Reason(StrEnum):
    """Why the position was closed."""

    UNKNOWN = "UNKNOWN"
    LIQUIDATION = "LIQUIDATION"
    DELEVERAGING = "DELEVERAGING"
    BACKSTOP = "BACKSTOP"


class SourceQuality(StrEnum):
    """How much of the truth the source shows."""

    UNKNOWN = "UNKNOWN"
    COMPLETE = "COMPLETE"
    CAPPED = "CAPPED"
    SNAPSHOT = "SNAPSHOT"
    POLLED = "POLLED"
    SAMPLED = "SAMPLED"
    INFERRED = "INFERRED"


class Channel(StrEnum):
    """How the record reached us."""

    UNKNOWN = "UNKNOWN"
    STREAM = "STREAM"
    REST = "REST"


class FundingKind(StrEnum):
    """Whether a funding rate is still moving."""

    UNKNOWN = "UNKNOWN"
    PREDICTED = "PREDICTED"
    SETTLED = "SETTLED"


class ContractKind(StrEnum):
    """What a contract's value is linear in."""

    UNKNOWN = "UNKNOWN"
    LINEAR = "LINEAR"
    INVERSE = "INVERSE"
    QUANTO = "QUANTO"


class Event(msgspec.Struct, frozen=True, gc=False):
    """What all events have."""

    exchange: Annotated[str, "exchange: bybit"]
    symbol: Annotated[str, "the exchange's own symbol, unchanged"]
    asset: Annotated[str, "coin of the contract, upper case: 1000SHIBUSDT is SHIB"]
    event_ms: Annotated[int, "exchange's clock, ms since the epoch, UTC"]
    received_ms: Annotated[int, "collector's clock when the frame arrived, ms since the epoch, UTC"]


class _Closing(Event, frozen=True, gc=False):
    """What was closed. Positional: msgspec seeks a keyword among all fields, for so many it takes a microsecond."""

    id: Annotated[str, "hash of what the exchange printed, 32 hex digits: the identity of the event everywhere"]
    position: Annotated[Position, "the position that was closed, never the order's side"]
    price: Annotated[float, "quote currency's price of one coin of the asset; price_kind says which price"]
    price_native: Annotated[float, "price as printed; a scaled contract such as 1000PEPEUSDT prints that of 1000 coins"]
    price_kind: Annotated[PriceKind, "which price this is"]
    quantity_base: Annotated[float | None, "coins of the asset; null until contract facts prove it"]
    quantity_kind: Annotated[QuantityKind, "filled or ordered quantity"]
    quantity_native: Annotated[float, "quantity as printed, in native_unit"]
    native_unit: Annotated[NativeUnit, "unit of quantity_native"]
    notional_usd: Annotated[float | None, "US dollars at `price`; null until contract facts prove it"]


class Liquidation(_Closing, frozen=True, kw_only=True, gc=False):
    """A position closed by its exchange."""

    reason: Annotated[Reason, "liquidation, deleveraging or backstop"] = Reason.LIQUIDATION
    source_quality: Annotated[SourceQuality, "how much of the truth the source shows"]
    channel: Annotated[Channel, "stream or REST"] = Channel.STREAM
    native_id: Annotated[str | None, "the exchange's own id of the event, where it has one"] = None
    raw_partition: Annotated[int, "lineage: partition of the raw batch"]
    raw_offset: Annotated[int, "lineage: offset of the raw batch"]
    raw_index: Annotated[int, "lineage: index of the frame in the batch"]
    revision: Annotated[int, "revision of the mapping that made this record"]
    retracted: Annotated[bool, "true where a later mapping does not produce this id any more"] = False


class OpenInterest(Event, frozen=True, kw_only=True, gc=False):
    """Open interest of one contract, one-sided."""

    open_interest_base: Annotated[float | None, "coins of the asset, one side"] = None
    open_interest_usd: Annotated[float | None, "US dollars at the mark price, one side"] = None
    open_interest_native: Annotated[float, "as printed, in native_unit, one side"]
    native_unit: Annotated[NativeUnit, "unit of open_interest_native"]
    channel: Annotated[Channel, "stream or REST"]


class Funding(Event, frozen=True, kw_only=True, gc=False):
    """Funding rate of one perpetual."""

    rate: Annotated[float, "fraction of the notional per interval; positive: longs pay shorts"]
    interval_hours: Annotated[float | None, "hours between two payments"] = None
    rate_8h: Annotated[float | None, "rate for eight hours: rate x 8 / interval_hours"] = None
    rate_year: Annotated[float | None, "rate for 365 days, not compounded: rate x 8760 / interval_hours"] = None
    kind: Annotated[FundingKind, "predicted until it is charged, then settled"]
    next_funding_ms: Annotated[int | None, "when the rate is charged, ms since the epoch, UTC"] = None
    channel: Annotated[Channel, "stream or REST"]


class Instrument(Event, frozen=True, kw_only=True, gc=False):
    """Facts of one contract, valid from a moment on."""

    kind: Annotated[ContractKind, "linear, inverse or quanto"]
    base: Annotated[str, "base coin as the exchange names it: 1000PEPE"]
    quote: Annotated[str, "currency of the price"]
    settle: Annotated[str, "currency of margin and profit"]
    scale: Annotated[int, "coins of the asset in one base coin: 1000 for 1000PEPE"]
    multiplier: Annotated[float, "what one unit of quantity stands for, in multiplier_unit"]
    multiplier_unit: Annotated[NativeUnit, "BASE: base coins; QUOTE: quote currency; USD: US dollars"]
    is_perpetual: Annotated[bool, "false for a dated future"]
    expiry_ms: Annotated[
        int | None, "delivery of a dated future or of a perpetual that is taken off, ms since the epoch"
    ] = None
    tick_size: Annotated[float | None, "smallest step of the printed price"] = None
    quantity_step: Annotated[float | None, "smallest step of the printed quantity"] = None
    max_leverage: Annotated[float | None, "largest leverage at the lowest tier"] = None
    funding_interval_hours: Annotated[float | None, "hours between two funding payments"] = None
    status: Annotated[str, "the exchange's own word: Trading"]
    valid_from_ms: Annotated[int, "first time these facts were seen, ms since the epoch, UTC"]


class MarketEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What changed for one symbol in one second."""

    symbol: Annotated[str, "the exchange's own symbol, unchanged"]
    asset: Annotated[str, "coin of the contract"]
    event_ms: Annotated[int, "exchange's clock of the newest change, ms since the epoch, UTC"]
    mark: Annotated[float | None, "last mark price, quote currency per coin"] = None
    index: Annotated[float | None, "last index price, quote currency per coin"] = None
    last: Annotated[float | None, "last traded price, quote currency per coin"] = None
    trades: Annotated[int | None, "number of trades; null where none was seen"] = None
    taker_buy_base: Annotated[float | None, "coins bought by takers; null where no trade was seen"] = None
    taker_sell_base: Annotated[float | None, "coins sold by takers; null where no trade was seen"] = None
    taker_buy_usd: Annotated[float | None, "US dollars bought by takers; null where no trade was seen or proven"] = None
    taker_sell_usd: Annotated[float | None, "US dollars sold by takers; null where no trade was seen or proven"] = None
    high: Annotated[float | None, "highest trade, quote currency per coin"] = None
    low: Annotated[float | None, "lowest trade, quote currency per coin"] = None
    large_buy_base: Annotated[float | None, "part of taker_buy_base from large trades"] = None
    large_sell_base: Annotated[float | None, "part of taker_sell_base from large trades"] = None


class MarketSlice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One exchange, one partition, one second: what changed. Without entries it is the heartbeat."""

    exchange: Annotated[str, "exchange: bybit"]
    second_ms: Annotated[int, "start of the second by the collector's clock, ms since the epoch, UTC"]
    received_ms: Annotated[int, "collector's clock of the newest frame in it, ms since the epoch, UTC"]
    entries: Annotated[tuple[MarketEntry, ...], "one entry for each symbol that changed"]


class MinuteAggregate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Liquidations of one exchange, symbol and minute of event time. Minutes without liquidations have no record."""

    exchange: Annotated[str, "exchange: bybit"]
    symbol: Annotated[str, "the exchange's own symbol, unchanged"]
    asset: Annotated[str, "coin of the contract"]
    minute_ms: Annotated[int, "start of the minute by the exchange's clock, ms since the epoch, UTC"]
    received_ms: Annotated[int, "collector's clock of the newest frame behind this row, ms since the epoch, UTC"]
    long_count: Annotated[int, "liquidated longs"]
    short_count: Annotated[int, "liquidated shorts"]
    long_base: Annotated[float | None, "coins of liquidated longs; null where one of them is not proven"]
    short_base: Annotated[float | None, "coins of liquidated shorts; null where one of them is not proven"]
    long_usd: Annotated[float | None, "US dollars of liquidated longs; null where one of them is not proven"]
    short_usd: Annotated[float | None, "US dollars of liquidated shorts; null where one of them is not proven"]
    largest_usd: Annotated[float | None, "US dollars of the largest one; null where one is not proven"]
    price_low: Annotated[float, "lowest price, quote currency per coin"]
    price_high: Annotated[float, "highest price, quote currency per coin"]
    price_vwap: Annotated[float | None, "price weighted by coins; null where coins are not proven"]
    source_quality: Annotated[SourceQuality, "the worst quality among the liquidations"]
    late_count: Annotated[int, "liquidations that came after the minute was final"]
    is_final: Annotated[bool, "the exchange's clock has passed the minute by five seconds"]
    version: Annotated[int, "revision << 32 | 2 x liquidations + is_final: the highest is the truth"]


class MarketMinute(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Market of one exchange, symbol and minute of event time."""

    exchange: Annotated[str, "exchange: bybit"]
    symbol: Annotated[str, "the exchange's own symbol, unchanged"]
    asset: Annotated[str, "coin of the contract"]
    minute_ms: Annotated[int, "start of the minute by the exchange's clock, ms since the epoch, UTC"]
    received_ms: Annotated[int, "collector's clock of the newest frame behind this row, ms since the epoch, UTC"]
    mark_open: Annotated[float | None, "first mark price, quote currency per coin"]
    mark_high: Annotated[float | None, "highest mark price, quote currency per coin"]
    mark_low: Annotated[float | None, "lowest mark price, quote currency per coin"]
    mark_close: Annotated[float | None, "last mark price, quote currency per coin"]
    index_close: Annotated[float | None, "last index price, quote currency per coin"]
    last_close: Annotated[float | None, "last traded price, quote currency per coin"]
    open_interest_base: Annotated[float | None, "last open interest, coins, one side"]
    open_interest_usd: Annotated[float | None, "last open interest, US dollars, one side"]
    funding_rate: Annotated[float | None, "last funding rate, fraction per interval"]
    trades: Annotated[int | None, "number of trades; null where none was seen"]
    taker_buy_base: Annotated[float | None, "coins bought by takers; null where no trade was seen"]
    taker_sell_base: Annotated[float | None, "coins sold by takers; null where no trade was seen"]
    taker_buy_usd: Annotated[float | None, "US dollars bought by takers; null where no trade was seen or proven"]
    taker_sell_usd: Annotated[float | None, "US dollars sold by takers; null where no trade was seen or proven"]
    large_buy_base: Annotated[float | None, "part of taker_buy_base from large trades"]
    large_sell_base: Annotated[float | None, "part of taker_sell_base from large trades"]
    is_final: Annotated[bool, "the exchange's clock has passed the minute by five seconds"]
    version: Annotated[int, "revision << 32 | 2 x observations + is_final: the highest is the truth"]


class Evidence(Event, frozen=True, gc=False):
    """The frame behind one liquidation, as it arrived. A frame with several liquidations stands behind each of them."""

    id: Annotated[str, "id of the liquidation, 32 hex digits"]
    source: Annotated[str, "URL of the socket or the request"]
    raw_partition: Annotated[int, "lineage: partition of the raw batch"]
    raw_offset: Annotated[int, "lineage: offset of the raw batch"]
    raw_index: Annotated[int, "lineage: index of the frame in the batch"]
    is_cut: Annotated[bool, "the frame is longer than 64 KiB and `payload` has only the beginning; raw has all of it"]
    payload: Annotated[bytes, "the original bytes"]


class Coverage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is proven of one stream of one exchange in one minute of the collector's clock.

    A minute of which nothing is known has no record. A stream that no channel of a socket is known to carry is polled
    over REST, or comes along in the frames of another one, as open interest does in Bybit's tickers: it counts as
    alive where a frame or an answer brought it and every channel of the exchange was complete.
    """

    exchange: Annotated[str, "exchange: bybit"]
    stream: Annotated[str, "liquidations, quotes, trades, open-interest or funding"]
    minute_ms: Annotated[int, "start of the minute by the collector's clock, ms since the epoch, UTC"]
    received_ms: Annotated[int, "collector's clock of the heartbeat that told this, ms since the epoch, UTC"]
    connected_ms: Annotated[int, "milliseconds in which a socket was open that carries channels of this stream"]
    subscribed_ms: Annotated[int, "milliseconds in which all its channels were subscribed and proven complete"]
    gap_ms: Annotated[int, "milliseconds in which at least one of its channels missed frames"]
    frames: Annotated[int, "frames and answers that brought facts of this stream"]
    gaps: Annotated[int, "stretches of the minute that gap_ms adds up"]
    reconnects: Annotated[int, "sockets that carried channels of this stream and ended"]
    parked_frames: Annotated[int, "frames of its channels, or of no channel that could be told, that nobody understood"]
    proven_by: Annotated[str, "stream on the same sockets whose frames show that they delivered; empty: none did"]
    is_alive: Annotated[bool, "proven complete from 2 s before the minute to 2 s after it: no liquidation means none"]
    is_final: Annotated[bool, "the producer's proof has passed the minute by 2 s; only a later gap still changes it"]
    version: Annotated[int, "revision << 32 | milliseconds from minute_ms to received_ms: the highest is the truth"]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Bytes that could not be understood, where they lie, and why."""

    exchange: Annotated[str, "exchange: bybit"]
    stage: Annotated[str, "stage that could not understand them: normalize"]
    channel: Annotated[str, "channel of the exchange, as far as it could be told; else empty"]
    reason: Annotated[str, "what was seen, then what was expected"]
    source: Annotated[str, "URL of the socket or the request"]
    topic: Annotated[str, "topic of the record, without the prefix of the market"]
    partition: Annotated[int, "partition of the record"]
    offset: Annotated[int, "offset of the record"]
    index: Annotated[int, "index of the frame in the batch"]
    received_ms: Annotated[int, "collector's clock when the frame arrived, ms since the epoch, UTC"]
    is_parked: Annotated[bool, "the channel failed so often in a row that only a sample of its frames is kept here"]
    suppressed: Annotated[
        int, "frames of this channel that failed since its previous dead letter and are not kept here"
    ]
    payload: Annotated[bytes, "the original bytes"]


RECORDS = (
    Liquidation,
    OpenInterest,
    Funding,
    Instrument,
    MarketSlice,
    MinuteAggregate,
    MarketMinute,
    DeadLetter,
    Evidence,
    Coverage,
)

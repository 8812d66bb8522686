"""A tiny exchange whose frames are JSON lists of facts, and builders: a test says only what it is about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from processors.normalize.facts import BadFrame, Fact, Frame, Quote, Trade, Unfilled
from processors.normalize.stage import Normalize
from schemas.identity import liquidation_id
from schemas.raw import SourceKind
from schemas.records import (
    Channel,
    Funding,
    FundingKind,
    Liquidation,
    NativeUnit,
    OpenInterest,
    Position,
    PriceKind,
    QuantityKind,
    SourceQuality,
)

T0 = 1_789_670_100_000  # the start of a minute
assert T0 % 60_000 == 0

TUPLES = (Quote, Trade, Unfilled)
KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Liquidation, OpenInterest, Funding, *TUPLES)}
LONG, SHORT = Position.LONG, Position.SHORT


def at(seconds: float) -> int:
    """Return the time so many seconds after T0, in ms."""
    return T0 + round(seconds * 1000)


def liquidation(
    at_s: float = 1.0,
    usd: float | None = 100.0,
    position: Position = LONG,
    *,
    symbol: str = "BTCUSDT",
    asset: str = "BTC",
    price: float = 50.0,
    received_s: float | None = None,
    quality: SourceQuality = SourceQuality.COMPLETE,
    channel: Channel = Channel.STREAM,
    number: int = 0,
) -> Liquidation:
    """Return a liquidation worth `usd` at `at_s`; equal ones differ by `number`."""
    event_ms = at(at_s)
    return Liquidation(
        exchange="tiny",
        symbol=symbol,
        asset=asset,
        event_ms=event_ms,
        received_ms=event_ms + 20 if received_s is None else at(received_s),
        id=liquidation_id("tiny", "", symbol, position, str(price), str(usd), str(event_ms), "", number),
        position=position,
        price=price,
        price_native=price,
        price_kind=PriceKind.FILL,
        quantity_base=None if usd is None else usd / price,
        quantity_kind=QuantityKind.FILLED,
        quantity_native=1.0,
        native_unit=NativeUnit.CONTRACTS,
        notional_usd=usd,
        source_quality=quality,
        channel=channel,
        raw_partition=1,
        raw_offset=7,
        raw_index=0,
        revision=1,
    )


def quote(at_s: float, mark: float | None = None, *, symbol: str = "BTCUSDT", asset: str = "BTC") -> Quote:
    """Return a quote of the mark price."""
    return Quote(symbol, asset, at(at_s), mark, None, None)


def trade(
    at_s: float,
    base: float,
    *,
    is_buy: bool = True,
    price: float = 50.0,
    usd: float | None = 0.0,
    order: str = "",
    symbol: str = "BTCUSDT",
    asset: str = "BTC",
) -> Trade:
    """Return a print; its dollars are price x coins unless `usd` says they are not known."""
    return Trade(symbol, asset, at(at_s), is_buy, price, base, None if usd is None else price * base, order)


def open_interest(at_s: float, native: float, usd: float | None = None) -> OpenInterest:
    """Return an open interest of so many coins."""
    return OpenInterest(
        exchange="tiny",
        symbol="BTCUSDT",
        asset="BTC",
        event_ms=at(at_s),
        received_ms=at(at_s),
        open_interest_base=native,
        open_interest_usd=usd,
        open_interest_native=native,
        native_unit=NativeUnit.BASE,
        channel=Channel.STREAM,
    )


def funding(at_s: float, rate: float, kind: FundingKind = FundingKind.PREDICTED) -> Funding:
    """Return a funding rate."""
    return Funding(
        exchange="tiny",
        symbol="BTCUSDT",
        asset="BTC",
        event_ms=at(at_s),
        received_ms=at(at_s),
        rate=rate,
        kind=kind,
        channel=Channel.STREAM,
    )


class Tiny:
    """The normalizer of the tiny exchange. It counts its frames, so that its state matters."""

    def __init__(self) -> None:
        self.frames = 0
        self.disconnects: list[str] = []

    def normalize(self, frame: Frame) -> Sequence[Fact]:
        try:
            said = json.loads(frame.payload)
        except ValueError as error:
            raise BadFrame(f"seen {frame.payload!r}, expected JSON", _channel(frame.payload)) from error
        self.frames += 1
        return [msgspec.convert(fields, KINDS[name]) for name, fields in said]

    def stream_of(self, channel: str) -> str:
        return channel.partition(".")[0] if channel.startswith(("liquidations", "quotes", "trades")) else ""

    def disconnected(self, connection: str) -> None:
        self.disconnects.append(connection)

    def state(self) -> object:
        return {"frames": self.frames, "disconnects": list(self.disconnects)}

    def load(self, state: object) -> None:
        assert isinstance(state, dict)
        self.frames, self.disconnects = state["frames"], list(state["disconnects"])


def _channel(payload: bytes) -> str:
    """Return the word before the colon: `trades: garbage`."""
    return payload.partition(b":")[0].decode() if b":" in payload else ""


def tiny_stage(outputs: Sequence[str] | None = None, asset_partitions: int = 2) -> Normalize:
    """Return the stage for the tiny exchange."""
    return Normalize("tiny", Tiny(), 1, asset_partitions, outputs)


def frame(*facts: Fact, received_s: float, kind: SourceKind = SourceKind.FRAME) -> Frame:
    """Return a frame that says these facts."""
    said = [[type(fact).__name__, msgspec.to_builtins(fact)] for fact in facts]
    return raw(json.dumps(said).encode(), received_s=received_s, kind=kind)


def raw(payload: bytes, *, received_s: float, kind: SourceKind = SourceKind.FRAME) -> Frame:
    """Return a frame with this payload."""
    return Frame(payload, at(received_s), kind, "wss://tiny", "tiny-1", 1, 7, 0)


def control(
    said: str,
    *,
    received_s: float,
    channels: Sequence[str] = (),
    from_s: float | None = None,
    to_s: float | None = None,
    connection: str = "tiny-1",
) -> Frame:
    """Return a control frame of the producer."""
    times = {name: at(second) * 1_000_000 for name, second in (("from_ns", from_s), ("to_ns", to_s)) if second}
    payload = json.dumps({"control": said, "channels": channels, **times}).encode()
    return replace(raw(payload, received_s=received_s, kind=SourceKind.CONTROL), connection=connection)

"""What a normalizer receives and returns: a frame in, facts out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from schemas.raw import SourceKind
from schemas.records import Funding, Instrument, Liquidation, OpenInterest


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One raw frame and where it lies."""

    payload: bytes
    received_ms: int
    kind: SourceKind  # FRAME or REST; control frames never reach a normalizer
    url: str  # of the socket, or `GET https://...`; may be empty for a frame, which then decides alone
    connection: str
    partition: int
    offset: int
    index: int


class BadFrame(ValueError):
    """A frame that cannot be understood: says what was seen, then what was expected."""

    def __init__(self, reason: str, channel: str = "") -> None:
        """`channel`: the exchange's channel as far as it could be told (`allLiquidation`); parking goes by it."""
        super().__init__(reason)
        self.channel = channel


def not_understood(exchange: str, channel: str, frame: Frame, error: Exception) -> BadFrame:
    """Return what a normalizer raises where it cannot read a frame."""
    seen = frame.payload[:200].decode(errors="replace")
    return BadFrame(f"{exchange} {channel or 'frame'}: {error}; seen: {seen}", channel)


class Quote(NamedTuple):
    """Prices of one symbol, quote currency per coin of the asset; None means unchanged."""

    symbol: str
    asset: str
    event_ms: int
    mark: float | None
    index: float | None  # type: ignore[assignment]  # as above
    last: float | None


class Trade(NamedTuple):
    """One print of the public trades."""

    symbol: str
    asset: str
    event_ms: int
    is_buy: bool  # the taker bought
    price: float  # quote currency per coin of the asset
    quantity_base: float | None  # coins of the asset; None where it is not proven, as below
    notional_usd: float | None
    order: str  # prints of one taker order share it; they are one trade in size
    number: int = 0  # grows with each print of the symbol, or order; 0 where the exchange shows none


class Unfilled(NamedTuple):
    """A printed liquidation of which nothing was executed: it closed no position, and is only counted."""

    symbol: str
    asset: str
    event_ms: int


Fact = Liquidation | Unfilled | OpenInterest | Funding | Instrument | Quote | Trade


class Normalizer(Protocol):
    """One exchange's frames in the order received; deterministic, bounded state."""

    def normalize(self, frame: Frame) -> Sequence[Fact]:
        """Return the facts of one frame, in order, or raise `BadFrame` and change nothing."""

    def stream_of(self, channel: str) -> str:
        """Return what a channel carries, as control frames or `BadFrame` name it; empty for an unknown one.

        One of `liquidations`, `quotes`, `trades`, `open-interest`, `funding`: coverage is told for each.
        """

    def disconnected(self, connection: str) -> None:
        """Forget what only this connection could have kept up to date."""

    def state(self) -> object:
        """Return the state as plain values (dicts, lists, numbers, text), not shared with the live state."""

    def load(self, state: object) -> None:
        """Continue from `state()`."""

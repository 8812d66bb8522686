"""What happens in the market, in no exchange's words: prices are dollars per coin, quantities are coins."""

from __future__ import annotations

import msgspec

from schemas.records import Position
from simulator.contracts import Contract


class Liquidation(msgspec.Struct, frozen=True, gc=False):
    """A position closed by force, at its bankruptcy price."""

    contract: Contract
    position: Position
    price: float
    quantity_base: float
    event_ms: int


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One order that took: its fills, each a price and a number of coins."""

    contract: Contract
    taker_buys: bool
    fills: tuple[tuple[float, float], ...]
    event_ms: int


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Where a contract stands."""

    contract: Contract
    mark: float
    index: float
    last: float
    open_interest: float  # one side, in coins; of an inverse contract in US dollars
    funding_rate: float | None  # fraction per eight hours; a future has none
    next_funding_ms: int | None
    event_ms: int


Event = Liquidation | Trade | Quote

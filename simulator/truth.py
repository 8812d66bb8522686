"""The file of truth: every liquidation that an exchange made, written before it is sent."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from schemas.records import Position
from simulator.events import Liquidation

_encode = msgspec.json.Encoder().encode


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One liquidation. `price` and `quantity` are the texts that the exchange prints."""

    exchange: str
    category: str  # the exchange's own word for the market
    symbol: str
    asset: str
    position: Position  # the position that was closed
    price: str
    quantity: str
    event_ms: int
    sent_ns: int  # when its frame was handed to the sockets; 0: nobody was subscribed
    quantity_base: float  # coins of the asset
    notional_usd: float  # US dollars at `price`
    withheld: bool = False  # the exchange's own sampling kept it back: nobody was ever to be told


class Listed(Protocol):
    """A contract as an exchange lists it."""

    @property
    def category(self) -> str:
        """The exchange's own word for its market."""

    @property
    def symbol(self) -> str:
        """Its name."""

    def price(self, usd_per_coin: float) -> str:
        """Print a price."""

    def quantity(self, coins: float, usd_per_coin: float) -> str:
        """Print a quantity."""

    def worth(self, quantity: str, price: str) -> tuple[float, float]:
        """Return coins of the asset and US dollars of a printed quantity at a printed price."""


def known(exchange: str, this: Listed, one: Liquidation, sent_ns: int, *, withheld: bool = False) -> Known:
    """Return what is true of a liquidation as it is printed, or would be."""
    price, quantity = this.price(one.price), this.quantity(one.quantity_base, one.price)
    coins, usd = this.worth(quantity, price)
    return Known(
        exchange=exchange,
        category=this.category,
        symbol=this.symbol,
        asset=one.contract.asset,
        position=one.position,
        price=price,
        quantity=quantity,
        event_ms=one.event_ms,
        sent_ns=sent_ns,
        quantity_base=coins,
        notional_usd=usd,
        withheld=withheld,
    )


class Truth:
    """Appends lines of JSON. A line is with the operating system before `write` returns, so kill -9 takes none away."""

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("ab", buffering=0) if path else None

    def write(self, known: list[Known]) -> None:
        """Append liquidations of which the exchange is about to tell."""
        if self._file and known:
            self._file.write(b"".join(_encode(one) + b"\n" for one in known))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

"""What moves: the price of a coin, and what each of its contracts adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from schemas.records import ContractKind
from simulator.contracts import COINS, OTHER_COIN_USD, Contract
from simulator.events import Quote

FUNDING_INTERVAL_MS = 8 * 3_600_000
FUTURES_PREMIUM = 0.01
OPEN_INTEREST_USD = 2e9  # of the most traded contract
SMALL = 0.1  # how much is traded in other contracts of a coin, in parts of its USDT perpetual


@dataclass(slots=True)
class Coin:
    """The price of a coin, now and when the market opened."""

    opened_usd: float
    price_usd: float


@dataclass(slots=True)
class Book:
    """One contract. `weight` is its part of what is traded, where BTCUSDT has 1."""

    contract: Contract
    coin: Coin
    weight: float
    premium: float  # of the contract over the index, in parts of it
    last: float
    open_interest: float  # as in Quote
    funding_rate: float | None

    @property
    def mark(self) -> float:
        """Dollars per coin."""
        return self.coin.price_usd * (1 + self.premium)

    def close(self, quantity_base: float, price: float) -> None:
        """Take a liquidated position out of the open interest, of which there is always some left."""
        closed = quantity_base * price if self.contract.kind is ContractKind.INVERSE else quantity_base
        self.open_interest -= min(closed, self.open_interest / 100)

    def quote(self, now_ms: int) -> Quote:
        """Say where the contract stands now."""
        next_funding_ms = (now_ms // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS
        return Quote(
            self.contract,
            mark=self.mark,
            index=self.coin.price_usd,
            last=self.last,
            open_interest=self.open_interest,
            funding_rate=self.funding_rate,
            next_funding_ms=None if self.funding_rate is None else next_funding_ms,
            event_ms=now_ms,
        )


def open_books(contracts: Sequence[Contract], random: Random) -> list[Book]:
    """Return one book for each contract; the contracts of one asset share its coin."""
    coins: dict[str, Coin] = {}
    books = []
    for contract in contracts:
        opened_usd = COINS.get(contract.asset, OTHER_COIN_USD)
        coin = coins.setdefault(contract.asset, Coin(opened_usd, opened_usd))
        rank = list(coins).index(contract.asset) + 1
        weight = (SMALL if contract.expiry_ms or contract.quote != "USDT" else 1.0) / rank
        inverse = contract.kind is ContractKind.INVERSE
        books.append(
            Book(
                contract,
                coin,
                weight,
                premium=random.gauss(0.0, 3e-4) + (FUTURES_PREMIUM if contract.expiry_ms else 0.0),
                last=opened_usd,
                open_interest=OPEN_INTEREST_USD * weight / (1.0 if inverse else opened_usd),
                funding_rate=None if contract.expiry_ms else 1e-4,
            )
        )
    return books

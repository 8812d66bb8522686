"""One market for every simulated exchange: prices walk, sometimes fall off a cliff, and every liquidation is known.

No I/O and no clock: whoever drives it says how late it is. The same seed and opening time give the same events, in
however many steps one asks for them.

Prices: each coin does a random walk that is pulled back to where it opened. Half of the liquidations come alone. The
other half come in cascades: a burst on the contracts of one coin, each of whose liquidations moves the price further.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import accumulate, cycle

import msgspec

from schemas.records import ContractKind, Position
from simulator.contracts import COINS, OTHER_COIN_USD, Contract, listing

TICK_MS = 20
LONGEST_ABSENCE_MS = 10_000  # nobody wants the events of a night in which the laptop was shut
HOUR_MS = 3_600_000

QUOTES = 0.7  # the part of all frames that are tickers; the rest are trades
QUOTES_PER_CONTRACT = 10.0  # per second: no exchange pushes a ticker faster, so more load takes more contracts

WALK = 5e-5  # standard deviation of a coin's price per tick, in parts of the price
PULL = 2.3e-5  # part of the way back per tick: half of it in ten minutes
CASCADE_LEAST, CASCADE_MORE = 10, 30.0  # liquidations of a cascade: at least, and on average so many more
CASCADE_IMPACT = 8e-4  # mean move of the price per liquidation of a cascade, in parts of the price
TWINS = 0.01  # a position closed in two equal parts at once: two liquidations that look the same
OPEN_INTEREST_USD = 2e9  # of the most traded contract


class Liquidation(msgspec.Struct, frozen=True, gc=False):
    """A position closed by force. `price` is the bankruptcy price of one coin; `quantity_base` are coins."""

    contract: Contract
    position: Position
    price: float
    quantity_base: float
    event_ms: int


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One order that took: its fills, each the price of one coin and a number of coins."""

    contract: Contract
    taker_buys: bool
    fills: tuple[tuple[float, float], ...]
    event_ms: int


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Where a contract stands. Prices are of one coin; `open_interest` is one side, in coins, or USD where inverse."""

    contract: Contract
    mark: float
    index: float
    last: float
    open_interest: float
    funding_rate: float | None  # fraction per eight hours; a future has none
    next_funding_ms: int | None
    event_ms: int


Event = Liquidation | Trade | Quote


@dataclass(slots=True)
class _Coin:
    opened_usd: float
    price_usd: float


@dataclass(slots=True)
class _Book:
    """What moves of one contract."""

    contract: Contract
    coin: _Coin
    premium: float  # of the contract over the index, in parts of it
    last: float
    open_interest: float
    funding_rate: float | None


@dataclass(slots=True)
class _Cascade:
    books: list[_Book]
    position: Position
    left: int
    per_second: float


class Market:
    """Draws quotes, trades and liquidations.

    `rate` is quotes and trades per second over all contracts, liquidations come on top. About 60 contracts, more
    where `rate` asks for more tickers than they push.
    """

    def __init__(self, *, seed: int, opened_ms: int, rate: float = 200.0, liquidations_per_second: float = 2.0) -> None:
        self._random = random.Random(seed)
        self._now_ms = opened_ms
        self._quotes_per_second = rate * QUOTES
        self._trades_per_second = rate * (1 - QUOTES)
        cascade_length = CASCADE_LEAST + CASCADE_MORE - 0.5  # lengths are rounded down
        self._lone_per_second = liquidations_per_second / 2 / (1 + TWINS)
        self._cascades_per_second = self._lone_per_second / cascade_length
        self._cascades: list[_Cascade] = []
        self._quotes_due = 0.0

        self.contracts = listing(opened_ms, max(len(COINS), math.ceil(self._quotes_per_second / QUOTES_PER_CONTRACT)))
        self._coins: dict[str, _Coin] = {}
        self._books = [self._book(contract) for contract in self.contracts]
        self._weights = list(accumulate(self._weight(book.contract) for book in self._books))
        self._next_quoted = cycle(self._random.sample(self._books, len(self._books)))

    def quotes(self) -> list[Quote]:
        """Return where every contract stands now."""
        return [self._quote(book) for book in self._books]

    def step(self, now_ms: int) -> list[Event]:
        """Return what happened since the last step until now, tick by tick.

        After an absence of more than ten seconds the market goes on from now.
        """
        if now_ms - self._now_ms > LONGEST_ABSENCE_MS:
            self._now_ms = now_ms - TICK_MS
        events: list[Event] = []
        while self._now_ms + TICK_MS <= now_ms:
            self._now_ms += TICK_MS
            self._walk()
            events += self._liquidations()
            events += self._trades()
            events += self._quotes()
        return events

    def _book(self, contract: Contract) -> _Book:
        opened_usd = COINS.get(contract.asset, OTHER_COIN_USD)
        coin = self._coins.setdefault(contract.asset, _Coin(opened_usd, opened_usd))
        inverse = contract.kind is ContractKind.INVERSE
        return _Book(
            contract,
            coin,
            premium=self._random.gauss(0.0, 3e-4) + (0.01 if contract.expiry_ms else 0.0),
            last=opened_usd,
            open_interest=OPEN_INTEREST_USD * self._weight(contract) / (1.0 if inverse else opened_usd),
            funding_rate=None if contract.expiry_ms else 1e-4,
        )

    def _weight(self, contract: Contract) -> float:
        rank = list(self._coins).index(contract.asset) + 1
        return (1.0 if contract.quote == "USDT" and not contract.expiry_ms else 0.1) / rank

    def _moments(self, per_second: float) -> list[int]:
        """Return the times of a Poisson process within this tick, in order."""
        moments = []
        if per_second > 0:
            elapsed_ms = self._random.expovariate(per_second / 1000)
            while elapsed_ms < TICK_MS:
                moments.append(self._now_ms - TICK_MS + 1 + int(elapsed_ms))
                elapsed_ms += self._random.expovariate(per_second / 1000)
        return moments

    def _walk(self) -> None:
        together = self._random.gauss(0.0, WALK)
        for coin in self._coins.values():
            alone = self._random.gauss(0.0, WALK)
            coin.price_usd *= 1 + together + alone + PULL * (coin.opened_usd / coin.price_usd - 1)

    def _choose(self) -> _Book:
        return self._random.choices(self._books, cum_weights=self._weights)[0]

    def _liquidations(self) -> list[Liquidation]:
        self._cascades += [self._cascade() for _ in self._moments(self._cascades_per_second)]
        drawn = [
            liquidation
            for event_ms in self._moments(self._lone_per_second)
            for liquidation in self._liquidate(
                self._choose(), self._random.choice((Position.LONG, Position.SHORT)), event_ms
            )
        ]
        for cascade in self._cascades:
            drawn += self._fall(cascade)
        self._cascades = [cascade for cascade in self._cascades if cascade.left > 0]
        return drawn

    def _cascade(self) -> _Cascade:
        coin = self._choose().coin
        above = coin.price_usd / coin.opened_usd - 1
        falls = self._random.random() < 0.5 + 5 * above  # what rose falls: many cascades do not carry a price away
        return _Cascade(
            [book for book in self._books if book.coin is coin],
            Position.LONG if falls else Position.SHORT,
            left=CASCADE_LEAST + int(self._random.expovariate(1 / CASCADE_MORE)),
            per_second=self._random.uniform(5.0, 30.0),
        )

    def _fall(self, cascade: _Cascade) -> list[Liquidation]:
        """Return a cascade's liquidations of this tick; of a cascade of shorts the price rises."""
        direction = -1 if cascade.position is Position.LONG else 1
        drawn: list[Liquidation] = []
        for event_ms in self._moments(cascade.per_second)[: cascade.left]:
            cascade.left -= 1
            book = self._random.choice(cascade.books)
            book.coin.price_usd *= 1 + direction * min(self._random.expovariate(1 / CASCADE_IMPACT), 0.01)
            drawn += self._liquidate(book, cascade.position, event_ms)
        return drawn

    def _liquidate(self, book: _Book, position: Position, event_ms: int) -> list[Liquidation]:
        beyond = self._random.uniform(0.002, 0.01)  # the margin that was left when the position was taken over
        price = self._mark(book) * (1 - beyond if position is Position.LONG else 1 + beyond)
        quantity_base = self._coins_for(8.0, 1.5, price)
        parts = 2 if self._random.random() < TWINS else 1
        self._close(book, parts * quantity_base, price)
        return [Liquidation(book.contract, position, price, quantity_base, event_ms)] * parts

    def _close(self, book: _Book, quantity_base: float, price: float) -> None:
        inverse = book.contract.kind is ContractKind.INVERSE
        closed = quantity_base * price if inverse else quantity_base
        book.open_interest -= min(closed, book.open_interest / 100)

    def _trades(self) -> list[Trade]:
        return [self._trade(self._choose(), event_ms) for event_ms in self._moments(self._trades_per_second)]

    def _trade(self, book: _Book, event_ms: int) -> Trade:
        taker_buys = self._random.random() < 0.5
        towards = 2e-5 if taker_buys else -2e-5
        price = self._mark(book) * (1 + towards)
        count = 1 + int(self._random.expovariate(1.5))
        fills = tuple((price * (1 + n * towards), self._coins_for(6.5, 1.7, price)) for n in range(count))
        book.last = fills[-1][0]
        return Trade(book.contract, taker_buys, fills, event_ms)

    def _quotes(self) -> list[Quote]:
        self._quotes_due += self._quotes_per_second * TICK_MS / 1000
        due = int(self._quotes_due)
        self._quotes_due -= due
        return [self._requote(next(self._next_quoted)) for _ in range(due)]

    def _requote(self, book: _Book) -> Quote:
        if self._random.random() < 0.25:
            book.open_interest *= 1 + self._random.gauss(0.0, 2e-4)
        if book.funding_rate is not None and self._random.random() < 0.02:
            book.funding_rate = self._random.gauss(1e-4, 1e-4)
        return self._quote(book)

    def _quote(self, book: _Book) -> Quote:
        settles = book.funding_rate is not None
        return Quote(
            book.contract,
            mark=self._mark(book),
            index=book.coin.price_usd,
            last=book.last,
            open_interest=book.open_interest,
            funding_rate=book.funding_rate,
            next_funding_ms=(self._now_ms // (8 * HOUR_MS) + 1) * 8 * HOUR_MS if settles else None,
            event_ms=self._now_ms,
        )

    def _mark(self, book: _Book) -> float:
        return book.coin.price_usd * (1 + book.premium)

    def _coins_for(self, log_usd: float, spread: float, price: float) -> float:
        """Draw a size in US dollars, log-normal, and return it in coins."""
        return self._random.lognormvariate(log_usd, spread) / price

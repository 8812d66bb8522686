"""One market for every simulated exchange: prices walk, sometimes fall off a cliff, and every liquidation is known.

No I/O and no clock: whoever drives it says how late it is. The same seed and opening time give the same events, in
however many steps one asks for them.

Each coin does a random walk that is pulled back to where it opened. Half of the liquidations come alone, the other
half in cascades: a burst on the contracts of one coin, each of whose liquidations moves the price further.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, cycle
from random import Random

from schemas.records import Position
from simulator.books import Book, open_books
from simulator.contracts import COINS, listing
from simulator.events import Event, Liquidation, Quote, Trade

TICK_MS = 20
LONGEST_ABSENCE_MS = 10_000  # nobody wants the events of a night in which the laptop was shut

QUOTES = 0.7  # the part of all frames that are tickers; the rest are trades
QUOTES_PER_CONTRACT = 10.0  # per second: no exchange pushes a ticker faster, so more load takes more contracts

WALK = 5e-5  # standard deviation of a coin's price per tick, in parts of the price
PULL = 2.3e-5  # part of the way back per tick: half of it in ten minutes
CASCADE_LEAST, CASCADE_MORE = 10, 30.0  # liquidations of a cascade: at least, and on average so many more
CASCADE_IMPACT, LARGEST_IMPACT = 8e-4, 0.01  # of one liquidation in a cascade: on average, and at most
TWINS = 0.01  # a position closed in two equal parts at once: two liquidations that look the same


@dataclass(slots=True)
class _Cascade:
    books: list[Book]
    position: Position
    left: int
    per_second: float


class Market:
    """Draws quotes, trades and liquidations.

    `rate` is quotes and trades per second over all contracts; liquidations come on top. There are 60 contracts, more
    where `rate` asks for more tickers than these push.
    """

    def __init__(self, *, seed: int, opened_ms: int, rate: float = 200.0, liquidations_per_second: float = 2.0) -> None:
        self._random = Random(seed)
        self._now_ms = opened_ms
        self._quotes_per_second = rate * QUOTES
        self._trades_per_second = rate * (1 - QUOTES)
        self._lone_per_second = liquidations_per_second / 2 / (1 + TWINS)
        self._cascades_per_second = self._lone_per_second / (CASCADE_LEAST + CASCADE_MORE)

        self.contracts = listing(opened_ms, max(len(COINS), math.ceil(self._quotes_per_second / QUOTES_PER_CONTRACT)))
        self._books = open_books(self.contracts, self._random)
        self._coins = list({id(book.coin): book.coin for book in self._books}.values())
        self._weights = list(accumulate(book.weight for book in self._books))
        self._cascades: list[_Cascade] = []
        self._next_quoted = cycle(self._random.sample(self._books, len(self._books)))
        self._quotes_due = 0.0

    def quotes(self) -> list[Quote]:
        """Return where every contract stands now."""
        return [book.quote(self._now_ms) for book in self._books]

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
            events += sorted(self._liquidations(), key=lambda liquidation: liquidation.event_ms)
            events += self._trades()
            events += self._quotes()
        return events

    def _moments(self, per_second: float) -> Iterator[int]:
        """Yield the times of a Poisson process within this tick, in order."""
        elapsed_ms = 0.0
        while per_second > 0:
            elapsed_ms += self._random.expovariate(per_second / 1000)
            if elapsed_ms >= TICK_MS:
                return
            yield self._now_ms - TICK_MS + 1 + int(elapsed_ms)

    def _choose(self) -> Book:
        return self._random.choices(self._books, cum_weights=self._weights)[0]

    def _walk(self) -> None:
        together = self._random.gauss(0.0, WALK)
        for coin in self._coins:
            alone = self._random.gauss(0.0, WALK)
            coin.price_usd *= 1 + together + alone + PULL * (coin.opened_usd / coin.price_usd - 1)

    def _liquidations(self) -> Iterator[Liquidation]:
        for event_ms in self._moments(self._lone_per_second):
            position = self._random.choice((Position.LONG, Position.SHORT))
            yield from self._liquidate(self._choose(), position, event_ms)
        self._cascades += [self._cascade() for _ in self._moments(self._cascades_per_second)]
        for cascade in self._cascades:
            yield from self._go_on(cascade)
        self._cascades = [cascade for cascade in self._cascades if cascade.left > 0]

    def _cascade(self) -> _Cascade:
        coin = self._choose().coin
        above = coin.price_usd / coin.opened_usd - 1
        falls = self._random.random() < 0.5 + 5 * above  # what rose falls: many cascades do not carry a price away
        return _Cascade(
            [book for book in self._books if book.coin is coin],
            Position.LONG if falls else Position.SHORT,
            left=CASCADE_LEAST + round(self._random.expovariate(1 / CASCADE_MORE)),
            per_second=self._random.uniform(5.0, 30.0),
        )

    def _go_on(self, cascade: _Cascade) -> Iterator[Liquidation]:
        """Yield a cascade's liquidations of this tick. Closed longs are sold and the price falls, shorts lift it."""
        direction = -1 if cascade.position is Position.LONG else 1
        for event_ms in self._moments(cascade.per_second):
            if cascade.left == 0:
                return
            cascade.left -= 1
            book = self._random.choice(cascade.books)
            book.coin.price_usd *= 1 + direction * min(self._random.expovariate(1 / CASCADE_IMPACT), LARGEST_IMPACT)
            yield from self._liquidate(book, cascade.position, event_ms)

    def _liquidate(self, book: Book, position: Position, event_ms: int) -> list[Liquidation]:
        margin = self._random.uniform(0.002, 0.01)  # what was left of it when the exchange took the position over
        price = book.mark * (1 - margin if position is Position.LONG else 1 + margin)
        quantity_base = self._random.lognormvariate(8.0, 1.5) / price
        parts = 2 if self._random.random() < TWINS else 1
        book.close(parts * quantity_base, price)
        return [Liquidation(book.contract, position, price, quantity_base, event_ms)] * parts

    def _trades(self) -> list[Trade]:
        return [self._trade(self._choose(), event_ms) for event_ms in self._moments(self._trades_per_second)]

    def _trade(self, book: Book, event_ms: int) -> Trade:
        taker_buys = self._random.random() < 0.5
        spread = 2e-5 if taker_buys else -2e-5
        prices = [book.mark * (1 + n * spread) for n in range(1, 2 + int(self._random.expovariate(1.5)))]
        book.last = prices[-1]
        fills = tuple((price, self._random.lognormvariate(6.5, 1.7) / price) for price in prices)
        return Trade(book.contract, taker_buys, fills, event_ms)

    def _quotes(self) -> list[Quote]:
        self._quotes_due += self._quotes_per_second * TICK_MS / 1000
        due = int(self._quotes_due)
        self._quotes_due -= due
        return [self._requote(next(self._next_quoted)) for _ in range(due)]

    def _requote(self, book: Book) -> Quote:
        if self._random.random() < 0.25:
            book.open_interest *= 1 + self._random.gauss(0.0, 2e-4)
        if book.funding_rate is not None and self._random.random() < 0.02:
            book.funding_rate = self._random.gauss(1e-4, 1e-4)
        return book.quote(self._now_ms)

"""Frames of one exchange in the mix of the benchmarks, in the order and at the pace in which they are to be sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import cycle
from operator import itemgetter

from simulator.contracts import COINS
from simulator.events import Event, Liquidation, Quote, Trade
from simulator.market import TICK_MS, Market

from .prints import PRINTERS, Printed

MAJORS = tuple(COINS)  # whose trades are read
SHARES: dict[type[Event], int] = {Quote: 70, Trade: 28, Liquidation: 2}  # of a hundred frames
PLACES = [(n / share, kind) for kind, share in SHARES.items() for n in range(share)]
MIX = [kind for _, kind in sorted(PLACES, key=itemgetter(0))]  # each kind at even distances
SURPLUS = 2.0  # the market makes so much more than is sent: trades of other coins, calm moments
FRESH_S = 0.5  # what has waited longer is never told
BEFORE_MS = 1_000  # so much earlier the market opens, and has events of each kind when the tape begins
SEED = 7


def market(begin_ms: int, rate: int) -> Market:
    """Return the market of a tape that begins then, with so many frames a second."""
    liquidations = rate * SURPLUS * SHARES[Liquidation] / 100
    return Market(seed=SEED, opened_ms=begin_ms - BEFORE_MS, rate=rate * SURPLUS, liquidations_per_second=liquidations)


def tape(exchange: str, source: Market, begin_ms: int, rate: int) -> Iterator[Printed]:
    """Yield frames without end: number n is due `n / rate` seconds after `begin_ms`, and tells what just happened."""
    printer = PRINTERS[exchange](source)
    waiting = {kind: deque[Event](maxlen=int(FRESH_S * rate * share / 100)) for kind, share in SHARES.items()}
    told: dict[type[Event], deque[Printed]] = {kind: deque() for kind in SHARES}
    now_ms = 0
    for number, kind in enumerate(cycle(MIX)):
        due_ms = begin_ms + number * 1_000 // rate
        if due_ms >= now_ms + TICK_MS:
            now_ms = due_ms
            for event in dict.fromkeys(source.step(now_ms)):  # twins would be repeats in frames of their own
                if not isinstance(event, Trade) or event.contract.asset in MAJORS:
                    waiting[type(event)].append(event)
        while not told[kind]:
            told[kind].extend(printer.tell(waiting[kind].popleft(), now_ms))
        yield told[kind].popleft()

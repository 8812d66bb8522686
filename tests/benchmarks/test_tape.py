from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice

import pytest

from benchmarks.prints import PRINTERS, Printed
from benchmarks.tape import market, tape
from processors.normalize.facts import Fact, Frame, Quote, Trade
from processors.normalize.registry import NORMALIZERS
from schemas.raw import SourceKind
from schemas.records import Liquidation

BEGIN_MS = 1_800_000_000_000
RATE = 5_000
COUNT = 6_000

exchanges = pytest.mark.parametrize("exchange", PRINTERS)


def frames(exchange: str, count: int = COUNT) -> list[Printed]:
    return list(islice(tape(exchange, market(BEGIN_MS, RATE), BEGIN_MS, RATE), count))


def facts(exchange: str, printed: list[Printed]) -> list[Sequence[Fact]]:
    """Return what each frame means, received when it is due."""
    normalizer = NORMALIZERS[exchange]()
    return [
        normalizer.normalize(Frame(one.frame, due_ms(number), SourceKind.FRAME, "", "a", 0, 0, number))
        for number, one in enumerate(printed)
    ]


def due_ms(number: int) -> int:
    return BEGIN_MS + number * 1_000 // RATE


def kind(topic: str) -> type:
    names = {"orce": Liquidation, "iquidation": Liquidation, "rade": Trade}
    return next((found for name, found in names.items() if name in topic), Quote)


# Changes of a ticker mean nothing without a snapshot.
NEEDS_CONTEXT: dict[str, set[type]] = {"binance": set(), "bybit": {Quote}, "okx": set()}


@exchanges
def test_of_a_hundred_frames_seventy_are_quotes_and_two_are_liquidations(exchange: str) -> None:
    counts = Counter(kind(one.topic) for one in frames(exchange))

    assert counts == {Quote: 4_200, Trade: 1_680, Liquidation: 120}


@exchanges
def test_frames_are_the_same_at_each_run(exchange: str) -> None:
    assert frames(exchange, 500) == frames(exchange, 500)


@exchanges
def test_the_normalizer_understands_every_frame_and_no_liquidation_comes_twice(exchange: str) -> None:
    printed = frames(exchange)
    found = facts(exchange, printed)
    liquidations = [fact for told in found for fact in told if isinstance(fact, Liquidation)]

    assert {type(fact) for told in found for fact in told} >= {Quote, Trade, Liquidation} - NEEDS_CONTEXT[exchange]
    assert len(liquidations) == len({one.id for one in liquidations}) == 120


@exchanges
def test_what_is_told_has_just_happened(exchange: str) -> None:
    told = facts(exchange, frames(exchange))
    ages_ms = [due_ms(number) - fact.event_ms for number, found in enumerate(told) for fact in found]

    assert min(ages_ms) >= 0
    assert max(ages_ms) < 1_000

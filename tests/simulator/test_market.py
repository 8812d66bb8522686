from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest

from schemas.records import Position
from simulator.events import Event, Liquidation, Quote, Trade
from simulator.market import TICK_MS, Market

OPENED_MS = 1_795_000_000_000


def market(**options: Any) -> Market:
    return Market(**{"seed": 7, "opened_ms": OPENED_MS, **options})


def passing(seconds: float, **options: Any) -> list[Event]:
    """Return the events of a market over some seconds, asked for every tick."""
    one = market(**options)
    moments = range(OPENED_MS, OPENED_MS + int(seconds * 1000) + 1, TICK_MS)
    return [event for now_ms in moments for event in one.step(now_ms)]


def test_the_same_seed_gives_the_same_events_in_however_many_steps() -> None:
    stepped = market()
    uneven = [event for passed in (13, 20, 1999, 2000, 7777, 9999) for event in stepped.step(OPENED_MS + passed)]

    assert uneven == market().step(OPENED_MS + 9999)
    assert len(uneven) > 1500


def test_another_seed_gives_other_events() -> None:
    assert market(seed=1).step(OPENED_MS + 1000) != market(seed=2).step(OPENED_MS + 1000)


def test_rates_are_kept_on_average() -> None:
    counts = Counter(type(event) for event in passing(150, rate=100, liquidations_per_second=100))

    assert counts[Quote] == pytest.approx(70 * 150, rel=0.001)
    assert counts[Trade] == pytest.approx(30 * 150, rel=0.05)
    assert counts[Liquidation] == pytest.approx(100 * 150, rel=0.15)


def test_without_liquidations_there_are_none() -> None:
    kinds = {type(event) for event in passing(10, liquidations_per_second=0)}

    assert kinds == {Quote, Trade}


def test_a_cascade_closes_one_side_of_one_coin_and_moves_its_price() -> None:
    events = passing(200, rate=500, liquidations_per_second=5)
    bursts: dict[tuple[str, Position, int], int] = Counter(
        (event.contract.asset, event.position, event.event_ms // 5000)
        for event in events
        if isinstance(event, Liquidation)
    )
    (asset, position, five_seconds), size = max(bursts.items(), key=lambda item: item[1])
    index = [
        event.index
        for event in events
        if isinstance(event, Quote) and event.contract.asset == asset and event.event_ms // 5000 == five_seconds
    ]

    move = index[-1] / index[0] - 1
    assert size >= 20
    assert (move < -0.005) if position is Position.LONG else (move > 0.005)


def test_a_bankruptcy_price_lies_beyond_the_mark() -> None:
    events = passing(20, rate=1000, liquidations_per_second=50)
    mark: dict[object, float] = {}
    sides: dict[Position, list[float]] = defaultdict(list)
    for event in events:
        if isinstance(event, Quote):
            mark[event.contract] = event.mark
        elif isinstance(event, Liquidation) and event.contract in mark:
            sides[event.position].append(event.price / mark[event.contract] - 1)

    assert sorted(sides[Position.LONG])[len(sides[Position.LONG]) // 2] < -0.002
    assert sorted(sides[Position.SHORT])[len(sides[Position.SHORT]) // 2] > 0.002


def test_liquidations_come_in_the_order_of_their_time_and_twins_happen() -> None:
    liquidations = [event for event in passing(60, liquidations_per_second=50) if isinstance(event, Liquidation)]

    assert all(one.event_ms <= other.event_ms for one, other in pairwise(liquidations))
    assert any(one == other for one, other in pairwise(liquidations))
    assert all(OPENED_MS < one.event_ms <= OPENED_MS + 60_000 for one in liquidations)


def test_no_contract_is_quoted_more_often_than_every_100_ms_whatever_the_load() -> None:
    last_ms: dict[object, int] = {}
    for event in passing(2, rate=5000):
        if isinstance(event, Quote):
            assert event.event_ms - last_ms.get(event.contract, 0) >= 100
            last_ms[event.contract] = event.event_ms


def test_prices_stay_near_where_they_opened() -> None:
    one = market(rate=10, liquidations_per_second=150)
    opened = {quote.contract: quote.index for quote in one.quotes()}
    for ten_seconds in range(1, 25):
        one.step(OPENED_MS + ten_seconds * 10_000)

    assert all(0.5 < quote.index / opened[quote.contract] < 2 for quote in one.quotes())
    assert all(quote.open_interest > 0 for quote in one.quotes())


def test_after_a_long_absence_the_market_goes_on_from_now() -> None:
    night_ms = 8 * 3_600_000
    events = market(rate=1000).step(OPENED_MS + night_ms)

    assert {event.event_ms // 100 for event in events} <= {
        (OPENED_MS + night_ms) // 100,
        (OPENED_MS + night_ms) // 100 - 1,
    }
    assert 0 < len(events) < 100

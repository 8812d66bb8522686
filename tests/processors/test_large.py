from __future__ import annotations

import random
from math import isnan

import pytest

from processors import large as module
from processors.large import ENOUGH, HALVE_AT, LargeOrders
from processors.pieces import pack, unpack


def seen(sizes: list[float], symbol: str = "BTCUSDT") -> LargeOrders:
    orders = LargeOrders()
    for size in sizes:
        orders.large_part(symbol, size)
    return orders


def test_nothing_is_known_before_enough_orders() -> None:
    orders = LargeOrders()
    parts = [orders.large_part("BTCUSDT", 1.0) for _ in range(ENOUGH + 1)]
    assert all(map(isnan, parts[:ENOUGH]))
    assert parts[ENOUGH] == 0.0


def test_about_one_order_of_a_hundred_is_large_and_it_is_the_largest() -> None:
    chance = random.Random(1)
    sizes = [chance.lognormvariate(0, 2) for _ in range(20_000)]
    orders = seen(sizes[:10_000])
    large = [size for size in sizes[10_000:] if orders.large_part("BTCUSDT", size)]
    exact = sorted(sizes)[int(0.99 * len(sizes))]
    assert 50 <= len(large) <= 150
    assert exact / 1.3 < min(large) < exact * 1.3


def test_equal_orders_are_never_large() -> None:
    orders = seen([5.0] * 3_000)
    assert orders.large_part("BTCUSDT", 5.0) == 0.0
    assert orders.large_part("BTCUSDT", 6.0) == 6.0


def test_symbols_have_their_own_sizes() -> None:
    orders = seen([5.0] * 3_000)
    assert isnan(orders.large_part("ETHUSDT", 6.0))


def test_the_quantile_trails() -> None:
    orders = seen([1.0] * HALVE_AT + [1_000.0] * 3 * HALVE_AT)
    assert orders.large_part("BTCUSDT", 1_000.0) == 0.0
    for _ in range(6 * HALVE_AT):
        orders.large_part("BTCUSDT", 1.0)
    assert orders.large_part("BTCUSDT", 2.0) == 2.0


def test_the_number_of_symbols_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SYMBOLS", 2)
    orders = seen([5.0] * 3_000)
    orders.large_part("ETHUSDT", 1.0)
    orders.large_part("SOLUSDT", 1.0)
    assert len(orders.tables()["large"]) == 2
    assert isnan(orders.large_part("BTCUSDT", 6.0))


@pytest.mark.parametrize("orders_before", [0, 1, 999, 1_050, 25_000])
def test_a_restart_anywhere_changes_nothing(orders_before: int) -> None:
    chance = random.Random(orders_before)
    steady, restarted = seen([chance.lognormvariate(0, 2) for _ in range(orders_before)]), LargeOrders()
    restarted.load(unpack(pack(steady.tables())))
    more = [chance.lognormvariate(0, 2) for _ in range(500)]
    assert list(map(repr, (restarted.large_part("BTCUSDT", size) for size in more))) == list(
        map(repr, (steady.large_part("BTCUSDT", size) for size in more))
    )
    assert pack(restarted.tables()) == pack(steady.tables())

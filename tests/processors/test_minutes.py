from __future__ import annotations

import random

import pytest

from processors import minutes as module
from processors.minutes import KEEP_MS, Minutes
from processors.pieces import pack, unpack
from schemas.records import Liquidation, MinuteAggregate, SourceQuality

from .tiny import LONG, SHORT, T0, at, liquidation

FLOOR = 0


def aggregate(
    count: int,
    *,
    is_final: bool = False,
    revision: int = 1,
    minute_ms: int = T0,
    symbol: str = "BTCUSDT",
    **changes: object,
) -> MinuteAggregate:
    """Return the aggregate of longs of 100 USD at a price of 50."""
    values: dict[str, object] = {
        "received_ms": at(1.02),
        "long_count": count,
        "short_count": 0,
        "long_base": 2.0 * count,
        "short_base": 0.0,
        "long_usd": 100.0 * count,
        "short_usd": 0.0,
        "largest_usd": 100.0,
        "price_low": 50.0,
        "price_high": 50.0,
        "price_vwap": 50.0,
        "source_quality": SourceQuality.COMPLETE,
        "late_count": 0,
    }
    return MinuteAggregate(
        exchange="tiny",
        symbol=symbol,
        asset="BTC",
        minute_ms=minute_ms,
        is_final=is_final,
        version=revision << 32 | 2 * count + is_final,
        **{**values, **changes},  # type: ignore[arg-type]  # each has the type of its field
    )


def folded(*liquidations: Liquidation) -> Minutes:
    minutes = Minutes("tiny", 1)
    for one in liquidations:
        minutes.receive(one)
    return minutes


def restored(minutes: Minutes) -> Minutes:
    copy = Minutes("tiny", 1)
    copy.load(unpack(pack(minutes.tables())))
    return copy


def test_a_minute_adds_up_sides_prices_and_the_largest() -> None:
    minutes = folded(
        liquidation(1, 100, LONG, price=50),
        liquidation(2, 300, SHORT, price=100, received_s=4),
        liquidation(3, 80, SHORT, price=40),
    )
    assert minutes.close(at(10), FLOOR) == [
        aggregate(
            3,
            received_ms=at(4),
            long_count=1,
            short_count=2,
            long_base=2.0,
            short_base=5.0,
            long_usd=100.0,
            short_usd=380.0,
            largest_usd=300.0,
            price_low=40.0,
            price_high=100.0,
            price_vwap=480 / 7,
        )
    ]


def test_a_sum_is_null_as_soon_as_one_summand_is_not_proven() -> None:
    minutes = folded(liquidation(1, 100, LONG), liquidation(1, None, SHORT), liquidation(1, 300, SHORT))
    assert minutes.close(at(10), FLOOR) == [
        aggregate(
            3,
            long_count=1,
            short_count=2,
            long_base=2.0,
            short_base=None,
            long_usd=100.0,
            short_usd=None,
            largest_usd=None,
            price_vwap=None,
        )
    ]


def test_the_worst_quality_of_a_minute_counts() -> None:
    minutes = folded(
        liquidation(1, quality=SourceQuality.SAMPLED),
        liquidation(1, quality=SourceQuality.COMPLETE, number=1),
    )
    assert [row.source_quality for row in minutes.close(at(10), FLOOR)] == [SourceQuality.SAMPLED]
    assert module.worst(list(SourceQuality)) is SourceQuality.UNKNOWN


def test_only_what_changed_is_given_out_again() -> None:
    minutes = folded(liquidation(1), liquidation(1, symbol="BTCPERP"))
    assert minutes.close(at(2), FLOOR) == [aggregate(1), aggregate(1, symbol="BTCPERP")]
    assert minutes.close(at(3), FLOOR) == []
    minutes.receive(liquidation(1, number=1))
    assert minutes.close(at(4), FLOOR) == [aggregate(2)]


def test_a_minute_is_final_five_seconds_after_its_end() -> None:
    minutes = folded(liquidation(1))
    minutes.close(at(2), FLOOR)
    assert minutes.close(at(64.999), FLOOR) == []
    assert minutes.close(at(65), FLOOR) == [aggregate(1, is_final=True)]
    assert minutes.close(at(66), FLOOR) == []


def test_a_late_liquidation_revises_its_final_minute() -> None:
    minutes = folded(liquidation(1))
    minutes.close(at(65), FLOOR)
    minutes.receive(liquidation(1, number=1, received_s=70))
    assert minutes.close(at(71), FLOOR) == [aggregate(2, is_final=True, late_count=1, received_ms=at(70))]
    assert minutes.late == 1


def test_a_late_liquidation_opens_a_final_minute_that_had_none() -> None:
    minutes = folded()
    minutes.close(at(65), FLOOR)
    minutes.receive(liquidation(1))
    assert minutes.close(at(71), FLOOR) == [aggregate(1, is_final=True, late_count=1)]


def test_what_is_older_than_two_hours_folds_into_no_minute() -> None:
    minutes = folded(liquidation(1))
    minutes.close(at(65), FLOOR)
    minutes.close(at(61) + KEEP_MS, T0 + 60_000)
    minutes.receive(liquidation(1, number=1))
    assert minutes.close(at(65) + KEEP_MS, T0 + 60_000) == []
    assert minutes.too_old == 1


def test_beyond_the_bound_the_oldest_minutes_can_be_revised_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    minutes = folded(liquidation(1), liquidation(61), liquidation(121))
    minutes.close(at(300), FLOOR)
    minutes.receive(liquidation(1, number=1))
    minutes.receive(liquidation(61, number=1))
    assert [row.minute_ms for row in minutes.close(at(301), FLOOR)] == [T0 + 60_000]
    assert (minutes.dropped, minutes.too_old) == (1, 1)


def test_a_snapshot_is_left_alone_by_what_comes_later() -> None:
    minutes = folded(liquidation(1), liquidation(61))
    minutes.close(at(65), FLOOR)
    tables = minutes.tables()
    before = pack(tables)
    minutes.receive(liquidation(1, number=1))
    minutes.receive(liquidation(61, number=1))
    minutes.close(at(200), FLOOR)
    assert pack(tables) == before


@pytest.mark.parametrize("seed", range(20))
def test_order_within_the_grace_does_not_matter_and_totals_agree(seed: int) -> None:
    chance = random.Random(seed)
    events = [
        liquidation(
            chance.randrange(60),
            chance.choice([None, 64.0, 128.0, 512.0]),
            chance.choice([LONG, SHORT]),
            symbol=chance.choice(["BTCUSDT", "BTCPERP"]),
            price=chance.choice([32.0, 64.0]),
            number=number,
            quality=chance.choice([SourceQuality.COMPLETE, SourceQuality.CAPPED]),
        )
        for number in range(50)
    ]  # powers of two: their sums are exact in any order
    results = []
    for _ in range(3):
        chance.shuffle(events)
        minutes = folded(*events[:25])
        minutes.close(at(64), FLOOR)
        for late in events[25:]:
            minutes.receive(late)
        results.append(sorted(minutes.close(at(65), FLOOR), key=lambda row: row.symbol))
    assert results[0] == results[1] == results[2]
    for row in results[0]:
        mine = [event for event in events if event.symbol == row.symbol]
        longs = [event.notional_usd for event in mine if event.position is LONG]
        proven = [usd for usd in longs if usd is not None]
        assert (row.long_count, row.short_count) == (len(longs), len(mine) - len(longs))
        assert row.long_usd == (sum(proven) if len(proven) == len(longs) else None)
        assert row.is_final


@pytest.mark.parametrize("seed", range(20))
def test_a_restart_anywhere_changes_nothing(seed: int) -> None:
    chance = random.Random(seed)
    steady, broken = folded(), folded()
    for number in range(150):
        if chance.random() < 0.2:
            broken = restored(broken)
        if chance.random() < 0.3:
            watermark_ms = at(number * 3)
            floor_ms = T0 + 60_000 * (number // 50)
            assert broken.close(watermark_ms, floor_ms) == steady.close(watermark_ms, floor_ms)
        event = liquidation(chance.uniform(0, number * 3), chance.choice([None, 1.5, 3.7]), number=number)
        steady.receive(event)
        broken.receive(event)
    assert pack(restored(broken).tables()) == pack(steady.tables())

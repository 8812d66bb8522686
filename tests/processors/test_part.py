from __future__ import annotations

from math import nan

from processors.part import Part, flow

from .tiny import T0


def earlier() -> Part:
    return Part(
        T0, "BTCUSDT", "BTC", event_ms=T0 + 1, received_ms=T0 + 2, observations=3,
        mark_open=50.0, mark_high=60.0, mark_low=40.0, mark=45.0, index=46.0, last=47.0,
        trades=2, high=55.0, low=44.0, buy_base=1.0, sell_base=2.0, buy_usd=50.0, sell_usd=100.0,
        large_buy_base=0.5, large_sell_base=0.25,
        open_interest_base=10.0, open_interest_usd=500.0, funding_rate=0.1, open_interest_ms=T0 + 1,
    )  # fmt: skip


def test_two_stretches_add_up() -> None:
    total = earlier()
    later = Part(
        T0, "BTCUSDT", "BTC", event_ms=T0 + 11, received_ms=T0 + 12, observations=4,
        mark_open=61.0, mark_high=70.0, mark_low=30.0, mark=35.0, index=36.0, last=37.0,
        trades=3, high=71.0, low=31.0, buy_base=4.0, sell_base=8.0, buy_usd=200.0, sell_usd=400.0,
        large_buy_base=1.0, large_sell_base=2.0,
        open_interest_base=11.0, open_interest_usd=None, funding_rate=0.2, open_interest_ms=T0 + 11,
    )  # fmt: skip
    total.absorb(later)
    assert total == Part(
        T0, "BTCUSDT", "BTC", event_ms=T0 + 11, received_ms=T0 + 12, observations=7,
        mark_open=50.0, mark_high=70.0, mark_low=30.0, mark=35.0, index=36.0, last=37.0,
        trades=5, high=71.0, low=31.0, buy_base=5.0, sell_base=10.0, buy_usd=250.0, sell_usd=500.0,
        large_buy_base=1.5, large_sell_base=2.25,
        open_interest_base=11.0, open_interest_usd=None, funding_rate=0.2, open_interest_ms=T0 + 11,
    )  # fmt: skip


def test_an_open_interest_of_the_past_replaces_no_newer_one() -> None:
    total = earlier()
    total.absorb(Part(T0, "BTCUSDT", "BTC", open_interest_base=9.0, open_interest_ms=T0))
    assert total == earlier()


def test_a_stretch_in_which_nothing_came_changes_nothing() -> None:
    total = earlier()
    total.absorb(Part(T0, "BTCUSDT", "BTC"))
    assert total == earlier()


def test_a_sum_over_trades_is_null_without_trades_and_without_proof() -> None:
    assert [flow(0.0, 0), flow(nan, 1), flow(0.0, 1)] == [None, None, 0.0]

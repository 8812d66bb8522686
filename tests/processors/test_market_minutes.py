from __future__ import annotations

from math import nan

import pytest

from processors import market_minutes as module
from processors.market_minutes import MarketMinutes
from processors.part import Part
from processors.pieces import pack, unpack
from schemas.records import MarketMinute

from .tiny import T0, at


def part(
    at_s: float, mark: float | None = None, bought: float = 0.0, usd: float = 0.0, symbol: str = "BTCUSDT"
) -> Part:
    """Return what one second brought: a mark price, or one trade at a price of 50."""
    seen = Part(
        at(at_s) - at(at_s) % 60_000, symbol, "BTC", event_ms=at(at_s), received_ms=at(at_s) + 20, observations=1
    )
    if mark is not None:
        seen.mark_open = seen.mark_high = seen.mark_low = seen.mark = mark
    if bought:
        seen.trades, seen.high, seen.low, seen.last = 1, 50.0, 50.0, 50.0
        seen.buy_base, seen.buy_usd, seen.large_buy_base = bought, usd, nan
    return seen


def row(minute_ms: int, observations: int, *, is_final: bool, received_s: float, **changes: float) -> MarketMinute:
    nothing = dict.fromkeys(
        (
            "mark_open", "mark_high", "mark_low", "mark_close", "index_close", "last_close",
            "open_interest_base", "open_interest_usd", "funding_rate", "trades",
            "taker_buy_base", "taker_sell_base", "taker_buy_usd", "taker_sell_usd",
            "large_buy_base", "large_sell_base",
        )
    )  # fmt: skip
    return MarketMinute(
        exchange="tiny",
        symbol="BTCUSDT",
        asset="BTC",
        minute_ms=minute_ms,
        received_ms=at(received_s) + 20,
        is_final=is_final,
        version=1 << 32 | 2 * observations + is_final,
        **{**nothing, **changes},  # type: ignore[arg-type]  # each has the type of its field
    )


def marks(first: float, high: float, low: float, last: float) -> dict[str, float]:
    return {"mark_open": first, "mark_high": high, "mark_low": low, "mark_close": last}


def test_seconds_add_up_to_a_final_minute() -> None:
    minutes = MarketMinutes("tiny", 1)
    for one in (part(1, 50.0), part(2, 70.0), part(3, 40.0), part(4, bought=2, usd=100.0), part(5, bought=1, usd=50.0)):
        minutes.receive(one)
    assert minutes.close(at(64.9), T0) == [
        row(
            T0, 5, is_final=False, received_s=5, **marks(50.0, 70.0, 40.0, 40.0), last_close=50.0, trades=2,
            taker_buy_base=3.0, taker_sell_base=0.0, taker_buy_usd=150.0, taker_sell_usd=0.0, large_sell_base=0.0,
        )
    ]  # fmt: skip
    minutes.receive(part(59, 45.0))
    assert [(one.mark_close, one.version) for one in minutes.close(at(65), T0)] == [(45.0, 1 << 32 | 13)]
    assert minutes.close(at(66), T0 + 60_000) == []


def test_a_minute_in_progress_is_shown_every_ten_seconds_where_it_changed() -> None:
    minutes = MarketMinutes("tiny", 1)
    shown = []
    for second in range(31):
        if second in (3, 5, 21):
            minutes.receive(part(second, float(second)))
        shown += [(second, one.mark_close) for one in minutes.close(at(second), at(second))]
    assert shown == [(10, 5.0), (30, 21.0)]


def test_what_comes_after_its_minute_was_closed_is_counted() -> None:
    minutes = MarketMinutes("tiny", 1)
    minutes.close(at(65), T0)
    minutes.receive(part(1, 50.0))
    assert minutes.flush() == []
    assert minutes.late == 1


def test_without_a_watermark_the_open_minutes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OPEN", 2)
    minutes = MarketMinutes("tiny", 1)
    for minute in range(4):
        minutes.receive(part(60 * minute, 50.0))
    assert [one.minute_ms for one in minutes.flush()] == [T0 + 60_000 * minute for minute in range(4)]
    assert len(minutes.tables()["market_minutes"]) == 2
    minutes.receive(part(61, 51.0))
    assert (minutes.flush(), minutes.late) == ([], 1)


def test_a_restart_anywhere_changes_nothing() -> None:
    steady, broken = MarketMinutes("tiny", 1), MarketMinutes("tiny", 1)
    rows = 0
    for second in range(0, 400, 3):
        copy = MarketMinutes("tiny", 1)
        copy.load(unpack(pack(broken.tables())))
        broken = copy
        for minutes in (steady, broken):
            minutes.receive(part(second, float(second % 7), symbol=f"S{second % 2}"))
        closed = steady.close(at(second), at(second))
        assert broken.close(at(second), at(second)) == closed
        rows += len(closed)
    assert rows > 40
    assert pack(broken.tables()) == pack(steady.tables())

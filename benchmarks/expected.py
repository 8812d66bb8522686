"""The minutes of the job `minutes`, added up apart from the product: every row it publishes must be one of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isclose
from typing import Any

from benchmarks.frames import DELAY_MS, EXCHANGE, Print

MINUTE_MS = 60_000
TOLERANCE = 1e-9  # relative: sums may be added in another order

Minute = tuple[str, int]  # symbol and start
Row = dict[str, Any]


class WrongRow(AssertionError):
    """A published row that differs from its prints, or one that is missing."""


def rows_of(prints: Iterable[Print]) -> Mapping[Minute, list[Row]]:
    """Return, for each symbol and minute, its row after the first print, after the second, and so on."""
    found: dict[Minute, list[Row]] = {}
    for each in prints:
        minute = each.contract.symbol, each.event_ms // MINUTE_MS * MINUTE_MS
        rows = found.setdefault(minute, [])
        rows.append(_next(rows[-1] if rows else None, each))
    return found


def check(published: Iterable[Row], expected: Mapping[Minute, list[Row]]) -> None:
    """Raise `WrongRow` unless each row is one of the expected and the last of each minute is complete and final."""
    last: dict[Minute, Row] = {}
    for row in published:
        minute = row["symbol"], row["minute_ms"]
        count = row["long_count"] + row["short_count"]
        _compare(row, expected[minute][count - 1])
        last[minute] = row
    for minute, rows in expected.items():
        if minute not in last or not last[minute]["is_final"]:
            raise WrongRow(f"{minute} has no final row")
        _compare(last[minute], rows[-1])


def _compare(row: Row, expected: Row) -> None:
    for name, value in expected.items():
        same = isclose(row[name], value, rel_tol=TOLERANCE) if isinstance(value, float) else row[name] == value
        if not same:
            raise WrongRow(f"{row['symbol']} {row['minute_ms']}: {name} is {row[name]!r}, expected {value!r}")


def _next(before: Row | None, each: Print) -> Row:
    printed, scale = float(each.price), each.contract.scale
    price, base, usd = printed / scale, float(each.quantity) * scale, float(each.quantity) * printed
    row = dict(before) if before else _empty(each)
    side = "long" if each.side == "Buy" else "short"
    row[f"{side}_count"] += 1
    row[f"{side}_base"] += base
    row[f"{side}_usd"] += usd
    row["largest_usd"] = max(row["largest_usd"], usd)
    row["price_low"], row["price_high"] = min(row["price_low"], price), max(row["price_high"], price)
    row["price_vwap"] = (row["long_usd"] + row["short_usd"]) / (row["long_base"] + row["short_base"])
    row["received_ms"] = each.event_ms + DELAY_MS
    return row


def _empty(each: Print) -> Row:
    nothing = {f"{side}_{what}": 0.0 for side in ("long", "short") for what in ("base", "usd")}
    counts = {"long_count": 0, "short_count": 0, "late_count": 0}
    prices = {"price_low": float("inf"), "price_high": 0.0, "largest_usd": 0.0}
    return {"exchange": EXCHANGE, "asset": each.contract.asset, **nothing, **counts, **prices}

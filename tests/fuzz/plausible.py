"""What a fact or a record must never say, wherever it came from."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from processors.normalize.facts import Fact, Frame
from processors.normalize.printed import AHEAD_MS, EARLIEST_MS
from schemas.records import Funding, Instrument, Liquidation, OpenInterest
from tests.golden import fields

RECORDS = (Liquidation, OpenInterest, Funding, Instrument)
POSITIVE = {"price", "price_native", "quantity_native", "mark", "index", "last", "tick_size", "quantity_step"}


def implausible(fact: Fact, frame: Frame) -> list[str]:
    """Return the fields that say what no fact may say."""
    found = [name for name, value in _numbers(fact) if not isfinite(value)]
    found += [name for name, value in _numbers(fact) if name in POSITIVE and value <= 0]
    if not EARLIEST_MS <= fact.event_ms <= frame.received_ms + AHEAD_MS:
        found.append("event_ms")
    if not fact.asset or fact.asset != fact.asset.upper():
        found.append("asset")
    if isinstance(fact, RECORDS) and fact.received_ms != frame.received_ms:
        found.append("received_ms")
    return found


def _numbers(fact: Fact) -> Iterator[tuple[str, float]]:
    for name, value in fields(fact).items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value

"""The soak in small: fifteen kills, then every promise is checked against the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from .damage import Plan
from .exchanges import EXCHANGES
from .soak import soak


@pytest.mark.timeout(300)
def test_fifteen_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    plan = Plan(kills=15, seed=1, rate=100, liquidations_per_second=10, shortest_s=0.2, longest_s=1.5, away_s=2.0)
    report = soak(plan, tmp_path, print)

    assert report["broken"] == {}
    assert sum(report["kills"].values()) == 15
    assert {name: counts["stored"] > 0 for name, counts in report["exchanges"].items()} == dict.fromkeys(
        EXCHANGES, True
    )

"""Every frame of every exchange's fixtures means what a reader once found right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.golden import GOLDEN, expected, facts, fixtures


def by_value(facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out how a bad frame is explained: those words are of msgspec's release too."""
    return [
        {name: value for name, value in fact.items() if (fact["record"], name) != ("BadFrame", "reason")}
        for fact in facts
    ]


@pytest.mark.parametrize("fixture", fixtures(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_frame_becomes_its_golden_facts(fixture: Path) -> None:
    assert by_value(list(facts(fixture))) == by_value(expected(fixture))


def test_every_golden_file_has_its_frames() -> None:
    folder = Path(__file__).parents[2] / "fixtures"
    golden = {path.name.removesuffix(GOLDEN) for path in folder.glob(f"*/*{GOLDEN}")}
    assert golden == {path.stem for path in fixtures()}

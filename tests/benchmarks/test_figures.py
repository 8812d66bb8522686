from __future__ import annotations

from benchmarks.figures import Figure, percentile


def test_a_figure_without_a_bar_passes() -> None:
    assert Figure("frames", 1.0, "us").passed


def test_a_bar_is_met_where_it_is_touched() -> None:
    assert Figure("ratio", 1.7, "x", at_most=1.7).passed
    assert Figure("gain", 12.0, "x", at_least=12.0).passed


def test_a_missed_bar_is_said() -> None:
    assert not Figure("ratio", 1.71, "x", at_most=1.7).passed
    assert Figure("gain", 11.9, "x", at_least=12.0).line.endswith("11.90 x, at least 12: MISSED")


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 3.0
    assert percentile([1.0, 2.0], 0.99) == 2.0

"""What the arrivals on a topic say about crashes."""

from __future__ import annotations

import pytest

from .follower import Arrival, Crash, Span, needless_repeats, recoveries

ARRIVALS = [
    Arrival(10.0, 0, 5, 1001),
    Arrival(10.5, 1, 7, 1002),
    Arrival(11.0, 0, 6, None),
    Arrival(14.0, 1, 8, None),
]


def test_recovery_lasts_until_the_first_record_beyond_the_end_at_the_crash() -> None:
    crash = Crash(10.2, {0: 6, 1: 8})  # the record of 10.5 was published before

    assert recoveries([crash], ARRIVALS, [10.2]) == [11.0 - 10.2]


def test_a_recovery_that_another_kill_disturbs_is_not_measured() -> None:
    assert recoveries([Crash(12.0, {0: 7, 1: 8})], ARRIVALS, [12.0, 13.0]) == []


def test_a_recovery_that_never_came_is_not_measured() -> None:
    assert recoveries([Crash(20.0, {0: 7, 1: 9})], ARRIVALS, [20.0]) == []


@pytest.mark.parametrize(("killed", "needless"), [([Span(10.1, 10.6)], 0), ([Span(10.6, 11.6)], 1), ([], 1)])
def test_a_record_may_come_again_when_a_kill_followed_its_first_coming(killed: list[Span], needless: int) -> None:
    again = Arrival(15.0, 1, 9, 1002)

    assert len(needless_repeats([*ARRIVALS, again], killed)) == needless


def test_a_third_coming_needs_a_kill_after_the_second() -> None:
    again = [Arrival(15.0, 1, 9, 1002), Arrival(25.0, 1, 10, 1002)]

    assert needless_repeats([*ARRIVALS, *again], [Span(10.1, 10.6)]) == [
        "offset 10 of partition 1 repeats a record of 10.0 s before, with no kill next to that"
    ]

from __future__ import annotations

from processors.normalize.runs import MAX_RUNS, Runs
from processors.pieces import pack, unpack


def carried_over(runs: Runs) -> Runs:
    again = Runs()
    again.load(unpack(pack(runs.tables())))
    return again


def test_a_batch_that_comes_again_is_a_repeat_and_what_follows_it_is_not() -> None:
    runs = Runs()
    said = [runs.is_repeat("a", first, 3) for first in (0, 3, 0, 3, 6)]
    assert (said, runs.repeated) == ([False, False, True, True, False], 2)


def test_runs_are_apart_and_one_may_be_met_in_its_middle() -> None:
    runs = Runs()
    assert [runs.is_repeat("a", 90, 3), runs.is_repeat("b", 0, 3), runs.is_repeat("a", 90, 3)] == [False, False, True]


def test_what_came_is_known_after_a_restore() -> None:
    runs = Runs()
    runs.is_repeat("a", 0, 3)
    assert carried_over(runs).is_repeat("a", 0, 3)
    assert not carried_over(runs).is_repeat("a", 3, 1)


def test_the_run_first_seen_is_forgotten_when_there_are_too_many() -> None:
    runs = Runs()
    for number in range(MAX_RUNS + 1):
        runs.is_repeat(str(number), 0, 1)
    assert [runs.is_repeat(name, 0, 1) for name in ("1", "0")] == [True, False]

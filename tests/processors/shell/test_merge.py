"""The merge: one order, whatever the interleaving, and few records held."""

import random

import pytest

from processors.shell.merge import Merge, Overrun

Logs = dict[str, list[tuple[int, int]]]  # offset and time by input
Order = list[tuple[int, int, int]]  # effective time, input, offset


def unequal_logs(rng: random.Random) -> tuple[Logs, Order]:
    """Return logs of three unequal inputs, and their merged order by sorting."""
    rates = (("a", 1), ("b", 10), ("c", 100))
    logs = {name: [(i, i * step + rng.randrange(200)) for i in range(3000 // step + 1)] for name, step in rates}
    rows, lasts = [], []
    for i, log in enumerate(logs.values()):
        top = -1
        for offset, time_ms in log:
            top = max(top, time_ms)
            rows.append((top, i, offset))
        lasts.append((top, i, log[-1][0]))
    return logs, [row for row in sorted(rows) if row <= min(lasts)]


@pytest.mark.parametrize("seed", range(10))
def test_the_order_does_not_depend_on_the_interleaving_and_little_is_held(seed: int) -> None:
    rng = random.Random(seed)
    logs, want = unequal_logs(rng)
    merge: Merge[None] = Merge(list(logs), rest_at=100)
    at, got, most = dict.fromkeys(logs, 0), [], 0
    while ready := [name for name in logs if at[name] < len(logs[name]) and name not in merge.resting]:
        name = rng.choice(ready)
        for offset, time_ms in logs[name][at[name] : at[name] + rng.randrange(1, 50)]:
            got += [row[:3] for row in merge.push(name, time_ms, offset, None)]
            at[name] = offset + 1
        most = max(most, merge.held())
    assert got == want
    assert most < 3 * 150


def test_a_merge_restarts_anywhere_from_its_floors_and_times() -> None:
    rng = random.Random(1)
    logs, want = unequal_logs(rng)
    merge: Merge[None] = Merge(list(logs))
    at, got = dict.fromkeys(logs, 0), []
    while ready := [name for name in logs if at[name] < len(logs[name])]:
        name = rng.choice(ready)
        got += [row[:3] for row in merge.push(name, logs[name][at[name]][1], at[name], None)]
        at[name] += 1
        if rng.random() < 0.02:
            at, merge = {**at, **merge.floors()}, Merge(list(logs), merge.times_ms())
    assert got == want


def test_one_input_passes_at_once() -> None:
    merge: Merge[str] = Merge(["a"])
    assert [ready.item for ready in merge.push("a", 5, 0, "x")] == ["x"]
    assert merge.held() == 0


def test_an_input_that_is_pushed_on_while_it_rests_kills_the_worker() -> None:
    merge: Merge[None] = Merge(["a", "b"], rest_at=10)
    for offset in range(100):
        assert list(merge.push("a", offset, offset, None)) == []
    with pytest.raises(Overrun, match="101 records of a wait"):
        list(merge.push("a", 100, 100, None))

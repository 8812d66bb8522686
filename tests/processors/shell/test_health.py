"""The health file: absent until loaded, fresh while there is progress or nothing to do, stale when wedged."""

import asyncio
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from processors.shell.health import Health

A, B = TP("a", 0), TP("b", 0)


class Worker:
    """What the health judges."""

    def __init__(self, due: dict[TP, int], ends: dict[TP, int]) -> None:
        self.lanes: Any = SimpleNamespace(lanes={}, records=0, epoch=0, due=lambda: due, resting=set)
        self.unassigned = self.rebalancing = False
        self.consumer = self
        self.ends = ends

    async def highwaters(self, *partitions: TP) -> dict[TP, int]:
        return {tp: self.ends[tp] for tp in partitions}

    def load(self) -> None:
        self.lanes.lanes, self.lanes.epoch = {0: object()}, 1


def touched(worker: Worker, path: Path) -> bool:
    """Tell whether the first beat makes the file."""
    asyncio.run(Health(worker, path, patience_s=60.0).beat())
    return path.exists()


def test_a_file_of_an_earlier_run_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "alive"
    path.touch()
    Health(Worker({}, {}), path, 60.0)
    assert not path.exists()


def test_there_is_no_file_before_the_lanes_are_loaded(tmp_path: Path) -> None:
    worker = Worker({}, {})
    worker.lanes.epoch = 1  # partitions are assigned, the snapshots are being read
    assert not touched(worker, tmp_path / "alive")


def test_there_is_a_file_once_the_lanes_are_loaded(tmp_path: Path) -> None:
    worker = Worker({A: 0}, {A: 9})
    worker.load()
    assert touched(worker, tmp_path / "alive")


def test_a_worker_without_partitions_is_ready(tmp_path: Path) -> None:
    worker = Worker({}, {})
    worker.unassigned = True
    assert touched(worker, tmp_path / "alive")


def fresh_again(worker: Worker, path: Path) -> bool:
    """Load, lose patience, and tell whether the next beat moves the time of progress."""
    worker.load()
    health = Health(worker, path, patience_s=60.0)
    asyncio.run(health.beat())
    health._moved_s = time.monotonic() - 61.0
    os.utime(path, (0, 0))
    asyncio.run(health.beat())
    return path.stat().st_mtime > 0


@pytest.mark.parametrize(("end", "fresh"), [(5, True), (6, False)], ids=["nothing waits", "a record waits"])
def test_a_worker_without_progress_is_wedged_only_if_records_wait(tmp_path: Path, end: int, fresh: bool) -> None:
    assert fresh_again(Worker({A: 5}, {A: end}), tmp_path / "alive") is fresh


def test_a_worker_that_waits_for_a_silent_input_is_not_wedged(tmp_path: Path) -> None:
    worker = Worker({A: 5, B: 3}, {A: 9, B: 3})
    worker.lanes.resting = lambda: {A}
    assert fresh_again(worker, tmp_path / "alive")


def test_a_worker_whose_broker_does_not_answer_is_not_fresh(tmp_path: Path) -> None:
    worker = Worker({A: 5}, {A: 5})

    async def silent(*partitions: TP) -> dict[TP, int]:
        raise TimeoutError

    worker.highwaters = silent  # type: ignore[method-assign]  # the broker goes away
    assert not fresh_again(worker, tmp_path / "alive")

"""Make a lane that goes on where its commits and its snapshot say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from faust.types import TP

from ..processor import Input, Processor
from .lane import Lane, Offsets
from .merge import Merge
from .snapshots import Note, Snapshot, Unreadable
from .tuning import Tuning

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loader:
    """What every lane of a stage is made of."""

    make: Callable[[int], Processor]
    inputs: Mapping[str, str]  # full topic names by the names without prefix
    warm_up: Callable[[Mapping[TP, int]], Mapping[TP, int]]  # where to start without a snapshot, see warm_up.py
    tuning: Tuning

    async def load(
        self, number: int, commits: Offsets, earliest: Offsets, note: Note | None, found: Snapshot | Unreadable | None
    ) -> Lane:
        """Return the lane after its snapshot; without a usable one warmed up; without commits at the beginning."""
        told = {name: commits.get(name, first) for name, first in earliest.items()}
        processor = self.make(number)
        lane = Lane(processor, self._merge({}), due=dict(told), told=told, snapped_at_s=float("-inf"))
        lost = why_lost(found, processor.state_version)
        if isinstance(found, Snapshot) and not lost:
            processor.restore(found.body)
            lane.merge = self._merge(found.times_ms)
            lane.due = {name: found.offsets.get(name, due) for name, due in told.items()}
            lane.note, lane.committed, lane.snapped = note, note, dict(lane.due)
        elif commits:
            lane.due = await asyncio.to_thread(self._context, number, told)
            log.warning("lane %d warms up over %d records: %s", number, lane.behind(), lost)
        _step_over_what_is_gone(number, lane.due, earliest)
        return lane

    def _merge(self, times_ms: Mapping[str, int]) -> Merge[Input]:
        return Merge(list(self.inputs), times_ms, self.tuning.rest_at)

    def _context(self, number: int, told: Offsets) -> Offsets:
        starts = self.warm_up({TP(self.inputs[name], number): offset for name, offset in told.items()})
        return {name: starts[TP(self.inputs[name], number)] for name in told}


def why_lost(found: Snapshot | Unreadable | None, state_version: int) -> str:
    """Return why a lane cannot go on from what was found of its snapshot, or nothing if it can."""
    if found is None:
        return "its commit names no snapshot"
    if isinstance(found, Unreadable):
        return str(found)
    if found.state_version != state_version:
        return f"its snapshot has state version {found.state_version}, the processor {state_version}"
    return ""


def _step_over_what_is_gone(number: int, due: Offsets, earliest: Offsets) -> None:
    for name, first in earliest.items():
        if first > due[name]:
            log.error("retention removed records %d to %d of %s/%d unread", due[name], first - 1, name, number)
            due[name] = first

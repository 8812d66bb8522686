"""The topology: one row per stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from schemas.exchanges import RAW_PARTITION
from schemas.topics import Cut

from .normalize.frames import ForeignFrames, exchange_of
from .normalize.publications import OUTPUTS
from .normalize.registry import NORMALIZERS, REVISIONS
from .normalize.stage import Normalize
from .processor import Input, Output, Processor


class Make(Protocol):
    """Makes what runs in a lane."""

    def __call__(self, lane: int, asset_partitions: int) -> Processor:
        """Return the processor of one lane, which is a partition number of the stage's inputs."""


class Stage(NamedTuple):
    """One stage: which topics it reads and writes, how its lanes are cut, and what runs in a lane."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    cut: Cut  # of its inputs, and so of its lanes and of its state
    make: Make


class Unread:
    """A lane whose exchange we do not understand. Nothing lies there, or somebody has to know."""

    state_version = 1
    counts: Mapping[str, int] = {}
    levels: Mapping[str, int] = {}

    def __init__(self, whose: str) -> None:
        """`whose` lane this is, for the error."""
        self._whose = whose

    def process(self, record: Input) -> list[Output]:
        """Raise `ForeignFrames`: raw holds what nobody here can read."""
        place = f"{record.topic}/{record.partition} at {record.offset}"
        raise ForeignFrames(
            f"{place} holds frames of {exchange_of(record)}, but the lane belongs to {self._whose}: "
            f"normalizers exist for {', '.join(sorted(NORMALIZERS))}; stop its producer, or deploy its normalizer first"
        )

    def snapshot(self) -> Callable[[], bytes]:
        """Return an empty state."""
        return bytes

    def restore(self, data: bytes) -> None:
        """Have nothing to continue."""


def normalize(exchange: str, asset_partitions: int, outputs: Iterable[str] | None = None) -> Normalize:
    """Return the stage normalize for one exchange; `outputs` restricts the topics, and with them the work."""
    if exchange not in NORMALIZERS:
        raise ValueError(f"{exchange} has no normalizer; choose from {', '.join(sorted(NORMALIZERS))}")
    return Normalize(exchange, NORMALIZERS[exchange](), REVISIONS[exchange], asset_partitions, outputs)


def _normalize_lane(lane: int, asset_partitions: int) -> Processor:
    exchange = next((name for name, number in RAW_PARTITION.items() if number == lane), None)
    if exchange in NORMALIZERS:
        return normalize(exchange, asset_partitions)
    return Unread(f"{exchange}, which has no normalizer" if exchange else "no exchange")


STAGES = {
    stage.name: stage
    for stage in (Stage("normalize", inputs=("raw",), outputs=OUTPUTS, cut="exchange", make=_normalize_lane),)
}

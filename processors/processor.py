"""What the shell asks of a processor: records in, outputs out, a snapshot between any two records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol


class Input(NamedTuple):
    """One record of an input topic, as Kafka holds it."""

    topic: str  # without the prefix of the market: `raw`, not `liq.sim.raw.v1`
    partition: int
    offset: int
    timestamp_ms: int  # the collector's clock
    key: bytes | None
    value: bytes | None  # None is a heartbeat
    headers: Sequence[tuple[str, bytes]]


class Output(NamedTuple):
    """One record to publish."""

    topic: str  # without the prefix of the market
    value: bytes | None
    key: bytes | None
    timestamp_ms: int  # when the frame behind it was received
    partition: int = -1  # -1: by key
    headers: tuple[tuple[str, bytes], ...] = ()


class Processor(Protocol):
    """Deterministic logic of one lane: no I/O, no clock, no randomness, no logging."""

    state_version: int

    @property
    def counts(self) -> Mapping[str, int]:
        """Return what it has counted since it was made, by name; metrics show it."""

    @property
    def levels(self) -> Mapping[str, int]:
        """Return what it holds now and may fall, by name; metrics show it."""

    def process(self, record: Input) -> Iterable[Output]:
        """Return the outputs of the next record; an exception stops the worker and Kafka delivers again."""

    def snapshot(self) -> Callable[[], bytes]:
        """Return, quickly, a function that encodes the state as it is now; it runs in a thread while work goes on."""

    def restore(self, data: bytes) -> None:
        """Continue from a snapshot of the same `state_version`."""

"""Frames of one producer run, numbered and cut into batches."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Protocol

import msgspec

from schemas.raw import MOST_SOURCES, Control, RawBatch, RawFrame, Source, SourceKind

from . import metrics

BATCH_BYTES = 64 << 10
NOBODY = Source(SourceKind.CONTROL, "", "")  # the producer itself speaks, of no connection


class Sink(Protocol):
    """Where batches go, in order."""

    room: asyncio.Event  # cleared while nothing more should be read from sockets
    delivered_seq: int  # the last frame that is safe

    async def settle(self) -> None:
        """Learn what must be known before anything is sent; batches are taken meanwhile."""

    def publish(self, batch: RawBatch) -> None:
        """Take a batch."""

    def poll(self) -> None:
        """Go on with what waits; raise what went wrong since."""

    async def drain(self, within_s: float) -> int:
        """Wait until everything is safe; return how many batches are not."""


class Frames:
    """The frames of one run, in the order received."""

    def __init__(self, exchange: str, sink: Sink) -> None:
        """Name a new run of a producer of this exchange."""
        self.run_id = secrets.token_hex(8)
        self.next_seq = 0  # of the next frame
        self.room = sink.room
        self._exchange, self._sink = exchange, sink
        self._sources: dict[Source, int] = {}
        self._frames: list[RawFrame] = []
        self._bytes = 0
        self._count = metrics.FRAMES.labels(exchange)
        self._newest = metrics.LAST_FRAME.labels(exchange)

    def put(self, source: Source, payload: bytes, received_ns: int) -> None:
        """Add a frame; whoever reads a socket waits for `room` before the next one."""
        if self._bytes + len(payload) > BATCH_BYTES:
            self.flush()  # before the frame, so that a batch exceeds the bound by one frame only if that is too large
        if len(self._sources) == MOST_SOURCES and source not in self._sources:
            self.flush()
        index = self._sources.setdefault(source, len(self._sources))
        self._frames.append(RawFrame(received_ns, index, payload))
        self._bytes += len(payload)
        self.next_seq += 1

    def say(self, control: Control, source: Source = NOBODY) -> None:
        """Add a control frame."""
        self.put(source, msgspec.json.encode(control), time.time_ns())

    async def hand_over(self, hold_s: float) -> None:
        """Hand frames over, each after `hold_s` at most, until cancelled; raises what the sink raises."""
        while True:
            await asyncio.sleep(hold_s)
            self.flush()
            self._sink.poll()

    def flush(self) -> None:
        """Hand the frames over."""
        if not self._frames:
            return
        first_seq = self.next_seq - len(self._frames)
        batch = RawBatch.of(self._exchange, self.run_id, first_seq, tuple(self._sources), self._frames)
        self._count.inc(len(self._frames))
        self._newest.set(self._frames[-1].received_ns / 1e9)
        self._sources, self._frames, self._bytes = {}, [], 0
        self._sink.publish(batch)

"""Frames as lines of JSON instead of records of Kafka."""

from __future__ import annotations

import asyncio
from typing import TextIO

import msgspec

from schemas.raw import RawBatch, SourceKind


class Lines:
    """The sink that prints what exchanges said: `{"received_ns": ..., "source": "wss://...", "payload": "..."}`."""

    def __init__(self, out: TextIO) -> None:
        """Print to `out`."""
        self.room = asyncio.Event()
        self.room.set()
        self.delivered_seq = -1
        self._out = out

    async def settle(self) -> None:
        """Nothing was kept before."""

    def publish(self, batch: RawBatch) -> None:
        """Print each frame but control frames; bytes that are not UTF-8 become replacement characters."""
        for frame in batch.frames():
            source = batch.sources[frame.source]
            if source.kind is not SourceKind.CONTROL:
                payload = frame.payload.decode(errors="replace")
                line = {"received_ns": frame.received_ns, "source": source.url, "payload": payload}
                self._out.write(msgspec.json.encode(line).decode() + "\n")
        self._out.flush()
        self.delivered_seq = batch.first_seq + len(batch.payloads) - 1

    def poll(self) -> None:
        """Nothing is under way."""

    async def drain(self, within_s: float) -> int:
        """Nothing is under way."""
        return 0

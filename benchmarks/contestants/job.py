"""What a contestant is told, as one JSON object on its command line."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec


class Job(msgspec.Struct, frozen=True):
    """One run of one contestant."""

    run: str  # names the run, and its consumer group
    bootstrap: str
    prefix: str  # of the topics
    outputs: tuple[str, ...]  # topics to publish to
    asset_partitions: int
    note: Path  # see Meter

    @property
    def client(self) -> dict[str, str]:
        """Return librdkafka's settings."""
        return {"bootstrap.servers": self.bootstrap}


def job() -> Job:
    """Return what this process was told."""
    return msgspec.json.decode(sys.argv[1], type=Job, dec_hook=lambda kind, value: kind(value))

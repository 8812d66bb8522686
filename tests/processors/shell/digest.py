"""A worker whose every output carries a digest of all that its lane has seen, in order: nothing can hide."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from processors.processor import Input, Output
from processors.shell import Tuning, run_worker

POISON = b"poison"
WEDGE = b"wedge"


class Digest:
    """Publishes, for each record, how many its lane has seen and the digest of them all."""

    state_version = 1
    counts: Mapping[str, int] = {}
    levels: Mapping[str, int] = {}

    def __init__(self, lane: int) -> None:
        self.lane, self.count, self.digest = lane, 0, ""

    def process(self, record: Input) -> Iterable[Output]:
        if record.value == POISON:
            raise ValueError("poison")
        while record.value == WEDGE:
            time.sleep(1)
        self.count += 1
        self.digest = chain(self.digest, record.topic, record.offset, record.value)
        value = f"{self.count} {self.digest}".encode()
        return [Output("out", value, None, record.timestamp_ms, self.lane)]

    def snapshot(self) -> Callable[[], bytes]:
        state = (self.count, self.digest)
        return lambda: json.dumps(state).encode()

    def restore(self, data: bytes) -> None:
        self.count, self.digest = json.loads(data)


def chain(digest: str, topic: str, offset: int, value: bytes | None) -> str:
    """Return the digest after one more record."""
    return hashlib.blake2b(f"{digest} {topic} {offset} {value!r}".encode(), digest_size=8).hexdigest()


def main(bootstrap: str, prefix: str, inputs: str, instance: str, health_file: str, delay_s: str, tuning: str) -> None:
    """Run the worker; `inputs` with commas, `delay_s` per record, `tuning` as JSON."""
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(message)s")

    class Slow(Digest):
        def process(self, record: Input) -> Iterable[Output]:
            time.sleep(float(delay_s))
            return super().process(record)

    run_worker(
        "digest",
        Slow if float(delay_s) else Digest,
        inputs.split(","),
        ["out"],
        prefix=prefix,
        client={"bootstrap.servers": bootstrap},
        instance=instance or None,
        health_file=Path(health_file) if health_file else None,
        tuning=Tuning(**json.loads(tuning)),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

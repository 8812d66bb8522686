"""The product's sink, on topics of the benchmark."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from sinks.connection import ClickHouse
from sinks.run import run


class Landing(msgspec.Struct, frozen=True):
    """One run of the sink."""

    group: str
    bootstrap: str
    prefix: str  # of the topics
    port: int  # of ClickHouse
    database: str
    health_file: Path


def main(given: Landing) -> int:
    """Work until SIGTERM."""
    return run(
        prefix=given.prefix,
        client={"bootstrap.servers": given.bootstrap},
        clickhouse=ClickHouse("127.0.0.1", given.port, given.database),
        group=given.group,
        health_file=given.health_file,
    )


if __name__ == "__main__":
    raise SystemExit(main(msgspec.json.decode(sys.argv[1], type=Landing, dec_hook=lambda kind, value: kind(value))))

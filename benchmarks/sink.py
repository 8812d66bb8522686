"""Rows for one CPU second of the sink's process, from the topic to the insert that ClickHouse acknowledged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from embedded.clickhouse import Server
from embedded.kafka import Broker
from embedded.processes import last_lines
from processors.stages import normalize
from schemas.avro import decode, encoder
from schemas.partition import partition_of
from schemas.records import MarketEntry, MarketSlice
from sinks.connection import ClickHouse, connect
from sinks.migrate import migrate
from sinks.queries import counts
from sinks.tables import TABLES

from . import frames, parts
from .contestants.sink import Landing
from .figures import Figure, middle
from .frames import EXCHANGE
from .run import LIMIT_S, POLL_S, child, notes
from .topics import ASSET_PARTITIONS, Row, Topics

ROUNDS = 3
LIQUIDATIONS = 200_000
MARKET_FRAMES, MARKET_COPIES, COPY_MS = 50_000, 60, 60_000  # some 600 entries for each of 10 seconds, 60 times
AGE_S = 86_400  # of the market rows: the table drops what is a week old
LEAST_LIQUIDATIONS, LEAST_ENTRIES = 60_000, 100_000


def measure() -> list[Figure]:
    """Land both kinds of rows, in turn."""
    with Broker(retention_bytes=1 << 30) as broker, Server() as server, notes() as directory:
        entries = list(_market())
        jobs = {
            "liquidations": (_filled(broker, "liquidations", _liquidations()), LIQUIDATIONS),
            "market": (_filled(broker, "market", (row for row, _ in entries)), sum(count for _, count in entries)),
        }
        found: dict[str, list[float]] = {name: [] for name in jobs}
        for number in range(ROUNDS):
            for name, (topics, rows) in jobs.items():
                where = ClickHouse("127.0.0.1", server.port, f"bench_{name}_{number}")
                migrate(where)
                found[name].append(rows / _land(topics, where, name, rows, directory))
    return [
        Figure("liquidations", middle(found["liquidations"]), "rows/CPU s", at_least=LEAST_LIQUIDATIONS),
        Figure("market rows", middle(found["market"]), "rows/CPU s", at_least=LEAST_ENTRIES),
    ]


def _land(topics: Topics, where: ClickHouse, name: str, rows: int, directory: Path) -> float:
    """Return the CPU seconds of a sink, from its assignment until all rows are in its table."""
    health = directory / f"{where.database}.alive"
    log = health.with_suffix(".log")
    given = Landing(where.database, topics.bootstrap, topics.prefix, where.port, where.database, health)
    table = next(table.name for table in TABLES.values() if table.topic == name)
    deadline, began_s = time.monotonic() + LIMIT_S, None
    with child("sink", given, log) as process, connect(where) as client:
        while began_s is None or counts(client, where.database)[table] < rows:
            if began_s is None and health.exists():
                began_s = _cpu_s(process)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the sink did not land {name}:\n{last_lines(log)}")
            time.sleep(POLL_S)
        return _cpu_s(process) - began_s


def _cpu_s(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def _filled(broker: Broker, name: str, rows: Iterator[Row]) -> Topics:
    topics = Topics(broker.bootstrap, f"bench.{name}.")
    topics.create()
    topics.fill(name, rows)
    return topics


def _liquidations() -> Iterator[Row]:
    """Yield what the stage publishes."""
    stage = normalize(EXCHANGE, ASSET_PARTITIONS, ["liquidations"])
    for record in parts.records(frames.minutes(LIQUIDATIONS)):
        for output in stage.process(record):
            if output.value and output.key:
                partition = partition_of(output.key.decode(), ASSET_PARTITIONS)
                yield output.value, output.key, partition, output.timestamp_ms


def _market() -> Iterator[tuple[Row, int]]:
    """Yield what the stage publishes, again and again a minute later, and how many entries each record has."""
    stage, encode = normalize(EXCHANGE, ASSET_PARTITIONS, ["market"]), encoder(MarketSlice)
    shift_ms = int(time.time() - AGE_S) * 1000 - frames.BEGIN_MS
    published = [output for record in parts.records(frames.mix(MARKET_FRAMES)) for output in stage.process(record)]
    for copy in range(MARKET_COPIES):
        for output in published:
            piece = _later(decode(output.value or b"", MarketSlice), shift_ms + copy * COPY_MS)
            if piece.entries:
                yield (encode(piece), b"", output.partition, output.timestamp_ms), len(piece.entries)


def _later(piece: MarketSlice, by_ms: int) -> MarketSlice:
    entries: list[MarketEntry] = [msgspec.structs.replace(e, event_ms=e.event_ms + by_ms) for e in piece.entries]
    return msgspec.structs.replace(piece, second_ms=piece.second_ms + by_ms, entries=tuple(entries))

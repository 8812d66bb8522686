"""Collects what a run has left behind: the file of truth, the topics, the views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from confluent_kafka import Message

from pipeline.clickhouse import address
from pipeline.reading import bounds, consumer, partitions, read_between
from pipeline.settings import Settings
from schemas.avro import decode
from schemas.raw import RawBatch
from schemas.records import Liquidation, MinuteAggregate
from simulator.truth import Known
from sinks.connection import connect
from sinks.tables import TABLES, Column

from .story import Gap, read_story
from .verify import Evidence

T = TypeVar("T")


def collect(settings: Settings, truth: Path, held_up: Sequence[Gap], needless_repeats: Sequence[str]) -> Evidence:
    """Read everything; nothing may be written any more."""
    client = connect(address(settings))
    liquidations = (decode(message.value() or b"", Liquidation) for message in _records(settings, "liquidations"))
    batches = (
        (message.offset() or 0, decode(message.value() or b"", RawBatch)) for message in _records(settings, "raw")
    )
    try:
        return Evidence(
            truth=[msgspec.json.decode(line, type=Known) for line in truth.read_bytes().splitlines()],
            story=read_story(batches),
            published=list(liquidations),
            stored=_view(client, settings.database, "liquidations", Liquidation),
            minutes=_view(client, settings.database, "minutes", MinuteAggregate),
            dead_letters=client.execute(f"SELECT offset, index FROM {settings.database}.v_dead_letters"),
            held_up=held_up,
            needless_repeats=needless_repeats,
        )
    finally:
        client.disconnect()


def _records(settings: Settings, topic: str) -> Iterator[Message]:
    """Yield all records of a topic, without heartbeats."""
    client = consumer(settings)
    try:
        start, end = bounds(settings, partitions(client, settings, [topic]))
        yield from (message for message in read_between(client, start, end) if message.value() is not None)
    finally:
        client.close()


def _view(client: Any, database: str, table: str, record: type[T]) -> list[T]:
    columns = TABLES[table].columns
    rows = client.execute(f"SELECT {', '.join(map(_as_field, columns))} FROM {database}.v_{table}")
    names = [column.field for column in columns]
    return [msgspec.convert(dict(zip(names, row, strict=True)), record, strict=False) for row in rows]


def _as_field(column: Column) -> str:
    return f"toUnixTimestamp64Milli({column.name})" if column.field.endswith("_ms") else f"`{column.name}`"

"""Collects what a run has left behind, exchange by exchange: the file of truth, the topics, the views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from confluent_kafka import Message

from pipeline.clickhouse import address
from pipeline.reading import bounds, consumer, partitions, read_between
from pipeline.settings import Settings
from schemas.avro import decode
from schemas.exchanges import RAW_PARTITION
from schemas.raw import RawBatch
from schemas.records import Coverage, Liquidation, MinuteAggregate
from schemas.records import Evidence as FrameBehind
from simulator.truth import Known
from sinks.connection import connect
from sinks.tables import TABLES, TIME, Column

from .exchanges import EXCHANGES
from .story import Gap, read_story
from .verify import Evidence

T = TypeVar("T")


def collect(
    settings: Settings,
    truths: Mapping[str, Path],
    held_up: Mapping[str, Sequence[Gap]],
    muted: Mapping[str, Sequence[Gap]],
    calm: Sequence[Gap],
) -> dict[str, Evidence]:
    """Read everything, by exchange; nothing may be written any more."""
    client = connect(address(settings))
    published = [decode(message.value() or b"", Liquidation) for message in _records(settings, "liquidations")]
    try:
        return {
            exchange: Evidence(
                exchange=exchange,
                truth=[msgspec.json.decode(line, type=Known) for line in truth.read_bytes().splitlines()],
                story=read_story(EXCHANGES[exchange], _batches(settings, exchange)),
                published=[liquidation for liquidation in published if liquidation.exchange == exchange],
                stored=_view(client, settings.database, "liquidations", exchange, Liquidation),
                minutes=_view(client, settings.database, "minutes", exchange, MinuteAggregate),
                dead_letters=_dead_letters(client, settings.database, exchange),
                behind=_view(client, settings.database, "evidence", exchange, FrameBehind),
                coverage=_view(client, settings.database, "coverage", exchange, Coverage),
                held_up=held_up.get(exchange, ()),
                muted=muted.get(exchange, ()),
                calm=calm,
            )
            for exchange, truth in truths.items()
        }
    finally:
        client.disconnect()


def _batches(settings: Settings, exchange: str) -> Iterator[tuple[int, RawBatch]]:
    for message in _records(settings, "raw", RAW_PARTITION[exchange]):
        yield message.offset() or 0, decode(message.value() or b"", RawBatch)


def _records(settings: Settings, topic: str, partition: int | None = None) -> Iterator[Message]:
    """Yield all records of a topic, or of one partition of it, without heartbeats."""
    client = consumer(settings)
    try:
        where = [one for one in partitions(client, settings, [topic]) if partition in (None, one.partition)]
        start, end = bounds(settings, where)
        yield from (message for message in read_between(client, start, end) if message.value() is not None)
    finally:
        client.close()


def _view(client: Any, database: str, table: str, exchange: str, record: type[T]) -> list[T]:
    columns = TABLES[table].columns
    query = f"SELECT {', '.join(map(_as_field, columns))} FROM {database}.v_{table} WHERE exchange = '{exchange}'"
    names = [column.field for column in columns]
    rows = client.execute(query)
    return [msgspec.convert(dict(zip(names, row, strict=True)), record, strict=False) for row in rows]


def _dead_letters(client: Any, database: str, exchange: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = client.execute(
        f"SELECT offset, index FROM {database}.v_dead_letters WHERE exchange = '{exchange}'"
    )
    return found


def _as_field(column: Column) -> str:
    if column.type == TIME:
        return f"toUnixTimestamp64Milli({column.name})"
    # Bytes that are no text; msgspec reads them as base64.
    return f"base64Encode({column.name})" if column.field == "payload" else f"`{column.name}`"

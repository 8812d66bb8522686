"""`liq status`: how far each stage is, and what lies in topics and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from processors.stages import STAGES
from schemas.topics import TOPICS, full_name

from .clickhouse import rows
from .exits import Unreachable
from .reading import REQUEST_LIMIT_S, Offsets, bounds, consumer, partitions
from .settings import Settings

SINK = "sink"
LANDED = [name for name, topic in TOPICS.items() if topic.record is not None and name != "raw"]
READ_BY = {**{name: list(stage.inputs) for name, stage in STAGES.items()}, SINK: LANDED}


def lag(settings: Settings) -> dict[str, int | None]:
    """Return the records that each group still has to read; None where it never committed."""
    client = consumer(settings)
    admin = AdminClient({**settings.kafka, "log_level": 0})
    try:
        return {group: _lag(client, admin, settings, group, topics) for group, topics in READ_BY.items()}
    finally:
        client.close()


def _lag(client: Consumer, admin: AdminClient, settings: Settings, group: str, topics: list[str]) -> int | None:
    where = partitions(client, settings, topics)
    committed = _committed(admin, f"{settings.prefix}{group}", where)
    firsts, nexts = bounds(settings, where)
    behind = sum(max(0, following - committed.get(at, firsts[at])) for at, following in nexts.items())
    return behind if committed else None


def _committed(admin: AdminClient, group: str, where: list[TopicPartition]) -> Offsets:
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(tp.topic, tp.partition) for tp in where])
    answer = admin.list_consumer_group_offsets([asked])[group].result(REQUEST_LIMIT_S)
    return {(tp.topic, tp.partition): tp.offset for tp in answer.topic_partitions if tp.offset >= 0}


def held(settings: Settings) -> dict[str, int]:
    """Return how many records each topic holds, heartbeats included."""
    client = consumer(settings)
    try:
        found = {}
        for name in TOPICS:
            firsts, nexts = bounds(settings, partitions(client, settings, [name]))
            found[full_name(settings.prefix, name)] = sum(nexts[at] - firsts[at] for at in nexts)
        return found
    finally:
        client.close()


def collect(settings: Settings) -> dict[str, Any]:
    """Return topics, lag by group and rows by table; rows None while ClickHouse is away."""
    return {"market": settings.market, "topics": held(settings), "lag": lag(settings), "rows": _rows(settings)}


def _rows(settings: Settings) -> dict[str, int] | None:
    try:
        return rows(settings)
    except Unreachable:
        return None


def table(found: Mapping[str, Any]) -> str:
    """Return the same for a person."""
    lines = [f"market: {found['market']}", "", "topic (records held, heartbeats included)"]
    lines += [f"  {name:34}{count:>14,}" for name, count in found["topics"].items()]
    lines += ["", "reader (records behind)"]
    lines += [
        f"  {name:34}{'never ran' if behind is None else f'{behind:,}':>14}" for name, behind in found["lag"].items()
    ]
    if found["rows"] is None:
        return "\n".join([*lines, "", "ClickHouse does not answer"])
    return "\n".join(
        [*lines, "", "table (rows)", *(f"  {name:34}{count:>14,}" for name, count in found["rows"].items())]
    )

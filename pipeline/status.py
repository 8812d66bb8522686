"""`liq status`: how far each stage is, and what lies in the tables."""

from __future__ import annotations

from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.topics import TOPICS, full_name

from .reading import REQUEST_LIMIT_S, bounds, consumer, partitions
from .settings import Settings

SINK = "sink"


def readers() -> dict[str, list[str]]:
    """Return the topics that each consumer group reads."""
    from processors.stages import STAGES

    landed = [name for name, topic in TOPICS.items() if topic.record is not None and name != "raw"]
    return {**{name: list(stage.inputs) for name, stage in STAGES.items()}, SINK: landed}


def lag(settings: Settings) -> dict[str, int | None]:
    """Return the records that each group still has to read; None where it never committed."""
    client = consumer(settings)
    admin = AdminClient({**settings.kafka, "log_level": 0})
    try:
        return {name: _lag(client, admin, settings, name, topics) for name, topics in readers().items()}
    finally:
        client.close()


def _lag(client: Any, admin: AdminClient, settings: Settings, group: str, topics: list[str]) -> int | None:
    where = partitions(client, settings, topics)
    asked = ConsumerGroupTopicPartitions(f"{settings.prefix}{group}", [TopicPartition(tp.topic, tp.partition) for tp in where])
    answer = admin.list_consumer_group_offsets([asked])[asked.group_id].result(REQUEST_LIMIT_S)
    committed = {(tp.topic, tp.partition): tp.offset for tp in answer.topic_partitions if tp.offset >= 0}
    firsts, nexts = bounds(client, where)
    if not committed:
        return None
    return sum(max(0, following - committed.get(at, firsts[at])) for at, following in nexts.items())


def ends(settings: Settings) -> dict[str, int]:
    """Return how many records each topic holds, heartbeats included."""
    client = consumer(settings)
    try:
        result = {}
        for name in TOPICS:
            firsts, nexts = bounds(client, partitions(client, settings, [name]))
            result[full_name(settings.prefix, name)] = sum(nexts[at] - firsts[at] for at in nexts)
        return result
    finally:
        client.close()

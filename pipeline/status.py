"""`liq status`: how far each stage is, and what lies in topics and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException

from processors.shell.commits import Unanswered, committed
from processors.stages import STAGES
from schemas.topics import TOPICS, full_name

from .access import TO_WATCH, check_access
from .clickhouse import alive_share, rows
from .exits import Refused, Unreachable
from .reading import Offsets, bounds, consumer, partitions
from .settings import Settings
from .setup import admin

SINK = "sink"
LANDED = [name for name, topic in TOPICS.items() if topic.record is not None and name != "raw"]
READ_BY = {**{name: list(stage.inputs) for name, stage in STAGES.items()}, SINK: LANDED}


def lag(settings: Settings) -> dict[str, int | None]:
    """Return the records that each group still has to read; None where it never committed."""
    groups = {reader: f"{settings.prefix}{reader}" for reader in READ_BY}
    found = committed(settings.kafka, groups.values())
    return {reader: _behind(settings, topics, found[groups[reader]]) for reader, topics in READ_BY.items()}


def _behind(settings: Settings, topics: list[str], done: Offsets) -> int | None:
    client = consumer(settings)
    try:
        firsts, nexts = bounds(settings, partitions(client, settings, topics))
    finally:
        client.close()
    behind = sum(max(0, following - done.get(at, firsts[at])) for at, following in nexts.items())
    return behind if done else None


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
    """Return topics, lag by group, rows by table and coverage; the last two None while ClickHouse is away."""
    check_access(admin(settings), settings, TO_WATCH)
    found: dict[str, Any] = {"market": settings.market, **_of_kafka(settings)}
    try:
        found["rows"] = rows(settings)
        found["alive_share"] = alive_share(settings) if found["rows"] else {}
    except Refused:
        raise
    except Unreachable:
        found["rows"] = found["alive_share"] = None
    return found


def _of_kafka(settings: Settings) -> dict[str, Any]:
    try:
        return {"topics": held(settings), "lag": lag(settings)}
    except (KafkaException, Unanswered) as error:
        raise Unreachable(f"Kafka at {settings.kafka_brokers} does not answer any more ({error}): try again") from error


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
    lines += ["", "table (rows, superseded ones until they are merged)"]
    lines += [f"  {name:34}{count:>14,}" for name, count in found["rows"].items()]
    lines += ["", "exchange (minutes of the last hour in which no liquidation was missed)"]
    lines += [f"  {name:34}{share:>14.0%}" for name, share in found["alive_share"].items()]
    return "\n".join(lines)

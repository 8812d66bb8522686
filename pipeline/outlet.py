"""Corrected records into their topics, and at once into their tables, which remember longer than the topics do."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from confluent_kafka import Producer

from processors.processor import Output
from schemas.partition import PARTITIONER
from schemas.topics import DAY_MS, TOPICS, full_name
from sinks.failures import CannotGoOn
from sinks.rows import rows_of
from sinks.tables import TABLES
from sinks.writer import Writer

from .clickhouse import address
from .exits import Ended
from .settings import Settings

LIMIT_S = 30.0
CLOSE_MS = 3_600_000  # a record that would leave its topic within the hour does not enter it
TABLE_OF = {table.topic: table for table in TABLES.values()}
DELIVERY = {
    "enable.idempotence": True,
    "partitioner": PARTITIONER,
    "compression.type": "lz4",
    "delivery.timeout.ms": int(LIMIT_S * 1000),
}


class Outlet:
    """Publishes and stores; a repetition changes nothing, for identity and version say which row is the truth.

    The broker deletes a segment whose records are all older than its topic keeps, even if they were written a moment
    ago; the sink may not have read them, and would then stop at the hole. So such records only go into the tables.
    Nor are instruments published: their topic keeps the newest record of a key, and would keep an old fact.
    """

    def __init__(self, settings: Settings) -> None:
        """Connect with the first records."""
        self.put_by_topic: Counter[str] = Counter()
        self.only_stored = 0
        self._prefix = settings.prefix
        self._client: dict[str, Any] = {**settings.kafka, **DELIVERY}
        self._producer: Producer | None = None
        self._writer = Writer(address(settings), time.sleep, LIMIT_S)

    def put(self, outputs: Iterable[Output]) -> None:
        """Return when the broker, then ClickHouse, have the records; raise `Ended`."""
        everything = list(outputs)
        kept = list(filter(_is_kept, everything))
        self._publish(kept)
        self.only_stored += len(everything) - len(kept)
        by_topic: dict[str, list[Output]] = {}
        for output in everything:
            by_topic.setdefault(output.topic, []).append(output)
        for topic, each in by_topic.items():
            self._store(topic, each)
            self.put_by_topic[topic] += len(each)

    def close(self) -> None:
        """Disconnect."""
        self._writer.close()

    def _publish(self, outputs: Sequence[Output]) -> None:
        if not outputs:
            return
        self._producer = self._producer or Producer(self._client)
        failed = []
        for output in outputs:
            self._producer.produce(
                full_name(self._prefix, output.topic),
                output.value,
                output.key,
                output.partition,
                timestamp=output.timestamp_ms,
                on_delivery=lambda error, _: failed.append(error.str()) if error else None,
            )
        undelivered = self._producer.flush(LIMIT_S)
        if failed or undelivered:
            raise Ended(f"Kafka does not take the records ({failed[0] if failed else 'no answer'}): begin again later")

    def _store(self, topic: str, outputs: Sequence[Output]) -> None:
        table = TABLE_OF[topic]
        try:
            refused = self._writer.write(table, rows_of(table, [output.value or b"" for output in outputs]))
        except CannotGoOn as error:
            raise Ended(str(error)) from error
        if refused:
            raise Ended(f"ClickHouse refuses {len(refused)} rows of {table.name}: {refused[0][1]}")


def _is_kept(output: Output) -> bool:
    days = TOPICS[output.topic].days
    return days is not None and time.time() * 1000 - output.timestamp_ms < days * DAY_MS - CLOSE_MS

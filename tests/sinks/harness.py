"""A database and the topics of one market, and a sink between them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.avro import encode
from schemas.topics import TOPICS, full_name
from sinks.connection import ClickHouse, connect
from sinks.kafka_errors import PASSES
from sinks.migrate import migrate
from sinks.run import run
from sinks.tables import TABLES

PARTITIONS = 2
PATIENCE_S = 40.0


def wait_until(condition: Callable[[], Any], what: str) -> None:
    """Return when the condition holds; fail when it does not within the patience of a test."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"after {PATIENCE_S:.0f} s still not: {what}"
        time.sleep(0.05)


@dataclass
class Market:
    """Topics with a prefix of their own, a database of its own."""

    bootstrap: str
    prefix: str
    clickhouse: ClickHouse
    counter: Iterator[int] = field(default_factory=lambda: iter(range(1 << 30)))

    def __post_init__(self) -> None:
        """Create the tables and the topics."""
        self.client: dict[str, Any] = {"bootstrap.servers": self.bootstrap, "log_level": 0}
        self.group = f"{self.prefix}sink"
        self.observer = Consumer({**self.client, "group.id": self.group})  # looks at the group and never joins
        self.producer = Producer({**self.client, "enable.idempotence": True})
        topics = [
            NewTopic(full_name(self.prefix, table.topic), PARTITIONS, 1, config=dict(TOPICS[table.topic].config()))
            for table in TABLES.values()
        ]
        migrate(self.clickhouse)
        admin = AdminClient(self.client)
        for created in admin.create_topics(topics).values():
            created.result(PATIENCE_S)

    def publish(self, topic: str, *values: Any) -> None:
        """Return when the broker has the records; bytes and None go as they are."""
        failed: list[Any] = []
        for value in values:
            number = next(self.counter)
            self.producer.produce(
                full_name(self.prefix, topic),
                value if value is None or isinstance(value, bytes) else encode(value),
                key=str(number),
                partition=number % PARTITIONS,
                on_delivery=lambda error, _: failed.append(error) if error else None,
            )
        assert (self.producer.flush(PATIENCE_S), failed) == (0, [])

    def rows(self, table: str, where: str = "1") -> list[dict[str, Any]]:
        """Return what people see of a table, times in milliseconds as the records have them."""
        query = f"SELECT * FROM {self.clickhouse.database}.v_{table} WHERE {where} ORDER BY ALL"
        with connect(self.clickhouse) as client:
            found, columns = client.execute(query, with_column_types=True)
        return [{name: _as_recorded(value) for (name, _), value in zip(columns, row, strict=True)} for row in found]

    def command(self, statement: str) -> Any:
        """Execute one statement; `{database}` stands for ours."""
        with connect(self.clickhouse) as client:
            return client.execute(statement.replace("{database}", self.clickhouse.database))

    def committed(self, topic: str) -> int:
        """Return the sum of the sink's commits over the partitions of a topic."""
        asked = [TopicPartition(full_name(self.prefix, topic), number) for number in range(PARTITIONS)]
        try:
            found = self.observer.committed(asked, timeout=PATIENCE_S)
        except KafkaException as failure:
            if failure.args[0].code() not in PASSES:  # a young broker still looks for its coordinator
                raise
            return 0
        return sum(max(0, partition.offset) for partition in found)

    def settings(self, **changes: Any) -> Mapping[str, Any]:
        """Return the arguments of `run`."""
        made = {
            "prefix": self.prefix,
            "client": self.client,
            "clickhouse": self.clickhouse,
            "group": self.group,
        }
        return {**made, **changes}

    @contextmanager
    def sink(self, **changes: Any) -> Iterator[Future[int]]:
        """Run a sink in a thread; its exit code comes when it ends, at the latest with the block."""
        stop = threading.Event()
        with ThreadPoolExecutor(1) as threads:
            ended = threads.submit(run, **self.settings(stop=stop, **changes))
            try:
                yield ended
            finally:
                stop.set()
                ended.exception(PATIENCE_S)


def _as_recorded(value: Any) -> Any:
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else value

"""What the sink's side of Kafka commits, where the coordinator comes and goes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from sinks.batch import Batch
from sinks.inbox import Inbox


class Coordinator:
    """A consumer's commits: the first ones fail as told, of the others it remembers what they said."""

    def __init__(self, *failures: int) -> None:
        self.failures = list(failures)
        self.commits: list[dict[tuple[str, int], int]] = []

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        assert not asynchronous
        if self.failures:
            raise KafkaException(KafkaError(self.failures.pop(0)))
        self.commits.append({(where.topic, where.partition): where.offset for where in offsets})

    def assign(self, partitions: list[TopicPartition]) -> None:
        assert partitions == []


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    client = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
    made = Inbox(client, ["a"], group="sink", instance=None, stop=threading.Event(), health_file=None)
    consumer: Any = made._consumer
    yield made
    consumer.close()


def test_what_could_not_be_committed_is_committed_later_though_nothing_comes_any_more(inbox: Inbox) -> None:
    inbox._consumer = kept = Coordinator(KafkaError.NOT_COORDINATOR)  # type: ignore[assignment]  # as much as is used
    inbox.commit(Batch(offsets={("quiet", 0): 5, ("busy", 1): 7}))
    inbox.commit(Batch(offsets={("busy", 1): 9}))
    inbox.commit(Batch())

    assert kept.commits == [{("quiet", 0): 5, ("busy", 1): 9}]


@pytest.mark.parametrize("callback", ["_gain", "_lose"])
def test_what_belongs_to_another_assignment_is_committed_no_more(inbox: Inbox, callback: str) -> None:
    inbox._consumer = kept = Coordinator(KafkaError.ILLEGAL_GENERATION)  # type: ignore[assignment]  # as above
    inbox.commit(Batch(offsets={("quiet", 0): 5}))
    getattr(inbox, callback)(kept, [])
    inbox.commit(Batch(offsets={("busy", 1): 9}))

    assert kept.commits == [{("busy", 1): 9}]

"""Reading topics from the outside: which offsets there are, and records in no group."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas.topics import READER, full_name

from .exits import Ended
from .settings import Settings

REQUEST_LIMIT_S = 10.0
POLL_S = 0.2
NO_LEADER_YET = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError.UNKNOWN_LEADER_EPOCH,  # of a broker that has just come back
}
T = TypeVar("T")
Offsets = dict[tuple[str, int], int]  # by full topic name and partition


def consumer(settings: Settings) -> Consumer:
    """Return a consumer that belongs to no group and commits nothing."""
    config = {"group.id": READER, "enable.auto.commit": False, "auto.offset.reset": "error", "log_level": 3}
    return Consumer({**settings.kafka, **config, "fetch.queue.backoff.ms": 5})


def partitions(client: Consumer, settings: Settings, names: Iterable[str]) -> list[TopicPartition]:
    """Return every partition of the named topics; raise `Ended` where one is missing."""
    found = client.list_topics(timeout=REQUEST_LIMIT_S).topics
    result = []
    for name in names:
        full = full_name(settings.prefix, name)
        if full not in found:
            raise Ended(f"topic {full} is missing: run `liq setup`")
        result += [TopicPartition(full, number) for number in found[full].partitions]
    return result


def bounds(settings: Settings, where: Iterable[TopicPartition]) -> tuple[Offsets, Offsets]:
    """Return the first and the next offset of each partition."""
    client, asked = AdminClient({**settings.kafka, "log_level": 0}), list(where)
    first, following = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]  # theirs has no types
    return _offsets(client, asked, first), _offsets(client, asked, following)


def _offsets(client: AdminClient, where: list[TopicPartition], spec: OffsetSpec) -> Offsets:
    def ask() -> Offsets:
        answers = client.list_offsets(dict.fromkeys(where, spec), request_timeout=REQUEST_LIMIT_S)
        return {(tp.topic, tp.partition): answer.result().offset for tp, answer in answers.items()}

    return patiently(ask)


def patiently(ask: Callable[[], T]) -> T:
    """Ask again where a topic that was created a moment ago has no leader yet."""
    deadline = time.monotonic() + REQUEST_LIMIT_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in NO_LEADER_YET or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def read(client: Consumer, start: Mapping[tuple[str, int], int], go_on: Callable[[], bool]) -> Iterator[Message]:
    """Yield records from `start` on, as they come, while `go_on()`; raise on errors that do not pass by themselves."""
    client.assign([TopicPartition(topic, number, offset) for (topic, number), offset in start.items()])
    while go_on():
        for message in client.consume(1000, POLL_S):
            error = message.error()
            if error and error.code() != KafkaError._PARTITION_EOF and not error.retriable():
                raise KafkaException(error)
            if not error:
                yield message


def read_between(client: Consumer, start: Offsets, end: Offsets) -> Iterator[Message]:
    """Yield the records from `start` up to `end`, partition by partition in order."""
    open_ = {where for where, offset in start.items() if offset < end[where]}

    def follow(message: Message) -> None:
        where = (message.topic() or "", message.partition() or 0)
        if (message.offset() or 0) + 1 >= end[where]:
            open_.discard(where)

    for message in read(client, {where: start[where] for where in open_}, lambda: bool(open_)):
        follow(message)
        yield message

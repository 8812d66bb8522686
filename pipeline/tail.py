"""`liq tail`: the newest records of a topic, decoded, as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import Consumer, Message

from schemas.avro import decode_dict
from schemas.topics import TOPICS, Topic

from .access import check_access, to_read
from .jsonlines import line
from .reading import Offsets, bounds, consumer, partitions, read, read_between
from .settings import Settings
from .setup import admin

FIRST_LOOK = 200  # records read back in each partition; most records of a quiet topic are heartbeats
WIDER = 10
READABLE = {name: topic for name, topic in TOPICS.items() if topic.record}


def tail(settings: Settings, topic: Topic, count: int, follow: bool) -> Iterator[str]:
    """Yield the last `count` records in the order of their time, then, with `follow`, what comes."""
    check_access(admin(settings), settings, to_read(topic.name))
    client = consumer(settings)
    try:
        firsts, nexts = bounds(settings, partitions(client, settings, [topic.name]))
        for message in _newest(client, firsts, nexts, count) if count else []:
            yield _decoded(topic, message)
        if follow:
            yield from (_decoded(topic, message) for message in read(client, nexts, lambda: True) if message.value())
    finally:
        client.close()


def _newest(client: Consumer, firsts: Offsets, nexts: Offsets, count: int) -> list[Message]:
    """Read back in ever wider looks until `count` records that are no heartbeats are found."""
    look = max(FIRST_LOOK, count)
    while True:
        start = {where: max(firsts[where], following - look) for where, following in nexts.items()}
        found = [message for message in read_between(client, start, nexts) if message.value() is not None]
        if len(found) >= count or start == firsts:
            return sorted(found, key=lambda message: message.timestamp()[1])[-count:]
        look *= WIDER


def _decoded(topic: Topic, message: Message) -> str:
    assert topic.record is not None
    return line(topic.record.__name__, decode_dict(message.value() or b"", topic.record))

"""Batches to a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from embedded.kafka import Broker
from producers import kafka
from producers.kafka import KafkaFailed, RawTopic
from schemas.avro import decode
from schemas.exchanges import RAW_PARTITION, RAW_PARTITIONS
from schemas.raw import RawBatch, RawFrame, Source, SourceKind

from .scripted import DEADLINE_S

SOCKET = Source(SourceKind.FRAME, "wss://x/y", "y#1")
MS = 1_000_000
# Nobody listens there, and nobody is waited for.
AWAY = {"bootstrap.servers": "127.0.0.1:1", "queue.buffering.max.messages": "2", "delivery.timeout.ms": "100"}


def create_raw(broker: Broker, prefix: str) -> Mapping[str, str]:
    """Create the topic and return the client's settings."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    name = f"{prefix}raw.v1"
    admin.create_topics([NewTopic(name, RAW_PARTITIONS, 1)])[name].result(20)
    return {"bootstrap.servers": broker.bootstrap}


def stored(broker: Broker, prefix: str) -> list[tuple[int, RawBatch]]:
    """Return time and content of everything that Bybit's partition holds."""
    partition = TopicPartition(f"{prefix}raw.v1", RAW_PARTITION["bybit"], 0)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "reader", "enable.partition.eof": True})
    try:
        consumer.assign([partition])
        found = []
        while (message := consumer.poll(10)) is not None and message.error() is None:
            found.append((message.timestamp()[1], decode(message.value() or b"", RawBatch)))
        return found
    finally:
        consumer.close()


def batch(seq: int, *received_ms: int) -> RawBatch:
    """Return frames of a socket."""
    frames = [RawFrame(time_ms * MS, 0, b"x") for time_ms in received_ms]
    return RawBatch.of("bybit", "run", seq, (SOCKET,), frames)


async def publish(client: Mapping[str, str], prefix: str, *batches: RawBatch) -> RawTopic:
    """Publish and wait for every acknowledgement."""
    topic = RawTopic("bybit", prefix, client)
    for one in batches:
        topic.publish(one)
    assert await topic.drain(10) == 0
    return topic


async def test_a_batch_lands_in_the_exchanges_partition_at_the_time_of_its_last_frame(
    broker: Broker, topic_prefix: str
) -> None:
    client = create_raw(broker, topic_prefix)
    first, second, clock_went_back = batch(0, 1_000, 1_007), batch(2, 1_009), batch(3, 1_003)
    topic = await publish(client, topic_prefix, first, second, clock_went_back)
    assert stored(broker, topic_prefix) == [(1_007, first), (1_009, second), (1_009, clock_went_back)]
    assert (topic.delivered_seq, topic.undelivered()) == (3, 0)


async def keep_polling(topic: RawTopic) -> None:
    """Poll until that fails."""
    while True:
        topic.poll()
        await asyncio.sleep(0.01)


async def test_a_full_queue_takes_the_room_and_a_lost_batch_is_a_failure() -> None:
    topic = RawTopic("bybit", "t.", {**AWAY, "delivery.timeout.ms": "2000"})
    for seq in range(3):
        topic.publish(batch(seq, 1_000))
    assert not topic.room.is_set()
    assert await topic.drain(0.01) == 3

    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(KafkaFailed, match=r"^t.raw.v1: a batch could not be delivered: .*; start again"):
            await keep_polling(topic)
    assert topic.delivered_seq == -1


async def test_room_returns_with_the_broker(broker: Broker, topic_prefix: str) -> None:
    client = {**create_raw(broker, topic_prefix), "queue.buffering.max.messages": "1"}
    topic = RawTopic("bybit", topic_prefix, client)
    batches = [batch(seq, 1_000) for seq in range(20)]
    for one in batches:
        topic.publish(one)
    assert not topic.room.is_set()
    assert await topic.drain(10) == 0
    assert topic.room.is_set()
    assert [found for _, found in stored(broker, topic_prefix)] == batches


def test_settings_may_tune_the_client_but_not_weaken_it() -> None:
    assert not kafka.DEFAULTS.keys() & kafka.GUARANTEES.keys()
    assert kafka.GUARANTEES["enable.idempotence"] is True
    RawTopic("bybit", "t.", {**AWAY, "acks": "all", "compression.type": "lz4", "enable.idempotence": "false"})

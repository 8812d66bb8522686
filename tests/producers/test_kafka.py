"""Batches to a real broker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from prometheus_client import REGISTRY

from embedded.kafka import Broker
from producers import kafka, tail
from producers.kafka import KafkaFailed, RawTopic
from producers.raw import NOBODY
from producers.run import open_topic, resume
from producers.spool import Entry, Spool
from schemas.avro import decode, encoder
from schemas.exchanges import RAW_PARTITION, RAW_PARTITIONS
from schemas.raw import Control, RawBatch, RawFrame, Source, SourceKind

from .scripted import DEADLINE_S, until

SOCKET = Source(SourceKind.FRAME, "wss://x/y", "y#1")
MS = 1_000_000
AWAY = {"bootstrap.servers": "127.0.0.1:1", "queue.buffering.max.messages": "2"}  # nobody listens there
LIMIT = 1 << 20


@pytest.fixture(scope="module")
def unsteady() -> Iterator[Broker]:
    """A broker of this module, which its tests kill and start."""
    with Broker() as own:
        yield own


def create_raw(broker: Broker, prefix: str, **config: str) -> Mapping[str, str]:
    """Create the topic and return the client's settings."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    name = f"{prefix}raw.v1"
    admin.create_topics([NewTopic(name, RAW_PARTITIONS, 1, config=config)])[name].result(20)
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


def batch(seq: int, *received_ms: int, run_id: str = "run") -> RawBatch:
    """Return frames of a socket."""
    frames = [RawFrame(time_ms * MS, 0, b"x") for time_ms in received_ms]
    return RawBatch.of("bybit", run_id, seq, (SOCKET,), frames)


def heartbeat(seq: int, received_ms: int, from_ns: int) -> RawBatch:
    """Return a heartbeat."""
    payload = msgspec.json.encode(Control("heartbeat", from_ns=from_ns))
    return RawBatch.of("bybit", "run", seq, (NOBODY,), [RawFrame(received_ms * MS, 0, payload)])


@contextmanager
def opened(
    client: Mapping[str, str], prefix: str, directory: Path, limit_bytes: int = LIMIT
) -> Iterator[tuple[RawTopic, Spool]]:
    """Open topic and spool as a new start does, and close them as an end does."""
    with Spool(directory, limit_bytes, segment_bytes=1_000) as spool:
        with closing(RawTopic("bybit", prefix, client, spool)) as topic:
            yield topic, spool


async def publish(client: Mapping[str, str], prefix: str, directory: Path, *batches: RawBatch) -> None:
    """Publish and wait for every acknowledgement."""
    with opened(client, prefix, directory) as (topic, _):
        for one in batches:
            topic.publish(one)
        assert await topic.drain(10) == 0
        assert topic.undelivered() == 0


async def failure(topic: RawTopic) -> str:
    """Poll until that fails and return what it says."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                topic.poll()
            except KafkaFailed as failed:
                return str(failed)
            await asyncio.sleep(0.01)


def contents(broker: Broker, prefix: str) -> list[RawBatch]:
    """Return everything that Bybit's partition holds."""
    return [content for _, content in stored(broker, prefix)]


def kept(spool: Spool) -> list[RawBatch]:
    """Return the batches that a spool holds."""
    return [decode(entry.value, RawBatch) for entry in spool.newest_first()][::-1]


def entries(batches: Sequence[RawBatch]) -> list[Entry]:
    """Return batches as a spool keeps them."""
    encode = encoder(RawBatch)
    return [
        Entry(one.run_id, one.first_seq + len(one.payloads) - 1, one.received_ns[-1] // MS, encode(one))
        for one in batches
    ]


async def test_a_batch_lands_in_the_exchanges_partition_at_the_time_of_its_last_frame(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    client = create_raw(broker, topic_prefix)
    first, second, clock_went_back = batch(0, 1_000, 1_007), batch(2, 1_009), batch(3, 1_003)
    with opened(client, topic_prefix, tmp_path) as (topic, _):
        for one in (first, second, clock_went_back):
            topic.publish(one)
        assert await topic.drain(10) == 0
        assert (topic.delivered_seq, topic.undelivered()) == (3, 0)
    assert stored(broker, topic_prefix) == [(1_007, first), (1_009, second), (1_009, clock_went_back)]


async def test_while_kafka_is_well_nothing_touches_the_disk(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    client = create_raw(broker, topic_prefix)
    with opened(client, topic_prefix, tmp_path) as (topic, _):
        for seq in range(20):
            topic.publish(batch(seq, 1_000))
            topic.poll()
            assert os.listdir(tmp_path) == ["lock"]
        assert await topic.drain(10) == 0


async def test_kafka_away_for_a_while_delays_frames_and_nothing_else(
    unsteady: Broker,
    topic_prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(kafka, "SPOOL_AFTER_S", 0.2)
    caplog.set_level("INFO")
    client = {**create_raw(unsteady, topic_prefix), "queue.buffering.max.messages": "50"}
    published = []

    async def keep_publishing(topic: RawTopic) -> None:
        for seq in count():
            published.append(batch(seq, 1_000 + seq))
            topic.publish(published[-1])
            topic.poll()
            await asyncio.sleep(0.002)

    with opened(client, topic_prefix, tmp_path) as (topic, spool):
        async with asyncio.timeout(DEADLINE_S):
            publishing = asyncio.create_task(keep_publishing(topic))
            await until(lambda: topic.delivered_seq > 10)
            unsteady.kill()
            await until(lambda: spool.unsent > 100)
            assert topic.delivered_seq == published[-1].first_seq
            unsteady.start()  # in this thread: the broker ends with the one that started it
            await until(lambda: len(spool) == 0)
            came_back = len(published)
            await until(lambda: len(published) > came_back + 20)
            publishing.cancel()
        assert topic.room.is_set()
        assert await topic.drain(10) == 0
        assert os.listdir(tmp_path) == ["lock"]
    assert contents(unsteady, topic_prefix) == published
    away, back = caplog.messages
    assert away.startswith(f"{topic_prefix}raw.v1: Kafka does not answer, frames go to {tmp_path}: ")
    assert back == f"{topic_prefix}raw.v1: Kafka has all that was in {tmp_path}"


async def test_what_a_stop_cannot_deliver_comes_first_at_the_next_start(
    unsteady: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    client = create_raw(unsteady, topic_prefix)
    unsteady.kill()
    with opened(client, topic_prefix, tmp_path) as (topic, spool):
        topic.publish(batch(0, 1_000))
        topic.publish(batch(1, 1_001))
        assert await topic.drain(0.05) == 0
        assert len(spool) == 2
    unsteady.start()
    with opened(client, topic_prefix, tmp_path) as (topic, _):
        topic.publish(batch(0, 1_002, run_id="next"))
        assert await topic.drain(10) == 0
    assert contents(unsteady, topic_prefix) == [batch(0, 1_000), batch(1, 1_001), batch(0, 1_002, run_id="next")]


async def test_what_kafka_had_stored_before_a_crash_is_not_sent_again(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    client = create_raw(broker, topic_prefix)
    batches = [batch(2 * seq, 1_000 + seq, 1_000 + seq) for seq in range(30)]
    await publish(client, topic_prefix, tmp_path, *batches[:20])
    with Spool(tmp_path, LIMIT, segment_bytes=1_000) as spool:
        for entry in entries(batches[10:]):
            spool.append(entry)
    with opened(client, topic_prefix, tmp_path) as (topic, spool):
        assert resume("bybit", topic_prefix, client, spool) == 1_000 * MS
        assert kept(spool) == batches[20:]
        assert await topic.drain(10) == 0
    assert contents(broker, topic_prefix) == batches


async def test_a_start_without_kafka_goes_on_behind_the_spool_and_sends_of_it_what_kafka_turns_out_not_to_have(
    unsteady: Broker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "FIRST_ANSWER_S", 0.2)
    client = create_raw(unsteady, topic_prefix)
    batches = [batch(0, 1_000), batch(1, 1_001), heartbeat(2, 1_002, 17), batch(3, 1_003)]
    await publish(client, topic_prefix, tmp_path, *batches[:2])
    following = batch(0, 1_004, run_id="next")
    unsteady.kill()
    with Spool(tmp_path, LIMIT) as spool:
        for entry in entries(batches):
            spool.append(entry)
        topic, since_ns = open_topic("bybit", topic_prefix, client, spool)
        with closing(topic):
            settling = asyncio.create_task(topic.settle())
            topic.publish(following)
            assert await topic.drain(0.5) == 0
            assert (since_ns, kept(spool)) == (17, [*batches, following])
            unsteady.start()
            await settling
            assert await topic.drain(10) == 0
    assert contents(unsteady, topic_prefix) == [*batches, following]


async def test_a_batch_that_kafka_refuses_ends_the_run_and_stays_with_all_behind_it(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    client = create_raw(broker, topic_prefix, **{"max.message.bytes": "1000"})
    batches = [batch(0, 1_000), batch(1, *range(1_001, 3_000)), batch(2000, 3_000)]
    with opened({**client, "compression.type": "none"}, topic_prefix, tmp_path) as (topic, _):
        topic.publish(batches[0])
        assert await topic.drain(10) == 0
        topic.publish(batches[1])
        said = await failure(topic)
        topic.publish(batches[2])
        assert topic.delivered_seq == 2_000
    assert said.startswith(f"{topic_prefix}raw.v1: a batch could not be delivered: ")
    with Spool(tmp_path, LIMIT) as spool:
        assert kept(spool) == batches[1:]
    assert contents(broker, topic_prefix) == batches[:1]


async def test_a_batch_too_large_for_kafka_ends_the_run_once_all_before_it_is_delivered(
    broker: Broker, topic_prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = create_raw(broker, topic_prefix)
    frame = RawFrame(2_000 * MS, 0, b"x" * kafka.LARGEST_VALUE)
    with opened(client, topic_prefix, tmp_path) as (topic, _):
        topic.publish(batch(0, 1_000))
        topic.publish(RawBatch.of("bybit", "run", 1, (SOCKET,), [frame]))
        topic.publish(batch(2, 3_000))
        assert "bytes is more than Kafka takes; start again, which tells the gap" in await failure(topic)
    assert len(caplog.messages) == 1
    assert contents(broker, topic_prefix) == [batch(0, 1_000)]


async def test_a_full_spool_takes_the_room_counts_what_it_drops_and_ends_the_run_once_all_before_is_delivered(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    client = {**create_raw(broker, topic_prefix), "queue.buffering.max.messages": "1"}
    dropped_before = dropped()
    batches = [batch(2 * seq, 1_000, 1_001) for seq in range(50)]
    with opened(client, topic_prefix, tmp_path, limit_bytes=1_500) as (topic, spool):
        for one in batches:
            topic.publish(one)
        taken = topic.undelivered()
        assert 5 < taken < 50
        assert spool.bytes <= 1_500
        assert (topic.room.is_set(), topic.delivered_seq) == (False, 2 * taken - 1)
        assert dropped() - dropped_before == 2 * (50 - taken)
        assert "holds 0 MiB and may not hold more; start again, which tells the gap" in await failure(topic)
    assert contents(broker, topic_prefix) == batches[:taken]


def dropped() -> float:
    """Return the frames counted as dropped."""
    return REGISTRY.get_sample_value("liq_producer_dropped_frames_total", {"exchange": "bybit"}) or 0.0


async def test_a_run_that_lost_frames_waits_for_kafka_before_it_ends(tmp_path: Path) -> None:
    with opened(AWAY, "t.", tmp_path, limit_bytes=1_500) as (topic, _):
        for seq in range(50):
            topic.publish(batch(seq, 1_000))
        assert await topic.drain(0.05) == 0
        assert topic.undelivered() > 5


async def test_room_remains_while_the_clients_queue_is_full(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    client = {**create_raw(broker, topic_prefix), "queue.buffering.max.messages": "1"}
    batches = [batch(seq, 1_000) for seq in range(20)]
    with opened(client, topic_prefix, tmp_path) as (topic, spool):
        for one in batches:
            topic.publish(one)
        assert topic.room.is_set()
        assert len(spool) == 20
        assert await topic.drain(10) == 0
    assert contents(broker, topic_prefix) == batches


def test_settings_may_tune_the_client_but_not_weaken_it(tmp_path: Path) -> None:
    assert not kafka.DEFAULTS.keys() & kafka.GUARANTEES.keys()
    assert kafka.GUARANTEES["enable.idempotence"] is True
    tuned = {
        **AWAY,
        "acks": "all",
        "compression.type": "lz4",
        "enable.idempotence": "false",
        "delivery.timeout.ms": "9",
    }
    with opened(tuned, "t.", tmp_path):
        pass

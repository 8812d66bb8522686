"""Until when raw is complete, and what it holds of a run, read from the end of what is stored."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.avro import decode
from schemas.exchanges import RAW_PARTITION
from schemas.raw import Control, RawBatch, SourceKind
from schemas.topics import READER, full_name

from .kafka import KafkaAway, KafkaFailed

READING = {"enable.auto.commit": False, "auto.offset.reset": "earliest", "log_level": 3}
AWAY = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE}
FIRST_ANSWER_S = 3.0
ANSWER_S = 10.0
WINDOW = 200  # records read at once; heartbeats are a second apart, batches some milliseconds


def proven_until(exchange: str, prefix: str, client: Mapping[str, str], spooled: Iterable[RawBatch] = ()) -> int:
    """Return until when raw is proven complete, in ns since the epoch: what its newest heartbeat says.

    `spooled` are batches that will be stored before anything else, the newest first: their heartbeats count too.
    0 when there are no frames; the first frame's time when none of them is a heartbeat.
    Raises `KafkaAway` when Kafka does not answer, and `KafkaFailed` when the topic does not exist.
    """
    with _reading(exchange, prefix, client) as (consumer, partition):
        stored_ns = _proven_until(consumer, partition)
    first_ns = 0
    for batch in spooled:
        if newest_ns := _heartbeat(batch):
            return max(stored_ns, newest_ns)
        first_ns = batch.received_ns[0]
    return stored_ns or first_ns


def spooled_until(spooled: Iterable[RawBatch]) -> int:
    """Return what the newest heartbeat of these batches says, the newest first; 0 where there is none."""
    return next(filter(None, map(_heartbeat, spooled)), 0)


def last_stored(exchange: str, prefix: str, client: Mapping[str, str], since_ms: int) -> dict[str, int]:
    """Return the number of the last stored frame by run, of all batches whose timestamp is `since_ms` or later.

    Raises `KafkaFailed` as `proven_until` does.
    """
    with _reading(exchange, prefix, client) as (consumer, partition):
        _, end = _bounds(consumer, partition)
        since = TopicPartition(partition.topic, partition.partition, since_ms)
        begin = consumer.offsets_for_times([since], timeout=ANSWER_S)[0]
        if begin.error:
            raise KafkaException(begin.error)
        stored = _read(consumer, begin, end) if begin.offset >= 0 else ()  # negative: there is nothing so new
        return {batch.run_id: batch.first_seq + len(batch.payloads) - 1 for batch in stored}


@contextmanager
def _reading(exchange: str, prefix: str, client: Mapping[str, str]) -> Iterator[tuple[Consumer, TopicPartition]]:
    partition = TopicPartition(full_name(prefix, "raw"), RAW_PARTITION[exchange])
    consumer = Consumer({**client, "group.id": READER, **READING})
    try:
        consumer.list_topics(partition.topic, FIRST_ANSWER_S)
        yield consumer, partition
    except KafkaException as error:
        failed = KafkaAway if error.args[0].code() in AWAY else KafkaFailed
        reason = error.args[0].str()
        raise failed(
            f"{partition.topic} on {client['bootstrap.servers']}: {reason}; is Kafka up, and the topic there?"
        ) from error
    finally:
        consumer.close()


def _proven_until(consumer: Consumer, partition: TopicPartition) -> int:
    low, end = _bounds(consumer, partition)
    oldest_ns = 0
    while end > low:
        begin = max(low, end - WINDOW)
        newest_ns = 0
        for batch in _read(consumer, TopicPartition(partition.topic, partition.partition, begin), end):
            newest_ns = _heartbeat(batch) or newest_ns
            oldest_ns = min(oldest_ns or batch.received_ns[0], batch.received_ns[0])
        if newest_ns:
            return newest_ns
        end = begin
    return oldest_ns


def _bounds(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    deadline_s = time.monotonic() + ANSWER_S
    while True:
        try:
            return consumer.get_watermark_offsets(partition, timeout=ANSWER_S)
        except KafkaException:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.1)  # a topic made a moment ago has no leader yet


def _read(consumer: Consumer, begin: TopicPartition, end: int) -> Iterator[RawBatch]:
    consumer.assign([begin])
    position = begin.offset
    while position < end:
        message = consumer.poll(ANSWER_S)
        if message is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        if error := message.error():
            raise KafkaException(error)
        position = (message.offset() or 0) + 1
        if position <= end:
            yield decode(message.value() or b"", RawBatch)


def _heartbeat(batch: RawBatch) -> int:
    for frame in reversed(batch.frames()):
        if batch.sources[frame.source].kind is SourceKind.CONTROL:
            control = msgspec.json.decode(frame.payload, type=Control)
            if control.control == "heartbeat":
                return control.from_ns or frame.received_ns
    return 0

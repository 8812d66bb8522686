"""Topics of the benchmarks: created, filled, measured, read."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from schemas.avro import encoder
from schemas.exchanges import RAW_PARTITION
from schemas.raw import RawBatch
from schemas.topics import TOPICS, full_name

from .frames import EXCHANGE, FRAMES, Sent, batches

ASSET_PARTITIONS = 4
LIMIT_S = 60.0
FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": str(2 << 20)}
WRITING = {
    "enable.idempotence": True,  # else the first batches of a new partition can change places when one is sent again
    "compression.type": "zstd",
    "linger.ms": 20,
    "queue.buffering.max.messages": 1_000_000,
}
READING = {"group.id": "none", "enable.auto.commit": False, "auto.offset.reset": "error", "fetch.queue.backoff.ms": 5}

Offsets = dict[tuple[str, int], int]  # by full name and partition
Row = tuple[bytes, bytes, int, int]  # value, key, partition, timestamp (ms)


class Topics:
    """The topics under one prefix of one broker."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        """Create nothing yet."""
        self.bootstrap, self.prefix = bootstrap, prefix
        self._admin = AdminClient({"bootstrap.servers": bootstrap})

    def create(self) -> None:
        """Create every topic of the product, and the one of plain Faust; records of any age stay."""
        partitions = {name: topic.partitions(ASSET_PARTITIONS) for name, topic in TOPICS.items()}
        self._create({**partitions, FRAMES: 1}, FOR_EVER)

    def create_state(self, stage: str) -> None:
        """Create the topic for the snapshots of one run."""
        topic = TOPICS["state.normalize"]
        self._create({f"state.{stage}": topic.partitions(ASSET_PARTITIONS)}, topic.config())

    def fill_raw(self, frames: Iterable[Sent]) -> None:
        """Publish frames in batches, as a producer does."""
        encode, partition = encoder(RawBatch), RAW_PARTITION[EXCHANGE]
        rows = ((encode(batch), b"", partition, batch.received_ns[-1] // 1_000_000) for batch in batches(frames))
        self.fill("raw", rows)

    def fill_plain(self, frames: Iterable[Sent]) -> None:
        """Publish one frame a record."""
        self.fill(FRAMES, ((frame.payload, b"%d" % frame.source, 0, frame.received_ms) for frame in frames))

    def fill(self, name: str, rows: Iterable[Row]) -> None:
        """Publish to one topic, and wait until all is delivered."""
        producer = Producer({"bootstrap.servers": self.bootstrap, **WRITING})
        for number, (value, key, partition, time_ms) in enumerate(rows):
            producer.produce(full_name(self.prefix, name), value, key, partition, timestamp=time_ms)
            if number % 1000 == 0:
                producer.poll(0)
        if left := producer.flush(LIMIT_S):
            raise TimeoutError(f"{left} records of {name} are not delivered")

    def ends(self, names: Iterable[str]) -> Offsets:
        """Return the next offset of each partition of topics by asset."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # theirs has no types
        numbers = range(ASSET_PARTITIONS)
        asked = {TopicPartition(full_name(self.prefix, name), number): latest for name in names for number in numbers}
        answers = self._admin.list_offsets(asked, request_timeout=LIMIT_S)
        return {(where.topic, where.partition): answer.result().offset for where, answer in answers.items()}

    def read(self, start: Offsets, end: Offsets) -> Iterator[Message]:
        """Yield the records between two sets of offsets, each partition in order."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, **READING})
        left = sum(end[where] - offset for where, offset in start.items())
        deadline = time.monotonic() + LIMIT_S
        consumer.assign([TopicPartition(topic, number, offset) for (topic, number), offset in start.items()])
        while left > 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{left} records were not read within {LIMIT_S:.0f} s")
            for message in consumer.consume(1000, 0.2):
                if (message.offset() or 0) < end[message.topic() or "", message.partition() or 0]:
                    left -= 1
                    yield message
        consumer.close()

    def _create(self, partitions: Mapping[str, int], config: Mapping[str, str]) -> None:
        names = {full_name(self.prefix, name): count for name, count in partitions.items()}
        wanted = [NewTopic(name, count, 1, config=dict(config)) for name, count in names.items()]
        for future in self._admin.create_topics(wanted).values():
            future.result(LIMIT_S)
        deadline = time.monotonic() + LIMIT_S
        while not names.keys() <= self._admin.list_topics(timeout=LIMIT_S).topics.keys():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the broker does not list {sorted(names)}")
            time.sleep(0.05)

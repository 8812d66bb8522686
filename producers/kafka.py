"""Batches of raw frames to Kafka: in order, each once, or the end of the run."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.avro import encoder
from schemas.exchanges import RAW_PARTITION
from schemas.raw import RawBatch
from schemas.topics import full_name

from . import metrics

DEFAULTS = {
    "linger.ms": 0,  # frames have waited for each other already
    "compression.type": "zstd",
    "queue.buffering.max.kbytes": 64 << 10,  # what waits here while Kafka is away; then sockets are not read
    "delivery.timeout.ms": 120_000,
    "log_level": 3,
}
GUARANTEES = {
    "message.max.bytes": 2 << 20,
    "enable.idempotence": True,  # with acks=all: in order, each once
    "enable.gapless.guarantee": True,  # a lost batch is the end of the run, never a hole before a later batch
}


class KafkaFailed(Exception):
    """Kafka does not take or give what it should; the message says what to do."""


class RawTopic:
    """The sink that writes one exchange's partition of raw."""

    def __init__(self, exchange: str, prefix: str, client: Mapping[str, str]) -> None:
        """`client`: librdkafka's settings, `bootstrap.servers` above all."""
        self.room = asyncio.Event()
        self.room.set()
        self.delivered_seq = -1  # the last frame that Kafka acknowledged
        self._topic, self._partition = full_name(prefix, "raw"), RAW_PARTITION[exchange]
        self._producer = Producer({**DEFAULTS, **client, **GUARANTEES})
        self._encode = encoder(RawBatch)
        self._newest_ms = 0
        self._under_way = 0  # batches that the client holds
        self._waiting: deque[tuple[bytes, int, int]] = deque()  # a spool on disk would take the place of this queue
        self._failure = ""

    def publish(self, batch: RawBatch) -> None:
        """Take a batch; clears `room` when the client's queue is full."""
        # The time of the last frame: nothing in a batch is newer than its timestamp, which is what merges rely on,
        # and a search by time finds the first batch that holds the moment or anything after it.
        self._newest_ms = max(self._newest_ms, batch.received_ns[-1] // 1_000_000)
        last_seq = batch.first_seq + len(batch.payloads) - 1
        self._waiting.append((self._encode(batch), self._newest_ms, last_seq))
        if self.room.is_set():
            self._send()

    def poll(self) -> None:
        """Send what waits, take acknowledgements; raise `KafkaFailed` once a batch is lost for good."""
        self._send()
        self._producer.poll(0)
        metrics.UNDELIVERED.set(self.undelivered())
        if self._failure:
            raise KafkaFailed(self._failure)

    def undelivered(self) -> int:
        """Return how many batches are not acknowledged."""
        return self._under_way + len(self._waiting)

    async def drain(self, within_s: float) -> int:
        """Wait until everything is acknowledged; return how many batches are not."""
        try:
            async with asyncio.timeout(within_s):
                while self.undelivered():
                    self.poll()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pass
        return self.undelivered()

    def _send(self) -> None:
        try:
            while self._waiting:
                value, timestamp_ms, last_seq = self._waiting[0]
                acknowledged = partial(self._acknowledged, last_seq)
                self._producer.produce(
                    self._topic, value, partition=self._partition, timestamp=timestamp_ms, on_delivery=acknowledged
                )
                self._waiting.popleft()
                self._under_way += 1
            self.room.set()
        except BufferError:
            self.room.clear()
        except KafkaException as error:
            self._fail(error.args[0])

    def _acknowledged(self, last_seq: int, error: KafkaError | None, _message: Message) -> None:
        self._under_way -= 1
        if error is None:
            self.delivered_seq = last_seq
        else:
            self._fail(error)

    def _fail(self, error: KafkaError) -> None:
        first = f"{self._topic}: a batch could not be delivered: {error.str()}; start again once Kafka is well"
        self._failure = self._failure or first

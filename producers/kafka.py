"""Batches of raw frames to Kafka: in order, each once, by way of the disk while Kafka is away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.avro import encoder
from schemas.exchanges import RAW_PARTITION
from schemas.raw import RawBatch
from schemas.topics import full_name

from . import metrics
from .spool import Entry, Spool, SpoolFull

log = logging.getLogger(__name__)

DEFAULTS = {
    "linger.ms": 0,  # frames have waited for each other already
    "compression.type": "zstd",
    "queue.buffering.max.kbytes": 64 << 10,
    "reconnect.backoff.max.ms": 1_000,
    "log_level": 2,  # what it says each time that it cannot connect, `RawTopic` says once
}
GUARANTEES = {
    "message.max.bytes": 2 << 20,
    "enable.idempotence": True,  # with acks=all: in order, each once
    "enable.gapless.guarantee": True,  # a refused batch is the end of the run, never a hole before a later batch
    "delivery.timeout.ms": 0,  # none: a batch that times out is the one loss that the guarantee does not cover
    # One at a time: when a broker comes back between two retries the later one is out of order, the client goes on with
    # a new epoch, and the broker stores again what it already has of the earlier one.
    "max.in.flight.requests.per.connection": 1,
}
LARGEST_VALUE = (2 << 20) - 1024  # with what Kafka adds a message
SPOOL_AFTER_S = 2.0  # without an acknowledgement
ASK_AGAIN_S = 1.0
SEND_BYTES = 4 << 20  # from the spool at once, so that sockets are read meanwhile


class KafkaFailed(Exception):
    """Kafka does not take or give what it should; the message says what to do."""


class KafkaAway(KafkaFailed):
    """Kafka does not answer at all."""


class RawTopic:
    """The sink that writes one exchange's partition of raw.

    What is not acknowledged stands first in the spool, then in memory. While Kafka answers, batches go to the client at
    once and the spool is empty; without an answer all go to the spool, and from there to the client until it is empty.
    A batch that cannot be kept is the end of the run: all before it is delivered first, the next start tells the gap.
    """

    def __init__(
        self,
        exchange: str,
        prefix: str,
        client: Mapping[str, str],
        spool: Spool,
        stored: Callable[[], Mapping[str, int]] | None = None,
    ) -> None:
        """`client`: librdkafka's settings, `bootstrap.servers` above all; `spool`: what it holds is sent first.

        `stored` asks Kafka for the last frame that it has, by run, where nobody knows yet how much of the spool that
        is: see `settle`. It blocks, and raises `KafkaAway` where there is no answer.
        """
        self.room = asyncio.Event()
        self.room.set()
        self.delivered_seq = -1  # the last frame of this run that Kafka acknowledged or the spool keeps
        self._topic, self._partition = full_name(prefix, "raw"), RAW_PARTITION[exchange]
        self._producer = Producer({**DEFAULTS, **client, **GUARANTEES, "error_cb": self._explain})
        self._encode = encoder(RawBatch)
        self._spool, self._ask_stored = spool, stored
        self._memory: deque[Entry] = deque()  # the client has them; empty as long as the spool holds one it has not
        self._run_id = ""
        self._newest_ms = 0
        self._answered_s = time.monotonic()  # when Kafka last acknowledged, or there was nothing to
        self._is_told_away = False
        self._reason = "it says nothing"  # why Kafka does not answer, as the client sees it
        self._over = ""  # why nothing more is taken
        self._failure = ""
        self._dropped = metrics.DROPPED.labels(exchange)

    async def settle(self) -> None:
        """Let the spool go of what is stored, once Kafka answers: before that nothing of it is sent."""
        while self._ask_stored:
            try:
                stored = await asyncio.to_thread(self._ask_stored)
            except KafkaAway:
                await asyncio.sleep(ASK_AGAIN_S)
            else:
                self._spool.discard(stored)
                self._ask_stored = None

    def publish(self, batch: RawBatch) -> None:
        """Take a batch; clears `room` for good when it cannot be kept."""
        entry = self._entry(batch)
        if len(entry.value) > LARGEST_VALUE:
            self._end(f"a batch of {len(entry.value)} bytes is more than Kafka takes")
        if not self.undelivered():
            self._answered_s = time.monotonic()
        if not self._over and not self._spool.unsent and not self._is_away() and self._produce(entry):
            self._memory.append(entry)
        elif not self._keep(entry):
            self._dropped.inc(len(batch.payloads))

    def poll(self) -> None:
        """Send what waits, take acknowledgements; raise `KafkaFailed` once the run cannot go on."""
        self._send_spooled()
        self._take_acknowledgements()
        if self._is_away():
            self._spill()
        self._tell()
        metrics.UNDELIVERED.set(self.undelivered())
        metrics.SPOOL_BATCHES.set(len(self._spool))
        metrics.SPOOL_BYTES.set(self._spool.bytes)
        if self._failure:
            raise KafkaFailed(self._failure)
        if self._over and not self.undelivered():
            raise KafkaFailed(f"{self._topic}: {self._over}; start again, which tells the gap")

    def undelivered(self) -> int:
        """Return how many batches are not acknowledged."""
        return len(self._spool) + len(self._memory)

    async def drain(self, within_s: float) -> int:
        """Wait until everything is acknowledged, leave the rest to the spool; return how many are in neither."""
        try:
            async with asyncio.timeout(within_s):
                while self.undelivered():
                    self.poll()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            self._spill()
        return len(self._memory)

    def close(self) -> None:
        """End the client; what it has not delivered stays in the spool for the next start."""
        self._spill()
        self._failure = self._failure or "closed"  # what is purged is no acknowledgement
        self._producer.purge()
        self._take_acknowledgements()
        if len(self._spool):
            log.info("%s: %d batches wait in %s", self._topic, len(self._spool), self._spool.directory)

    def _entry(self, batch: RawBatch) -> Entry:
        # The time of the last frame: nothing in a batch is newer than its timestamp, which is what merges rely on,
        # and a search by time finds the first batch that holds the moment or anything after it.
        self._newest_ms = max(self._newest_ms, batch.received_ns[-1] // 1_000_000)
        self._run_id = batch.run_id
        last_seq = batch.first_seq + len(batch.payloads) - 1
        return Entry(batch.run_id, last_seq, self._newest_ms, self._encode(batch))

    def _is_away(self) -> bool:
        return self.undelivered() > 0 and time.monotonic() - self._answered_s > SPOOL_AFTER_S

    def _tell(self) -> None:
        """Say once that Kafka is away, and once that it has caught up."""
        if self._is_away() and not self._is_told_away:
            log.warning(
                "%s: Kafka does not answer, frames go to %s: %s", self._topic, self._spool.directory, self._reason
            )
            self._is_told_away = True
        elif self._is_told_away and not len(self._spool):
            log.info("%s: Kafka has all that was in %s", self._topic, self._spool.directory)
            self._is_told_away = False

    def _explain(self, error: KafkaError) -> None:
        self._reason = error.str()

    def _produce(self, entry: Entry) -> bool:
        """Hand an entry to the client; return whether it took it."""
        if self._failure:
            return False
        own_seq = entry.last_seq if entry.run_id == self._run_id else -1
        try:
            self._producer.produce(
                self._topic,
                entry.value,
                partition=self._partition,
                timestamp=entry.timestamp_ms,
                on_delivery=partial(self._acknowledged, own_seq),
            )
        except BufferError:
            return False
        except KafkaException as error:
            self._fail(error.args[0])
            return False
        return True

    def _send_spooled(self) -> None:
        left = 0 if self._ask_stored else SEND_BYTES
        while left > 0 and (entry := self._spool.peek()) and self._produce(entry):
            self._spool.sent()
            left -= len(entry.value)

    def _keep(self, entry: Entry) -> bool:
        """Put an entry into the spool, behind everything else; return whether that has room."""
        self._spill()
        if self._over:
            return False
        try:
            self._spool.append(entry)
        except SpoolFull as full:
            self._end(str(full))
            return False
        self.delivered_seq = entry.last_seq
        return True

    def _spill(self) -> None:
        """Move what only the client has into the spool, as far as that has room."""
        try:
            while self._memory:
                entry = self._memory[0]
                self._spool.append(entry, is_sent=True)
                self._memory.popleft()
                self.delivered_seq = entry.last_seq
        except SpoolFull as full:
            self._end(str(full))

    def _end(self, reason: str) -> None:
        if not self._over:
            log.error(
                "%s: %s; frames are dropped until all before is delivered, then this run ends", self._topic, reason
            )
        self._over = self._over or reason
        self.room.clear()

    def _take_acknowledgements(self) -> None:
        try:
            self._producer.poll(0)
        except KafkaException as error:  # the client itself has failed, not only a batch
            self._fail(error.args[0])

    def _acknowledged(self, own_seq: int, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._fail(error)
        if self._failure:
            return
        self._answered_s = time.monotonic()
        self.delivered_seq = max(self.delivered_seq, own_seq)
        if len(self._spool):
            self._spool.remove()
        else:
            self._memory.popleft()

    def _fail(self, error: KafkaError) -> None:
        first = f"{self._topic}: a batch could not be delivered: {error.str()}; start again once Kafka is well"
        self._failure = self._failure or first

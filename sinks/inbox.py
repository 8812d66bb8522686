"""The sink's side of Kafka: batches over all topics, commits after the insert, patience while ClickHouse is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from . import metrics
from .batch import Batch
from .failures import CannotGoOn
from .kafka_errors import ENDS_THE_SINK, LOST_MEMBERSHIP, OUT_OF_RANGE, PASSES

CHUNK = 1_000  # messages taken at once: they overshoot a batch by no more
TICK_S = 0.1  # how soon a stop is noticed
BEAT_S = 1.0
ANSWER_LIMIT_S = 30.0

STRICT = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",  # where to begin is said at each assignment; anything else would hide a loss
    "partition.assignment.strategy": "range",
    "fetch.queue.backoff.ms": 5,
    "queued.min.messages": 100_000,
    "max.poll.interval.ms": 300_000,
}
log = logging.getLogger(__name__)


class Abandoned(Exception):
    """The batch at hand is no longer ours, or the sink shall stop: forget it, Kafka delivers it again."""


class Inbox:
    """Reads topics as a member of a group. Whatever a rebalance interrupts is abandoned and read again."""

    def __init__(
        self,
        client: Mapping[str, Any],
        topics: list[str],
        *,
        group: str,
        instance: str | None,
        stop: threading.Event,
        health_file: Path | None,
    ) -> None:
        """Join the group; each partition begins at its commit, or at its first record if it has none."""
        member = {"group.instance.id": f"{group}.{instance}"} if instance else {}
        self._consumer = Consumer({**client, **STRICT, **member, "group.id": group, "error_cb": self._notice})
        self._stop = stop
        self._health_file = health_file
        self._assigned = self._moved = False
        self._granted: list[TopicPartition] | None = None  # by the group; `gather` begins to read them
        self._uncommitted: dict[tuple[str, int], int] = {}  # stored, by topic and partition
        self._fatal: KafkaError | None = None
        self._beaten_s = float("-inf")
        if health_file:
            health_file.unlink(missing_ok=True)
        self._consumer.subscribe(topics, on_assign=self._gain, on_revoke=self._lose)

    def gather(self) -> Batch:
        """Return the next batch; an empty one where nothing came within the age of a batch, or at a stop."""
        batch = Batch()
        self._consumer.resume(self._consumer.assignment())
        while not (batch.is_due() or self._stop.is_set()):
            if self._granted is not None:
                self._begin(self._granted)
            messages = self._consumer.consume(CHUNK, timeout=TICK_S)
            self._beat()
            if self._moved:  # the new partitions are not assigned yet: all this is of the former ones
                batch, self._moved = Batch(), False
                continue
            for message in messages:
                if error := message.error():
                    self._judge(error, _place(message))
                else:
                    batch.add(message)
        return batch

    def rest(self, seconds: float) -> None:
        """Stay in the group without reading. Raise `Abandoned` when the batch at hand is in vain."""
        self._consumer.pause(self._consumer.assignment())
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stop.is_set():
            message = self._consumer.poll(min(TICK_S, left))
            self._beat()
            if message is not None and (error := message.error()):
                self._judge(error, _place(message))
            elif message is not None:
                raise RuntimeError(f"{_place(message)} rests and delivered a record")
        moved, self._moved = self._moved, False
        if moved or self._stop.is_set():
            raise Abandoned

    def commit(self, batch: Batch) -> None:
        """Commit what is stored; where that fails now, the next batch tries again: a topic may be quiet for long."""
        self._uncommitted |= batch.offsets
        if not self._uncommitted:
            return
        offsets = [TopicPartition(*where, offset) for where, offset in self._uncommitted.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as failure:
            if failure.args[0].code() not in LOST_MEMBERSHIP | PASSES:
                raise
            log.warning("not committed", extra={"error": failure.args[0].str()})
            return
        self._uncommitted = {}
        metrics.BATCH_SECONDS.observe(time.monotonic() - batch.opened_s)
        metrics.committed()

    def close(self) -> None:
        """Leave."""
        self._consumer.close()

    def _gain(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Only take note: what is raised in a callback can crash the interpreter."""
        consumer.assign([])
        self._granted, self._assigned, self._moved = partitions, True, True
        self._uncommitted = {}  # what is ours comes again, from the commits on, and replaces itself

    def _lose(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._granted, self._assigned, self._moved = None, False, True
        self._uncommitted = {}
        log.info("revoked", extra={"partitions": len(partitions)})

    def _begin(self, partitions: list[TopicPartition]) -> None:
        """Read from the commits on; where the broker cannot tell them now, the next turn asks again."""
        try:
            starts = self._starts(partitions)
        except KafkaException as failure:
            if failure.args[0].code() not in PASSES:
                raise
            log.warning("no start yet", extra={"error": failure.args[0].str()})
            return
        self._consumer.assign(starts)
        self._granted = None
        log.info("assigned", extra={"partitions": len(starts)})

    def _starts(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        starts = self._consumer.committed(partitions, timeout=ANSWER_LIMIT_S) if partitions else []
        for start in starts:
            if start.error:
                raise KafkaException(start.error)
            if start.offset < 0:
                start.offset = OFFSET_BEGINNING
            else:
                _check(self._consumer, start)
        return starts

    def _notice(self, error: KafkaError) -> None:
        if error.fatal() or error.code() in ENDS_THE_SINK:
            self._fatal = error
        else:
            log.warning("kafka", extra={"error": error.str()})

    def _judge(self, error: KafkaError, where: str) -> None:
        advice = ENDS_THE_SINK.get(error.code())
        if advice or error.fatal():
            raise CannotGoOn(f"{where}: {error.str()}: {advice or 'is another sink running as this instance?'}")
        log.warning("kafka", extra={"where": where, "error": error.str()})

    def _beat(self) -> None:
        """Touch the health file while there is an assignment: this process reads, or waits for ClickHouse."""
        if self._fatal is not None:
            self._judge(self._fatal, "Kafka")
        now = time.monotonic()
        if self._health_file and self._assigned and now - self._beaten_s >= BEAT_S:
            self._health_file.touch()
            self._beaten_s = now


def _check(consumer: Consumer, start: TopicPartition) -> None:
    """Ask the broker: librdkafka's own complaint gets lost where a pause follows at once."""
    first, following = consumer.get_watermark_offsets(start, timeout=ANSWER_LIMIT_S)
    if not first <= start.offset <= following:
        raise CannotGoOn(
            f"{start.topic}[{start.partition}] holds the offsets {first} to {following}, "
            f"the commit is {start.offset}: {OUT_OF_RANGE}"
        )


def _place(message: Message) -> str:
    return f"{message.topic()}[{message.partition()}]"

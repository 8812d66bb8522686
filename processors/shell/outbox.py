"""Publish outputs and know which of them the broker has not acknowledged: confluent-kafka on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from confluent_kafka import KafkaError, Message, Producer

from schemas.partition import PARTITIONER

from ..processor import Output
from .connection import LIBRARY_LOG, Client

POLL_S = 0.002
SETTINGS = {
    "enable.idempotence": True,
    "partitioner": PARTITIONER,
}
Where = Callable[[int], None]


class DeliveryError(RuntimeError):
    """The broker did not accept a record."""


class Outbox:
    """Publishes records in order and knows which of them are not delivered yet."""

    def __init__(
        self, client: Client, full_names: Mapping[str, str], compression: str = "lz4", linger_ms: int = 1
    ) -> None:
        """Publish to the topics in `full_names` (by the name without prefix)."""
        self.published = dict.fromkeys(full_names, 0)
        self.waits = 0  # for room
        self._full_names = full_names
        self._producer = Producer(
            {**client, **SETTINGS, "compression.type": compression, "linger.ms": linger_ms}, logger=LIBRARY_LOG
        )
        self._open: dict[int, None] = {}  # in the order of publishing
        self._sent = 0
        self._error: DeliveryError | None = None

    def __len__(self) -> int:
        """Return the number of undelivered records."""
        return len(self._open)

    def publish(self, output: Output, where: Where | None = None) -> None:
        """Queue one record; raise when an earlier delivery failed; `where` learns the offset."""
        self._check()
        topic = self._full_names.get(output.topic)
        if topic is None:
            raise LookupError(f"{output.topic} is not among the declared outputs {sorted(self._full_names)}")
        self._sent += 1
        self._producer.produce(
            topic,
            output.value,
            output.key,
            output.partition,
            timestamp=output.timestamp_ms,
            headers=list(output.headers),
            on_delivery=partial(self._delivered, self._sent, where),
        )
        self._open[self._sent] = None
        self.published[output.topic] += 1

    def poll(self) -> None:
        """Learn what was delivered; not with each record, for it costs more than to publish one."""
        self._producer.poll(0)

    async def make_room(self, left: int) -> None:
        """Wait, and count it, until at most `left` records are undelivered."""
        self.waits += 1
        await self.delivered(left)

    async def delivered(self, left: int = 0) -> None:
        """Wait until at most `left` of the records published so far are undelivered."""
        limit = self._sent - left
        while self._open and next(iter(self._open)) <= limit:
            self._producer.poll(0)
            self._check()
            await asyncio.sleep(POLL_S)
        self._check()

    def _delivered(self, number: int, where: Where | None, error: KafkaError | None, message: Message) -> None:
        if error:
            self._error = self._error or DeliveryError(f"{message.topic()}: {error}")
            return
        self._open.pop(number, None)
        if where:
            where(message.offset() or 0)

    def _check(self) -> None:
        if self._error:
            raise self._error

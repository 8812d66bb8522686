"""Rows that ClickHouse refuses become dead letters, acknowledged by the broker before anything is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Producer

from schemas.avro import encode
from schemas.partition import partition_of
from schemas.records import DeadLetter
from schemas.topics import full_name

from .failures import CannotGoOn

TOPIC = "dead-letters"
STAGE = "sink"
ANSWER_LIMIT_S = 30.0
DELIVERY = {"enable.idempotence": True, "delivery.timeout.ms": int(ANSWER_LIMIT_S * 1000)}


def dead_letter(message: Any, topic: str, exchange: str, index: int, reason: str) -> DeadLetter:
    """Return the dead letter of a Message that makes a refused row; `index` is the item within the record."""
    return DeadLetter(
        exchange=exchange,
        stage=STAGE,
        channel="",
        reason=reason,
        source="",
        topic=topic,
        partition=message.partition(),
        offset=message.offset(),
        index=index,
        received_ms=message.timestamp()[1],
        is_parked=False,
        suppressed=0,
        payload=message.value(),
    )


def publish(client: Mapping[str, Any], prefix: str, letters: Sequence[DeadLetter]) -> None:
    """Return when the broker has them all; raise `CannotGoOn`."""
    topic, failed = full_name(prefix, TOPIC), []
    producer = Producer({**client, **DELIVERY})
    partitions = len(producer.list_topics(topic, timeout=ANSWER_LIMIT_S).topics[topic].partitions)
    for letter in letters:
        producer.produce(
            topic,
            encode(letter),
            key=letter.exchange,
            partition=partition_of(letter.exchange, partitions),
            timestamp=letter.received_ms,
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
    undelivered = producer.flush(ANSWER_LIMIT_S)
    if failed or undelivered:
        raise CannotGoOn(f"{topic} does not take dead letters ({failed or 'no answer'}): look at the broker")

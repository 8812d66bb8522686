"""Where a lane starts that has commits but no snapshot: early enough to see the context of the log once."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition
from faust.types import TP

from schemas.topics import READER

from .connection import LIBRARY_LOG, Client

CONTEXT_MS = 12 * 60_000  # producers repeat instruments and acknowledgements every 10 minutes
ANSWER_LIMIT_S = 5.0


def warm_up(client: Client, commits: Mapping[TP, int]) -> dict[TP, int]:
    """Return where to read the inputs of one lane, so that the state is complete again at its `commits`. Blocks."""
    settings = {"group.id": READER, "enable.auto.commit": False, "auto.offset.reset": "error", "fetch.wait.max.ms": 10}
    consumer = Consumer({**client, **settings}, logger=LIBRARY_LOG)
    try:
        times_ms = [_time_before(consumer, tp, offset) for tp, offset in commits.items()]
        known = [time_ms for time_ms in times_ms if time_ms is not None]
        if not known:
            return dict(commits)  # nothing is left before them
        since = [TopicPartition(tp.topic, tp.partition, max(0, min(known) - CONTEXT_MS)) for tp in commits]
        found = {TP(f.topic, f.partition): f.offset for f in consumer.offsets_for_times(since, timeout=ANSWER_LIMIT_S)}
    finally:
        consumer.close()
    return {tp: min(found[tp], offset) if found[tp] >= 0 else offset for tp, offset in commits.items()}


def _time_before(consumer: Consumer, tp: TP, offset: int) -> int | None:
    """Return the time of the last record below `offset`, None when the log holds none."""
    low, high = consumer.get_watermark_offsets(TopicPartition(*tp), timeout=ANSWER_LIMIT_S)
    last = min(offset, high) - 1
    if last < low:
        return None
    consumer.assign([TopicPartition(tp.topic, tp.partition, last)])
    message = consumer.poll(ANSWER_LIMIT_S)
    if message is None:
        raise TimeoutError(f"{tp.topic}/{tp.partition} not read at {last} within {ANSWER_LIMIT_S:.0f} s")
    if error := message.error():
        raise KafkaException(error)
    return int(message.timestamp()[1])

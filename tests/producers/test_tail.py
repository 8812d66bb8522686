"""Until when raw is complete, from a real broker."""

from __future__ import annotations

import msgspec
import pytest

from embedded.kafka import Broker
from producers import tail
from producers.kafka import KafkaFailed
from producers.raw import NOBODY
from producers.tail import proven_until
from schemas.raw import Control, RawBatch

from .test_kafka import AWAY, MS, batch, create_raw, publish


def heartbeat(seq: int, received_ms: int, from_ns: int) -> RawBatch:
    """Return a heartbeat."""
    payload = msgspec.json.encode(Control("heartbeat", from_ns=from_ns))
    return RawBatch("bybit", "run", seq, (NOBODY,), (received_ms * MS,), (0,), (payload,))


async def test_nothing_is_proven_where_nothing_is_stored(broker: Broker, topic_prefix: str) -> None:
    client = create_raw(broker, topic_prefix)
    assert proven_until("bybit", topic_prefix, client) == 0


async def test_the_newest_heartbeat_is_found_however_much_lies_behind_it(broker: Broker, topic_prefix: str) -> None:
    client = create_raw(broker, topic_prefix)
    later = [batch(seq, 2_000) for seq in range(2, 2 * tail.WINDOW + 50)]
    await publish(client, topic_prefix, heartbeat(0, 1_000, 11), heartbeat(1, 1_500, 12), *later)
    assert proven_until("bybit", topic_prefix, client) == 12


async def test_without_a_heartbeat_nothing_is_proven_from_the_first_frame_on(broker: Broker, topic_prefix: str) -> None:
    client = create_raw(broker, topic_prefix)
    await publish(client, topic_prefix, *(batch(seq, 5_000 + seq) for seq in range(tail.WINDOW + 50)))
    assert proven_until("bybit", topic_prefix, client) == 5_000 * MS


def test_a_missing_topic_is_told(broker: Broker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "ANSWER_S", 0.5)
    with pytest.raises(KafkaFailed, match=rf"^{topic_prefix}raw.v1 on 127.0.0.1:\d+: .*Unknown partition; is Kafka up"):
        proven_until("bybit", topic_prefix, {"bootstrap.servers": broker.bootstrap})


def test_a_broker_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "ANSWER_S", 0.2)
    with pytest.raises(KafkaFailed, match="is Kafka up, and the topic there"):
        proven_until("bybit", "t.", AWAY)

"""Until when raw is complete, from a real broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedded.kafka import Broker
from producers import tail
from producers.kafka import KafkaFailed
from producers.tail import last_stored, proven_until

from .test_kafka import AWAY, MS, batch, create_raw, heartbeat, publish


async def test_nothing_is_proven_where_nothing_is_stored(broker: Broker, topic_prefix: str) -> None:
    client = create_raw(broker, topic_prefix)
    assert proven_until("bybit", topic_prefix, client) == 0


async def test_the_newest_heartbeat_is_found_however_much_lies_behind_it(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    client = create_raw(broker, topic_prefix)
    later = [batch(seq, 2_000) for seq in range(2, 2 * tail.WINDOW + 50)]
    await publish(client, topic_prefix, tmp_path, heartbeat(0, 1_000, 11), heartbeat(1, 1_500, 12), *later)
    assert proven_until("bybit", topic_prefix, client) == 12


async def test_without_a_heartbeat_nothing_is_proven_from_the_first_frame_on(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    client = create_raw(broker, topic_prefix)
    await publish(client, topic_prefix, tmp_path, *(batch(seq, 5_000 + seq) for seq in range(tail.WINDOW + 50)))
    assert proven_until("bybit", topic_prefix, client) == 5_000 * MS


async def test_a_heartbeat_of_the_spool_counts_and_a_frame_of_it_only_where_nothing_is_stored(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    client = create_raw(broker, topic_prefix)
    newest_first = [batch(3, 4_000), heartbeat(2, 3_000, 22), heartbeat(1, 2_000, 21), batch(0, 1_000)]
    assert proven_until("bybit", topic_prefix, client, newest_first) == 22
    assert proven_until("bybit", topic_prefix, client, [newest_first[0], newest_first[-1]]) == 1_000 * MS
    await publish(client, topic_prefix, tmp_path, heartbeat(0, 500, 12))
    assert proven_until("bybit", topic_prefix, client, newest_first) == 22
    assert proven_until("bybit", topic_prefix, client, [newest_first[0], newest_first[-1]]) == 12


async def test_the_last_stored_frame_of_each_run_is_found_from_a_time_on(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    client = create_raw(broker, topic_prefix)
    assert last_stored("bybit", topic_prefix, client, 0) == {}
    batches = [batch(0, 1_000), batch(1, 2_000, 2_001), batch(0, 3_000, run_id="b"), batch(3, 4_000)]
    await publish(client, topic_prefix, tmp_path, *batches)
    assert last_stored("bybit", topic_prefix, client, 0) == {"run": 3, "b": 0}
    assert last_stored("bybit", topic_prefix, client, 4_000) == {"run": 3}
    assert last_stored("bybit", topic_prefix, client, 4_001) == {}


def test_a_missing_topic_is_told(broker: Broker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "ANSWER_S", 0.5)
    with pytest.raises(KafkaFailed, match=rf"^{topic_prefix}raw.v1 on 127.0.0.1:\d+: .*Unknown partition; is Kafka up"):
        proven_until("bybit", topic_prefix, {"bootstrap.servers": broker.bootstrap})


def test_a_broker_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "ANSWER_S", 0.2)
    with pytest.raises(KafkaFailed, match="is Kafka up, and the topic there"):
        proven_until("bybit", "t.", AWAY)

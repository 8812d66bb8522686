"""How far groups have committed, asked of a real broker."""

from __future__ import annotations

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from embedded.kafka import Broker
from processors.shell.commits import committed


def test_commits_are_found_by_group_topic_and_partition_and_a_new_group_has_none(
    broker: Broker, topic_prefix: str
) -> None:
    topic, old, new = f"{topic_prefix}topic", f"{topic_prefix}old", f"{topic_prefix}new"
    client = {"bootstrap.servers": broker.bootstrap}
    admin = AdminClient({**client})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(20)
    consumer = Consumer({**client, "group.id": old})
    consumer.commit(offsets=[TopicPartition(topic, 1, 7, "a note " * 20)], asynchronous=False)
    consumer.close()

    assert committed(client, [old, new]) == {old: {(topic, 1): 7}, new: {}}

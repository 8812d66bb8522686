"""The outbox on a real broker: what it publishes, and when it says delivered."""

import asyncio

import pytest
from confluent_kafka import KafkaException

from embedded.kafka import Broker
from processors.processor import Output
from processors.shell.outbox import DeliveryError, Outbox

from .stage import create_topics, read_log


def test_an_output_arrives_as_it_is_with_its_time(broker: Broker, topic_prefix: str) -> None:
    topic = f"{topic_prefix}out"
    create_topics(broker.bootstrap, {topic: 3})
    outbox = Outbox({"bootstrap.servers": broker.bootstrap}, {"out": topic})
    offsets: list[int] = []
    outbox.publish(Output("out", b"value", b"BTC", 1_700_000_000_123, 2, (("exchange", b"bybit"),)), offsets.append)
    outbox.publish(Output("out", None, b"BTC", 1_700_000_000_124, 2))
    assert len(outbox) == 2
    asyncio.run(outbox.delivered())
    assert len(outbox) == 0
    assert offsets == [0]
    assert outbox.published == {"out": 2}
    found = [
        (m.partition(), m.key(), m.value(), m.timestamp()[1], m.headers()) for m in read_log(broker.bootstrap, topic, 3)
    ]
    assert found == [
        (2, b"BTC", b"value", 1_700_000_000_123, [("exchange", b"bybit")]),
        (2, b"BTC", None, 1_700_000_000_124, None),
    ]


def test_an_output_that_was_not_declared_is_refused(broker: Broker) -> None:
    outbox = Outbox({"bootstrap.servers": broker.bootstrap}, {"out": "full.out"})
    with pytest.raises(LookupError, match=r"other is not among the declared outputs \['out'\]"):
        outbox.publish(Output("other", b"", None, 0))


def test_a_record_the_broker_refuses_fails_the_next_wait(broker: Broker, topic_prefix: str) -> None:
    topic = f"{topic_prefix}out"
    create_topics(broker.bootstrap, {topic: 1}, {"max.message.bytes": "1000"})
    outbox = Outbox({"bootstrap.servers": broker.bootstrap}, {"out": topic}, compression="none")
    outbox.publish(Output("out", bytes(5000), None, 0, 0))
    with pytest.raises((DeliveryError, KafkaException), match=topic):
        asyncio.run(outbox.delivered())
    with pytest.raises(DeliveryError):
        outbox.publish(Output("out", b"", None, 0, 0))


def test_room_is_made_and_counted(broker: Broker, topic_prefix: str) -> None:
    topic = f"{topic_prefix}out"
    create_topics(broker.bootstrap, {topic: 1})
    outbox = Outbox({"bootstrap.servers": broker.bootstrap}, {"out": topic})
    for _ in range(100):
        outbox.publish(Output("out", b"x", None, 0, 0))
    asyncio.run(outbox.make_room(50))
    assert len(outbox) <= 50
    assert outbox.waits == 1

"""Where a lane without a snapshot starts, on a real broker."""

import pytest
from confluent_kafka import Producer
from faust.types import TP

from embedded.kafka import Broker
from processors.shell.warm_up import warm_up

from .stage import LIMIT_S, create_topics

MINUTE_MS = 60_000
T0_MS = 1_700_000_000_000


@pytest.fixture
def inputs(broker: Broker, topic_prefix: str) -> tuple[TP, TP]:
    """Two inputs: a record a minute for an hour, and one that ended after ten minutes."""
    busy, quiet = TP(f"{topic_prefix}busy", 1), TP(f"{topic_prefix}quiet", 1)
    create_topics(broker.bootstrap, {busy.topic: 2, quiet.topic: 2})
    producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True})
    for tp, minutes in ((busy, 60), (quiet, 10)):
        for minute in range(minutes):
            producer.produce(tp.topic, b"x", partition=tp.partition, timestamp=T0_MS + minute * MINUTE_MS)
    assert producer.flush(LIMIT_S) == 0
    return busy, quiet


def start(broker: Broker, commits: dict[TP, int]) -> dict[TP, int]:
    return warm_up({"bootstrap.servers": broker.bootstrap}, commits)


def test_it_goes_back_twelve_minutes_before_the_commit(broker: Broker, inputs: tuple[TP, TP]) -> None:
    busy, _ = inputs
    assert start(broker, {busy: 41}) == {busy: 28}  # record 40 is the last before the commit


def test_it_goes_back_to_the_beginning_of_a_short_log(broker: Broker, inputs: tuple[TP, TP]) -> None:
    busy, _ = inputs
    assert start(broker, {busy: 5}) == {busy: 0}


def test_inputs_go_back_to_the_same_time(broker: Broker, inputs: tuple[TP, TP]) -> None:
    busy, quiet = inputs
    assert start(broker, {busy: 41, quiet: 9}) == {busy: 0, quiet: 0}  # eight minutes past the start, less twelve
    assert start(broker, {busy: 20, quiet: 10}) == {busy: 0, quiet: 0}
    assert start(broker, {busy: 60, quiet: 0}) == {busy: 47, quiet: 0}  # nothing of the quiet one was read yet


def test_there_is_nothing_to_warm_up_from_before_the_first_record(broker: Broker, inputs: tuple[TP, TP]) -> None:
    busy, _ = inputs
    assert start(broker, {busy: 0}) == {busy: 0}


def test_a_commit_beyond_the_end_of_the_log_counts_from_the_end(broker: Broker, inputs: tuple[TP, TP]) -> None:
    busy, _ = inputs
    assert start(broker, {busy: 100}) == {busy: 47}

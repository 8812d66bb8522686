"""How the shell reaches Kafka, and what it says when it cannot."""

import socket

import pytest

from embedded.kafka import Broker
from processors.shell import connection
from processors.shell.connection import Unreachable, WrongTopics, check_topics, faust_settings

from .stage import create_topics


def test_faust_gets_every_broker() -> None:
    client = {"bootstrap.servers": "one:9092, two:9093"}
    assert faust_settings(client) == {"broker": "kafka://one:9092;kafka://two:9093"}


def test_a_setting_that_faust_would_ignore_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Kafka setting sasl\.password is not known"):
        faust_settings({"bootstrap.servers": "one:9092", "sasl.password": "x"})


def test_topics_as_they_should_be_pass(broker: Broker, topic_prefix: str) -> None:
    names = [f"{topic_prefix}{name}" for name in ("a", "b", "state", "out")]
    create_topics(broker.bootstrap, dict.fromkeys(names, 2))
    check_topics({"bootstrap.servers": broker.bootstrap}, names[:2], names[3:], names[2])


def test_missing_topics_are_named(broker: Broker) -> None:
    with pytest.raises(WrongTopics, match=r"topics are missing: no\.a, no\.out, no\.state: run `liq setup`"):
        check_topics({"bootstrap.servers": broker.bootstrap}, ["no.a"], ["no.out"], "no.state")


def test_inputs_and_state_must_be_cut_alike(broker: Broker, topic_prefix: str) -> None:
    read, state = f"{topic_prefix}a", f"{topic_prefix}state"
    create_topics(broker.bootstrap, {read: 2, state: 3})
    with pytest.raises(WrongTopics, match=f"equal numbers of partitions: {read} has 2, {state} has 3"):
        check_topics({"bootstrap.servers": broker.bootstrap}, [read], [], state)


def test_a_broker_that_is_away_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ANSWER_LIMIT_S", 0.5)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(Unreachable, match=f"no Kafka broker answers at {address}: is it running"):
            check_topics({"bootstrap.servers": address}, [], [], "state")

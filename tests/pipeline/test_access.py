"""What the broker is asked before a service begins."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AclOperation

from pipeline import access
from pipeline.access import READ, Needs, check_access
from pipeline.exits import Unreachable
from pipeline.settings import load

NEEDS = Needs({}, {"sink": READ}, reads_alone=False)


class Busy:
    """A broker that answers nothing the first times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def describe_consumer_groups(self, names: list[str], **_: Any) -> dict[str, Future[Any]]:
        answer = Future[Any]()
        if self.times:
            self.times -= 1
            answer.set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
        else:
            answer.set_result(SimpleNamespace(authorized_operations=list(AclOperation)))
        return dict.fromkeys(names, answer)


def test_a_broker_that_is_still_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "PAUSE_S", 0.0)
    busy = Busy(2)
    check_access(busy, load({}), NEEDS)  # type: ignore[arg-type]  # as much of a client as is used

    assert busy.times == 0


def test_a_broker_that_stays_busy_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "START_LIMIT_S", 0.0)

    with pytest.raises(Unreachable, match=r"Kafka does not say what we may do with liq\.sim\.sink: .*; is it well\?"):
        check_access(Busy(2), load({}), NEEDS)  # type: ignore[arg-type]  # as above

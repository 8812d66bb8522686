"""What `liq status` says where Kafka goes away while it looks."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline import status
from pipeline.exits import Unreachable
from pipeline.settings import Settings

NOBODY = Settings.model_validate({"kafka_brokers": "127.0.0.1:1"})


def gone(_settings: Settings) -> dict[str, int]:
    raise KafkaException(KafkaError(KafkaError._TRANSPORT))


@pytest.mark.parametrize("client", ["of librdkafka", "of aiokafka"])
def test_a_broker_that_goes_away_meanwhile_is_one_line(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "admin", lambda _settings: None)
    monkeypatch.setattr(status, "check_access", lambda *_: None)
    monkeypatch.setattr(status, "held", gone if client == "of librdkafka" else lambda _settings: {})
    with pytest.raises(Unreachable, match=r"Kafka at 127.0.0.1:1 does not answer any more \(.+\): try again"):
        status.collect(NOBODY)

"""How to reach Kafka, said once: librdkafka's settings, and the same as Faust spells them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

Client = Mapping[str, str]  # librdkafka's settings, `bootstrap.servers` above all

ANSWER_LIMIT_S = 5.0
KNOWN = {"bootstrap.servers"}
LIBRARY_LOG = logging.getLogger("librdkafka")  # else it writes to the terminal by itself
AWAY = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE}


class Unreachable(ConnectionError):
    """No broker answers."""


class WrongTopics(LookupError):
    """The topics are not as the stage needs them."""


def faust_settings(client: Client) -> dict[str, Any]:
    """Return the settings of a Faust app for the same cluster; raise `ValueError` for what has no counterpart here."""
    if unknown := sorted(client.keys() - KNOWN):
        raise ValueError(f"Kafka setting {unknown[0]} is not known to the stages: leave it out")
    return {"broker": ";".join(f"kafka://{server.strip()}" for server in client["bootstrap.servers"].split(","))}


def check_topics(client: Client, inputs: Iterable[str], outputs: Iterable[str], state: str) -> None:
    """Raise unless the broker answers, all topics exist, and inputs and state are cut alike: Faust would just wait."""
    counts = _partitions(client)
    together = [*inputs, state]
    if missing := sorted({*together, *outputs} - counts.keys()):
        raise WrongTopics(f"topics are missing: {', '.join(missing)}: run `liq setup`")
    if len({counts[name] for name in together}) != 1:
        cut = ", ".join(f"{name} has {counts[name]}" for name in together)
        raise WrongTopics(f"topics need equal numbers of partitions: {cut}")


def _partitions(client: Client) -> dict[str, int]:
    try:
        topics = AdminClient({**client}, logger=LIBRARY_LOG).list_topics(timeout=ANSWER_LIMIT_S).topics
    except KafkaException as error:
        if error.args[0].code() in AWAY:
            raise Unreachable(f"no Kafka broker answers at {client['bootstrap.servers']}: is it running?") from error
        raise
    return {name: len(topic.partitions) for name, topic in topics.items()}

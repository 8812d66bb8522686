"""Creates the topics and verifies them: nothing in this project lets a broker invent one."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from schemas.topics import TOPICS, full_name

from .exits import Ended, Unreachable
from .settings import Settings

REQUEST_LIMIT_S = 10.0
FIRST_ANSWER_LIMIT_S = 3.0  # whoever started us will start us again
APPEAR_LIMIT_S = 20.0


def admin(settings: Settings) -> AdminClient:
    """Return an admin client of a broker that answers."""
    client = AdminClient({**settings.kafka, "log_level": 0})
    try:
        client.list_topics(timeout=FIRST_ANSWER_LIMIT_S)
    except KafkaException as error:
        raise Unreachable(
            f"Kafka does not answer at {settings.kafka_brokers} ({error.args[0].str()}): "
            "start it or set LIQ_KAFKA_BROKERS"
        ) from error
    return client


def create_topics(settings: Settings) -> list[str]:
    """Create what is missing; return the names that were created."""
    client = admin(settings)
    missing = [name for name in TOPICS if full_name(settings.prefix, name) not in client.list_topics().topics]
    wanted = [
        NewTopic(
            full_name(settings.prefix, name),
            TOPICS[name].partitions(settings.asset_partitions),
            settings.kafka_replicas,
            config=dict(TOPICS[name].config()),
        )
        for name in missing
    ]
    for name, done in (client.create_topics(wanted) if wanted else {}).items():
        try:
            done.result(REQUEST_LIMIT_S)
        except KafkaException as error:
            raise Ended(f"topic {name} cannot be created: {error.args[0].str()}") from error
    _wait_until_visible(client, [topic.topic for topic in wanted])
    return [topic.topic for topic in wanted]


def _wait_until_visible(client: AdminClient, names: list[str]) -> None:
    deadline = time.monotonic() + APPEAR_LIMIT_S
    while not all(name in client.list_topics(timeout=REQUEST_LIMIT_S).topics for name in names):
        if time.monotonic() > deadline:
            raise Ended(f"the broker created {', '.join(names)} but does not list them after {APPEAR_LIMIT_S:.0f} s")
        time.sleep(0.1)


def verify_topics(settings: Settings) -> None:
    """Raise unless each topic exists with the partitions and the policy that the code declares."""
    client = admin(settings)
    found = client.list_topics(timeout=REQUEST_LIMIT_S).topics
    problems = []
    for name, topic in TOPICS.items():
        full, wanted = full_name(settings.prefix, name), topic.partitions(settings.asset_partitions)
        if full not in found:
            problems.append(f"{full} is missing")
        elif len(found[full].partitions) != wanted:
            problems.append(f"{full} has {len(found[full].partitions)} partitions, expected {wanted}")
    problems = problems or _differing_policies(client, settings)
    if problems:
        raise Ended(f"{'; '.join(problems)}: run `liq setup`, or set LIQ_MARKET and LIQ_ASSET_PARTITIONS as they were")


def _differing_policies(client: AdminClient, settings: Settings) -> list[str]:
    resources = [ConfigResource(ResourceType.TOPIC, full_name(settings.prefix, name)) for name in TOPICS]
    answers = {
        resource.name: answer.result(REQUEST_LIMIT_S) for resource, answer in client.describe_configs(resources).items()
    }
    problems = []
    for name, topic in TOPICS.items():
        full = full_name(settings.prefix, name)
        actual: Mapping[str, str] = {key: entry.value for key, entry in answers[full].items()}
        wanted = {key: topic.config()[key] for key in ("cleanup.policy", "message.timestamp.type")}
        problems += [
            f"{full} has {key}={actual[key]}, expected {value}" for key, value in wanted.items() if actual[key] != value
        ]
    return problems

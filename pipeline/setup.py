"""Creates the topics and verifies them: nothing in this project lets a broker invent one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from schemas.topics import TOPICS, full_name

from .access import TO_SET_UP, VERIFY, Needs, check_access
from .exits import Ended, Refused, Unreachable
from .settings import Settings

REQUEST_LIMIT_S = 10.0
FIRST_ANSWER_LIMIT_S = 3.0  # whoever started us will start us again
APPEAR_LIMIT_S = 20.0


def admin(settings: Settings) -> AdminClient:
    """Return an admin client of a broker that answers."""
    said: list[KafkaError] = []
    config: dict[str, Any] = {**settings.kafka, "log_level": 0, "error_cb": said.append}
    client = AdminClient(config)
    try:
        client.list_topics(timeout=FIRST_ANSWER_LIMIT_S)
    except KafkaException as error:
        client.poll(0)  # says why
        raise _why_unreachable(settings, [*said, error.args[0]]) from error
    return client


def _why_unreachable(settings: Settings, said: list[KafkaError]) -> Unreachable:
    where, reasons = f"Kafka at {settings.kafka_brokers}", {error.code(): _reason(error) for error in said}
    if reason := reasons.get(KafkaError._AUTHENTICATION):
        return Refused(f"{where} refuses user {settings.kafka_user} ({reason}): compare user and password with its own")
    if reason := reasons.get(KafkaError._SSL):
        return Refused(f"{where} is not trusted ({reason}): set LIQ_KAFKA_CA to the authority of its certificate")
    return Unreachable(
        f"Kafka does not answer at {settings.kafka_brokers} ({said[-1].str()}): "
        f"start it or set LIQ_KAFKA_BROKERS, and LIQ_KAFKA_SECURITY, which is {settings.kafka_security}"
    )


def _reason(error: KafkaError) -> str:
    """Return what went wrong, without the broker before it and the state of the client behind."""
    return error.str().partition("/bootstrap: ")[2].rpartition(" (after ")[0] or error.str()


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


def verify_topics(settings: Settings, needs: Needs = TO_SET_UP) -> None:
    """Raise unless the user may do what it needs to, and each topic has the partitions and the policy declared."""
    client = admin(settings)
    check_access(client, settings, needs._replace(topics={name: may | VERIFY for name, may in needs.topics.items()}))
    found = client.list_topics(timeout=REQUEST_LIMIT_S).topics
    full_names = {full_name(settings.prefix, name): name for name in needs.topics}
    if missing := [full for full in full_names if full not in found]:
        raise Ended(f"{'; '.join(f'{full} is missing' for full in missing)}: run `liq setup`, or set LIQ_MARKET")
    for full, name in full_names.items():
        count, wanted = len(found[full].partitions), TOPICS[name].partitions(settings.asset_partitions)
        if count != wanted:
            raise Ended(f"{full} has {count} partitions, expected {wanted}: set LIQ_ASSET_PARTITIONS as it was made")
    if problems := _differing_policies(client, settings, needs.topics):
        raise Ended(f"{'; '.join(problems)}: run `liq setup` on topics of your own, or set LIQ_MARKET")


def _differing_policies(client: AdminClient, settings: Settings, names: Iterable[str]) -> list[str]:
    resources = [ConfigResource(ResourceType.TOPIC, full_name(settings.prefix, name)) for name in names]
    answers = {
        resource.name: answer.result(REQUEST_LIMIT_S) for resource, answer in client.describe_configs(resources).items()
    }
    problems = []
    for name in names:
        topic, full = TOPICS[name], full_name(settings.prefix, name)
        actual: Mapping[str, str] = {key: entry.value for key, entry in answers[full].items()}
        wanted = {key: topic.config()[key] for key in ("cleanup.policy", "message.timestamp.type")}
        problems += [
            f"{full} has {key}={actual[key]}, expected {value}" for key, value in wanted.items() if actual[key] != value
        ]
    return problems

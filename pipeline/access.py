"""What each service does with Kafka, asked of the broker before it begins: a permission that lacks is one line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from processors.stages import STAGES, Stage
from schemas.topics import READER, TOPICS, full_name
from sinks.tables import TABLES

from .exits import Refused, Unreachable
from .settings import Settings

REQUEST_LIMIT_S = 10.0
ASKING: Mapping[str, Any] = {"include_authorized_operations": True, "request_timeout": REQUEST_LIMIT_S}
FORBIDDEN = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
PASSING = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError._TIMED_OUT,  # the first group makes the topic of all groups, which takes a busy broker a while
}
START_LIMIT_S = 30.0
PAUSE_S = 0.1
DEAD_LETTERS = "dead-letters"

Operations = frozenset[AclOperation]
Ask = Callable[[str], Future[Any]]  # for the description of a topic or a group
LOOK: Operations = frozenset({AclOperation.DESCRIBE})
READ: Operations = frozenset({AclOperation.READ})
WRITE: Operations = frozenset({AclOperation.WRITE})
VERIFY = LOOK | {AclOperation.DESCRIBE_CONFIGS}


class Needs(NamedTuple):
    """Operations on topics and groups, both named without prefix; and whether it reads outside of any group, too."""

    topics: Mapping[str, Operations]
    groups: Mapping[str, Operations] = {}
    reads_alone: bool = True


TO_SET_UP = Needs(dict.fromkeys(TOPICS, LOOK), reads_alone=False)
TO_PRODUCE = Needs({"raw": READ | WRITE})
TO_SINK = Needs(
    {**{table.topic: READ for table in TABLES.values()}, **dict.fromkeys((DEAD_LETTERS, "minutes"), READ | WRITE)},
    {"sink": READ},
    reads_alone=False,
)
TO_REBUILD = Needs({"liquidations": READ, "minutes": WRITE}, {"sink": LOOK}, reads_alone=False)
TO_REPLAY = Needs({**{table.topic: WRITE for table in TABLES.values()}, "raw": READ})
TO_WATCH = Needs(dict.fromkeys(TOPICS, LOOK), dict.fromkeys([*STAGES, "sink"], LOOK))


def to_process(stage: Stage) -> Needs:
    """Return what the worker of a stage needs."""
    topics = {**dict.fromkeys(stage.inputs, READ), **dict.fromkeys(stage.outputs, WRITE)}
    return Needs({**topics, f"state.{stage.name}": READ | WRITE}, {stage.name: READ})


def to_read(topic: str) -> Needs:
    """Return what a look into a topic needs."""
    return Needs({topic: READ})


def check_access(client: AdminClient, settings: Settings, needs: Needs) -> None:
    """Raise `Refused` for what the user may not do; a topic that is not there is no matter of permissions."""

    def topic(name: str) -> Future[Any]:
        return client.describe_topics(TopicCollection([name]), **ASKING)[name]

    def group(name: str) -> Future[Any]:
        return client.describe_consumer_groups([name], **ASKING)[name]

    topics = {full_name(settings.prefix, name): operations for name, operations in needs.topics.items()}
    groups = {f"{settings.prefix}{name}": operations for name, operations in needs.groups.items()}
    groups |= {READER: LOOK} if needs.reads_alone else {}
    if lacking := [*_lacking("topic", topics, topic), *_lacking("group", groups, group)]:
        who = f"user {settings.kafka_user}" if settings.kafka_user else "this client"
        raise Refused(
            f"Kafka at {settings.kafka_brokers} does not let {who} {', '.join(lacking)}: "
            "grant what docs/how-to/security.md lists"
        )


def _lacking(kind: str, needed: Mapping[str, Operations], ask: Ask) -> Iterator[str]:
    for name, operations in needed.items():
        if missing := sorted(operation.name for operation in operations - _allowed(ask, name)):
            yield f"{' and '.join(missing)} {kind} {name}"


def _allowed(ask: Ask, name: str) -> Operations:
    """Return what the broker lets us do; ask again where it has just started."""
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            return frozenset(ask(name).result().authorized_operations)
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return frozenset(AclOperation)
            if code in FORBIDDEN:
                return frozenset()
            if code not in PASSING:
                raise
            if time.monotonic() > deadline:
                reason = error.args[0].str()
                raise Unreachable(f"Kafka does not say what we may do with {name}: {reason}; is it well?") from error
            time.sleep(PAUSE_S)

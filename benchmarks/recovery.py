"""From `kill -9` of the worker under load to its first new output, with the supervisor that `liq run` has."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, TopicPartition

from processors.normalize.publications import OUTPUTS
from schemas.topics import full_name

from .everything import Everything, everything
from .figures import Figure
from .topics import ASSET_PARTITIONS, READING

RATE = 1_000
KILLS = 3
LONGEST_S = 5.0
LIMIT_S = 60.0
WORKER = ("process", "normalize")


def measure() -> list[Figure]:
    """Kill it some times, and see that nothing else was touched."""
    with everything(RATE) as started:
        started.wait_until_ready()
        consumer = _follow(started)
        _wait_for_output(started, consumer, time.time())
        before = started.children() - {_identity(started)}
        found = [_kill(started, consumer) for _ in range(KILLS)]
        disturbed = before - started.children()
        consumer.close()
    name = f"kill -9 of the worker to its first new output, the longest of {KILLS}"
    return [
        Figure(name, max(found), "s", at_most=LONGEST_S),
        Figure("other processes that ended", len(disturbed), "", at_most=0),
    ]


def _kill(started: Everything, consumer: Consumer) -> float:
    worker = started.child(*WORKER)
    killed_s = time.time()
    worker.kill()
    _wait_for_output(started, consumer, killed_s)
    return time.time() - killed_s


def _wait_for_output(started: Everything, consumer: Consumer, since_s: float) -> None:
    """Return when a record is there whose frame was received after `since_s`: no earlier worker can have made it."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        started.check()
        for message in consumer.consume(100, 0.05):
            if not message.error() and message.timestamp()[1] > since_s * 1000:
                return
    raise TimeoutError(f"no new output within {LIMIT_S:.0f} s")


def _identity(started: Everything) -> tuple[int, float]:
    worker = started.child(*WORKER)
    return worker.pid, worker.create_time()


def _follow(started: Everything) -> Consumer:
    consumer = Consumer({**started.settings.kafka, **READING, "auto.offset.reset": "latest"})
    names = [full_name(started.settings.prefix, name) for name in OUTPUTS]
    consumer.assign([TopicPartition(name, number) for name in names for number in range(ASSET_PARTITIONS)])
    return consumer

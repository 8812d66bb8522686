"""A stage of digest workers on a real broker, and an independent computation of what it must publish."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.topics import full_name

from .digest import chain

LIMIT_S = 30.0
QUICK = {"commit_interval_s": 0.2, "session_timeout_s": 6.0, "snapshot_shortest_s": 0.3, "snapshot_longest_s": 0.6}


@dataclass
class Stage:
    """Topics, records and workers of one stage."""

    bootstrap: str
    prefix: str
    directory: Path
    inputs: Sequence[str] = ("a",)
    partitions: int = 2
    tuning: dict[str, float] = field(default_factory=lambda: dict(QUICK))
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    clock_ms: int = 1_700_000_000_000
    random: random.Random = field(default_factory=lambda: random.Random(1))

    def create_topics(self) -> None:
        names = [full_name(self.prefix, name) for name in (*self.inputs, "out")]
        create_topics(self.bootstrap, dict.fromkeys(names, self.partitions))
        create_topics(
            self.bootstrap, {full_name(self.prefix, "state.digest"): self.partitions}, {"cleanup.policy": "compact"}
        )

    def produce(self, count: int, special: bytes | None = None) -> None:
        """Append records to all inputs and partitions, the inputs at unequal rates; then one to each, all in time."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True, "linger.ms": 5})
        for number in range(count):
            self.clock_ms += 10
            name = self.inputs[0] if number % 10 else self.random.choice(self.inputs)
            jitter_ms = self.random.randrange(50)
            value = special or b"%d" % self.random.getrandbits(32)
            self._append(producer, name, self.random.randrange(self.partitions), value, self.clock_ms - jitter_ms)
        self.clock_ms += 100
        for name in self.inputs:
            for partition in range(self.partitions):
                self._append(producer, name, partition, None, self.clock_ms)
        assert producer.flush(LIMIT_S) == 0

    def _append(self, producer: Producer, name: str, partition: int, value: bytes | None, time_ms: int) -> None:
        producer.produce(full_name(self.prefix, name), value, partition=partition, timestamp=time_ms)
        producer.poll(0)

    def start(self, instance: str = "", delay_s: float = 0.0) -> subprocess.Popen[bytes]:
        """Start a worker; its log is in the directory."""
        number = len(self.workers)
        arguments = [self.bootstrap, self.prefix, ",".join(self.inputs), instance, str(self.health_file(number))]
        command = [sys.executable, "-m", f"{__package__}.digest", *arguments, str(delay_s), json.dumps(self.tuning)]
        with (self.directory / f"{number}.log").open("wb") as log:
            worker = subprocess.Popen(command, stdout=log, stderr=log)
        self.workers.append(worker)
        return worker

    def health_file(self, number: int) -> Path:
        return self.directory / f"{number}.alive"

    def log_of(self, number: int) -> str:
        return (self.directory / f"{number}.log").read_text()

    def published(self) -> int:
        """Return how many outputs there are, repeats included."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "none"})
        out = full_name(self.prefix, "out")
        places = [TopicPartition(out, number) for number in range(self.partitions)]
        ends = [consumer.get_watermark_offsets(place, timeout=LIMIT_S)[1] for place in places]
        consumer.close()
        return sum(ends)

    def outputs(self) -> dict[int, list[tuple[int, str]]]:
        """Return count and digest of every output by lane, in log order."""
        found: dict[int, list[tuple[int, str]]] = {n: [] for n in range(self.partitions)}
        for message in self._log("out"):
            count, digest = (message.value() or b"").decode().split()
            found[message.partition() or 0].append((int(count), digest))
        return found

    def expected(self) -> dict[int, list[tuple[int, str]]]:
        """Return what one uninterrupted worker would have published, by sorting the logs."""
        rows: dict[int, list[tuple[int, int, int, bytes | None]]] = {n: [] for n in range(self.partitions)}
        ends: dict[int, list[tuple[int, int]]] = {n: [] for n in range(self.partitions)}
        for i, name in enumerate(self.inputs):
            top = dict.fromkeys(range(self.partitions), -1)
            for message in self._log(name):
                lane = message.partition() or 0
                top[lane] = max(top[lane], message.timestamp()[1])
                rows[lane].append((top[lane], i, message.offset() or 0, message.value()))
            for lane, time_ms in top.items():
                ends[lane].append((time_ms, i))
        return {lane: _digests(self.inputs, rows[lane], min(ends[lane])) for lane in rows}

    def finish(self) -> None:
        """Wait until everything that was appended so far is published."""
        want = self.expected()
        due = sum(map(len, want.values()))
        until(lambda: self.published() >= due and self._has_published(want))

    def _has_published(self, want: dict[int, list[tuple[int, str]]]) -> bool:
        got = self.outputs()
        return all(set(want[lane]) <= set(got[lane]) for lane in want)

    def verify(self) -> int:
        """Raise unless exactly the expected outputs are there, in order; return how many were repeated."""
        repeats = 0
        want, got = self.expected(), self.outputs()
        for lane, outputs in got.items():
            assert list(dict.fromkeys(outputs)) == want[lane]
            repeats += len(outputs) - len(want[lane])
        return repeats

    def _log(self, name: str) -> Iterator[Message]:
        return read_log(self.bootstrap, full_name(self.prefix, name), self.partitions)


def create_topics(bootstrap: str, partitions: Mapping[str, int], config: Mapping[str, str] | None = None) -> None:
    """Create topics by name with their numbers of partitions; records of any age stay."""
    settings = {"retention.ms": "-1", **(config or {})}
    topics = [NewTopic(name, count, 1, config=settings) for name, count in partitions.items()]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics(topics).values():
        future.result(LIMIT_S)
    until(lambda: partitions.keys() <= admin.list_topics(timeout=LIMIT_S).topics.keys())  # the broker hears of it later


def read_log(bootstrap: str, topic: str, partitions: int) -> Iterator[Message]:
    """Yield all records of a topic, each partition in order."""
    settings = {
        "group.id": "none",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
    }
    consumer = Consumer({"bootstrap.servers": bootstrap, "fetch.wait.max.ms": 10, **settings})
    try:
        open_partitions, deadline = set(range(partitions)), time.monotonic() + LIMIT_S
        consumer.assign([TopicPartition(topic, number, 0) for number in open_partitions])
        while open_partitions:
            assert time.monotonic() < deadline, f"{topic} not read"
            message = consumer.poll(0.2)
            if message is None:
                continue
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                open_partitions.discard(message.partition() or 0)
    finally:
        consumer.close()


def _digests(
    inputs: Sequence[str], rows: list[tuple[int, int, int, bytes | None]], end: tuple[int, int]
) -> list[tuple[int, str]]:
    """Chain the records in merged order, up to the last that no input can precede any more."""
    digest, found = "", []
    for count, row in enumerate(sorted(row for row in rows if row[:2] <= end), start=1):
        digest = chain(digest, inputs[row[1]], row[2], row[3])
        found.append((count, digest))
    return found


def until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


@contextmanager
def stage(bootstrap: str, prefix: str, directory: Path, **options: object) -> Iterator[Stage]:
    """Yield a stage with its topics; end its workers afterwards."""
    made = Stage(bootstrap, prefix, directory, **options)  # type: ignore[arg-type]  # the options of Stage
    made.create_topics()
    try:
        yield made
    finally:
        for worker in made.workers:
            worker.kill()
            worker.wait()

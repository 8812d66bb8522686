"""Watches the topic of liquidations while everything around it dies: when which record came."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import Consumer, Message, TopicPartition

from pipeline.reading import bounds, consumer, partitions
from pipeline.settings import Settings

TOPIC = "liquidations"
STOP_LIMIT_S = 10.0
READING = {"group.id": "follower", "enable.auto.commit": False, "log_level": 0}  # silent while the broker is away


class Arrival(NamedTuple):
    """One record, or heartbeat, as a reader got it."""

    at_s: float  # by the monotonic clock
    partition: int
    offset: int
    content: int | None  # a hash of the record: repetitions are equal; None for a heartbeat


class Span(NamedTuple):
    """When what was published may not have been committed, by the monotonic clock."""

    from_s: float
    to_s: float


class Crash(NamedTuple):
    """A kill, and where the topic ended when the process was gone."""

    at_s: float  # by the monotonic clock
    ends: Mapping[int, int]  # by partition


@dataclass
class Follower:
    """Reads the topic from now on, in a thread of its own."""

    settings: Settings
    arrivals: list[Arrival] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def start(self) -> Follower:
        """Begin at the end of the topic."""
        client = Consumer({**self.settings.kafka, **READING})
        client.assign([TopicPartition(topic, number, end) for (topic, number), end in self._ends().items()])

        def follow() -> None:
            while not self._stop.is_set():
                for message in client.consume(500, 0.1):
                    if not message.error():  # while the broker is away there are some
                        self.arrivals.append(_arrival(message))
            client.close()

        self._thread = threading.Thread(target=follow, name="follower", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()
        self._thread.join(STOP_LIMIT_S)

    def has_read_all(self) -> bool:
        """Say whether everything that the topic holds has come."""
        newest = {one.partition: one.offset for one in self.arrivals}
        return all(newest.get(number, -1) + 1 == end for (_, number), end in self._ends().items())

    def crash(self, at_s: float) -> Crash:
        """Return where the topic ends after a kill."""
        return Crash(at_s, {number: end for (_, number), end in self._ends().items()})

    def _ends(self) -> dict[tuple[str, int], int]:
        client = consumer(self.settings)
        try:
            _, ends = bounds(self.settings, partitions(client, self.settings, [TOPIC]))
            return ends
        finally:
            client.close()


def recoveries(crashes: Sequence[Crash], arrivals: Sequence[Arrival], disturbed_s: Sequence[float]) -> list[float]:
    """Return the seconds from each crash to the first output after it; without those disturbed by another kill."""
    found = []
    for crash in crashes:
        until_s = min((at_s for at_s in disturbed_s if at_s > crash.at_s), default=float("inf"))
        after = (one.at_s for one in arrivals if one.offset >= crash.ends[one.partition])
        first_s = min(after, default=float("inf"))
        if first_s < until_s:
            found.append(first_s - crash.at_s)
    return found


def needless_repeats(arrivals: Sequence[Arrival], uncommitted: Sequence[Span]) -> list[str]:
    """Return a sentence for each record that came again although nothing was killed before it could be committed."""
    found, came_s = [], dict[int, float]()
    for one in arrivals:
        if one.content is None:
            continue
        before_s = came_s.get(one.content)
        if before_s is not None and not any(span.from_s <= before_s <= span.to_s for span in uncommitted):
            place = f"offset {one.offset} of partition {one.partition}"
            found.append(f"{place} repeats a record of {one.at_s - before_s:.1f} s before, with no kill next to that")
        came_s[one.content] = one.at_s
    return found


def _arrival(message: Message) -> Arrival:
    value = message.value()
    content = None if value is None else hash(value)
    return Arrival(time.monotonic(), message.partition() or 0, message.offset() or 0, content)

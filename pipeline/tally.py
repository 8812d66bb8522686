"""Counts what flows: frames, records by topic, dead letters and gaps, read from the topics themselves."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from confluent_kafka import Message

from schemas.avro import decode_dict
from schemas.raw import RawBatch, SourceKind
from schemas.topics import TOPICS, logical_name

from .reading import bounds, consumer, partitions, read
from .settings import Settings

STOP_LIMIT_S = 5.0
COUNTED = [name for name, topic in TOPICS.items() if topic.record is not None]


@dataclass
class Tally:
    """Follows every topic from now on, in a thread of its own."""

    settings: Settings
    frames: int = 0
    gaps: set[tuple[str, int]] = field(default_factory=set)  # by connection and begin: an open gap is told each second
    records: Counter[str] = field(default_factory=Counter)
    failure: Exception | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def start(self) -> Tally:
        """Note where the topics end now, and count what comes after."""
        client = consumer(self.settings)
        _, nexts = bounds(self.settings, partitions(client, self.settings, COUNTED))
        self.records.update(dict.fromkeys(COUNTED, 0))

        def follow() -> None:
            try:
                for message in read(client, nexts, lambda: not self._stop.is_set()):
                    self.count(message)
            except Exception as error:  # noqa: BLE001  # handed to whoever asks for the counts
                self.failure = error
            finally:
                client.close()

        self._thread = threading.Thread(target=follow, name="tally", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop counting."""
        self._stop.set()
        self._thread.join(STOP_LIMIT_S)

    def count(self, message: Message) -> None:
        """Count one record; heartbeats do not count."""
        name, value = logical_name(self.settings.prefix, message.topic() or ""), message.value()
        if value is None:
            return
        self.records[name] += 1
        if name == "raw":
            self._look_into(decode_dict(value, RawBatch))

    def _look_into(self, batch: Mapping[str, Any]) -> None:
        for source_of, payload in zip(batch["source_of"], batch["payloads"], strict=True):
            source = batch["sources"][source_of]
            if source["kind"] != SourceKind.CONTROL:
                self.frames += 1
            elif (said := orjson.loads(payload))["control"] == "gap":
                self.gaps.add((source["connection"].partition("#")[0], said["from_ns"]))

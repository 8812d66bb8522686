"""What is stored and committed together: messages of all topics, until they are many or old enough."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

BATCH_RECORDS = 50_000
BATCH_BYTES = 8 << 20  # some 75,000 seconds of the market
BATCH_AGE_S = 1.0  # ClickHouse prefers few large inserts


@dataclass
class Batch:
    """Messages by topic, and where each partition goes on after them."""

    opened_s: float = field(default_factory=time.monotonic)
    messages: dict[str, list[Any]] = field(default_factory=dict)  # by topic, each a Message; no heartbeats
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    count: int = 0
    size: int = 0

    def add(self, message: Any) -> None:
        """Take one more message; a heartbeat only moves its partition on."""
        topic, value = message.topic(), message.value()
        self.offsets[topic, message.partition()] = message.offset() + 1
        if value is not None:
            self.messages.setdefault(topic, []).append(message)
            self.count += 1
            self.size += len(value)

    def is_due(self) -> bool:
        """Say whether it is large or old enough to be stored."""
        full = self.count >= BATCH_RECORDS or self.size >= BATCH_BYTES
        return full or time.monotonic() - self.opened_s >= BATCH_AGE_S

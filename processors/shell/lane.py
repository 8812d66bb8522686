"""One processor and the partition it reads of every input, fed in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..processor import Input, Output, Processor
from .merge import Merge
from .snapshots import Note

Offsets = dict[str, int]  # by input, named without prefix

# What rebuilding costs, estimated: a record costs Faust about the first, a frame of 200 bytes within it about 10 us.
RECORD_US = 100.0
BYTE_US = 0.05


@dataclass(slots=True)
class Lane:
    """One partition number of all inputs."""

    processor: Processor
    merge: Merge[Input]
    due: Offsets  # the next record to receive
    told: Offsets  # the outputs of earlier records are delivered already
    note: Note | None = None  # of the newest whole snapshot
    committed: Note | None = None  # of the newest one that a commit names
    snapped: Offsets = field(default_factory=dict)
    snapped_at_s: float = 0.0
    unsaved_us: float = 0.0  # estimated work since the last snapshot

    def done(self) -> Offsets:
        """Return the next record to process by input."""
        return {**self.due, **self.merge.floors()}

    def behind(self) -> int:
        """Return how many records are processed without publishing before the first new one."""
        return sum(max(0, self.told[name] - due) for name, due in self.due.items())

    def receive(self, record: Input) -> Iterator[Output]:
        """Yield what to publish now; skip a replay; refuse a hole. After an error the lane is unusable."""
        due = self.due[record.topic]
        if record.offset < due:
            return
        if record.offset > due:
            place = f"{record.topic}/{record.partition}"
            raise RuntimeError(f"hole in {place}: record {due} is due, {record.offset} came")
        self.due[record.topic] = record.offset + 1
        self.unsaved_us += RECORD_US + BYTE_US * len(record.value or b"")
        for ready in self.merge.push(record.topic, record.timestamp_ms, record.offset, record):
            outputs = list(self.processor.process(ready.item))  # all of them, or none
            if ready.item.offset >= self.told[ready.item.topic]:
                yield from outputs

"""Notes what CPU a process had spent when its first record came: imports and joining the group are no part of a job."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from processors.processor import Input, Output, Processor


def cpu_s() -> float:
    """Return the CPU seconds of this process, all its threads, user and system."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


class Meter:
    """Writes its note once."""

    def __init__(self, note: Path) -> None:
        """`note`: the file for the CPU seconds."""
        self._note: Path | None = note

    def begin(self) -> None:
        """The first record is here."""
        if self._note:
            draft = self._note.with_suffix(".draft")
            draft.write_text(str(cpu_s()))
            draft.rename(self._note)
            self._note = None


class Metered:
    """A processor with a meter in front."""

    def __init__(self, processor: Processor, meter: Meter) -> None:
        """Join the two."""
        self.state_version = processor.state_version
        self._processor, self._meter = processor, meter

    @property
    def counts(self) -> Mapping[str, int]:
        """Hand on."""
        return self._processor.counts

    @property
    def levels(self) -> Mapping[str, int]:
        """Hand on."""
        return self._processor.levels

    def process(self, record: Input) -> Iterable[Output]:
        """Hand on, the first time with a note."""
        self._meter.begin()
        return self._processor.process(record)

    def snapshot(self) -> Callable[[], bytes]:
        """Hand on."""
        return self._processor.snapshot()

    def restore(self, data: bytes) -> None:
        """Hand on."""
        self._processor.restore(data)

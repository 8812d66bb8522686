"""One stretch of raw through the mapping as it is now: what belongs to the stretch comes out, with its revision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from processors.normalize.facts import Frame
from processors.normalize.frames import control
from processors.normalize.publications import OUTPUTS, Publication
from processors.normalize.registry import NORMALIZERS
from processors.normalize.stage import Normalize
from schemas.raw import SourceKind
from schemas.records import Liquidation

from .stretch import OUTSIDE_KAFKA, Stretch

LEFT_OUT = {"minutes"}  # those at the edges would be seen in part: they are added up from the liquidations
OURS = {"coverage"}  # what only our own control frames tell, which no file has
CLOCKS = ("minute_ms", "second_ms", "received_ms")  # the first that a record has says when it belongs


class Passage:
    """Counts what it sees of the stretch; frames before and behind it only keep the stage up to date."""

    def __init__(self, stretch: Stretch, revision: int, asset_partitions: int, *, is_file: bool) -> None:
        """Begin with a stage that knows nothing."""
        self.frames = self.dead_letters = 0
        self.gaps: set[tuple[str, int]] = set()  # by connection and begin: an open gap is told each second
        self.offsets: tuple[int, int] | None = None  # the first and the last raw batch with a frame of the stretch
        self.ids: set[str] = set()  # of all liquidations, those before and behind the stretch too
        self._stretch, self._revision, self._is_file = stretch, revision, is_file
        outputs = [name for name in OUTPUTS if name not in (LEFT_OUT | OURS if is_file else LEFT_OUT)]
        normalizer = NORMALIZERS[stretch.exchange]()
        self._stage = Normalize(stretch.exchange, normalizer, revision, asset_partitions, outputs)

    def publications(self, source: Iterable[Frame]) -> Iterator[Publication]:
        """Yield what the frames bring to the stretch."""
        for frame in source:
            buried = self._stage.dead_letters
            publications = self._stage.receive(frame)
            if frame.received_ms in self._stretch:
                self._count(frame)
                self.dead_letters += self._stage.dead_letters - buried
            yield from self._belonging(publications)
        yield from self._belonging(self._stage.flush())

    def _count(self, frame: Frame) -> None:
        if frame.partition != OUTSIDE_KAFKA:
            first = self.offsets[0] if self.offsets else frame.offset
            self.offsets = first, frame.offset
        if frame.kind is not SourceKind.CONTROL:
            self.frames += 1
        elif (said := control(frame)).control == "gap":
            self.gaps.add((frame.connection.partition("#")[0], said.from_ns))

    def _belonging(self, publications: Iterable[Publication]) -> Iterator[Publication]:
        """Rows in progress are left out: what replaces them may lie behind the end of raw."""
        for publication in publications:
            record: Any = publication.record
            if isinstance(record, Liquidation):
                self.ids.add(record.id)
                publication = publication._replace(record=replace(record, revision=self._revision))
            if record is not None and _clock(record) in self._stretch and getattr(record, "is_final", True):
                yield publication


def _clock(record: Any) -> int:
    return next(int(getattr(record, name)) for name in CLOCKS if hasattr(record, name))

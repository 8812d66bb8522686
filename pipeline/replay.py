"""`liq replay`: a stretch of raw once more, in place of what an earlier mapping made of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from processors.minutes import MINUTE_MS, start_of_minute
from processors.normalize.facts import Frame
from processors.normalize.publications import Publication, encoded
from processors.normalize.registry import REVISIONS
from schemas.exchanges import RAW_PARTITION
from schemas.records import Liquidation
from sinks.connection import connect
from sinks.stored import RECEIVED, highest_revision, liquidations, received_outside

from .clickhouse import reaching
from .exits import Ended
from .outlet import Outlet
from .passage import Passage
from .rebuild import rebuild, settled_before
from .settings import Settings
from .stretch import Stretch

CHUNK = 1_000  # records at once


def replay(
    settings: Settings, stretch: Stretch, source: Iterable[Frame], *, is_file: bool = False, revision: int | None = None
) -> dict[str, Any]:
    """Publish what the mapping makes of the frames, retract what it does not make any more, rebuild the minutes.

    `source` has all frames of the stretch. `revision` of the records: that of the mapping, or the next after the one
    that is stored. Return the counts.
    """
    if stretch.to_ms > settled_before(time.time()):
        raise Ended("the last minutes are still the stage's: choose a --to that is some minutes ago")
    with reaching(settings) as where, connect(where) as client, closing(Outlet(settings)) as outlet:
        stored = highest_revision(client, where.database, stretch.exchange, stretch.from_ms, stretch.to_ms)
        revision = _chosen(revision, stored, REVISIONS[stretch.exchange])
        passage = Passage(stretch, revision, settings.asset_partitions, is_file=is_file)
        correction = Correction(stretch, revision, client, where.database, outlet)
        for chunk in _chunks(passage.publications(source)):
            correction.publish(chunk)
        if not passage.frames:
            raise Ended("raw has no frames of this stretch: topics forget, a file (--file) does not")
        correction.retract(passage)
        minutes = correction.rebuild(settings)
        return {
            "exchange": stretch.exchange,
            "revision": revision,
            "frames": passage.frames,
            "published": dict(sorted(outlet.put_by_topic.items())),
            "only_stored": outlet.only_stored,
            "left_alone": correction.left_alone,
            "retracted": correction.retracted,
            "minutes": minutes,
            "dead_letters": passage.dead_letters,
            "gaps": len(passage.gaps),
        }


def _chosen(wanted: int | None, stored: int, current: int) -> int:
    if wanted is None:
        return max(current, stored + 1)
    if wanted <= stored:
        raise Ended(f"revision {stored} is stored already: choose a higher one, or leave --revision out")
    return wanted


def _chunks(publications: Iterable[Publication]) -> Iterator[list[Publication]]:
    chunk: list[Publication] = []
    for publication in publications:
        chunk.append(publication)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk


@dataclass
class Correction:
    """Brings out what is true now, and takes back what is not."""

    stretch: Stretch
    revision: int
    client: Any
    database: str
    outlet: Outlet
    left_alone: int = 0
    retracted: int = 0
    minutes: set[int] = field(default_factory=set)  # in which liquidations were published or retracted

    def publish(self, chunk: list[Publication]) -> None:
        """Publish all but the liquidations that were received outside of the stretch: here REST repeats them."""
        made = [one.record for one in chunk if isinstance(one.record, Liquidation)]
        left = received_outside(self.client, self.database, made, self.stretch.from_ms, self.stretch.to_ms)
        self.left_alone += len(left)
        self._touch(one for one in made if one.id not in left)
        kept = (one for one in chunk if getattr(one.record, "id", "") not in left)
        self.outlet.put(encoded(one, self.stretch.exchange) for one in kept)

    def retract(self, passage: Passage) -> None:
        """Retract what was made of these frames before and is not made of them now, with the values it had."""
        exchange = self.stretch.exchange
        condition = f"exchange = %(exchange)s AND revision < %(revision)s AND {RECEIVED}"
        parameters = {"from_ms": self.stretch.from_ms, "to_ms": self.stretch.to_ms, "revision": self.revision}
        if passage.offsets:
            condition += " AND raw_partition = %(partition)s AND raw_offset BETWEEN %(first)s AND %(last)s"
            first, last = passage.offsets
            parameters |= {"partition": RAW_PARTITION[exchange], "first": first, "last": last}
        before = liquidations(self.client, self.database, condition, {"exchange": exchange, **parameters})
        gone = [replace(one, revision=self.revision, retracted=True) for one in before if one.id not in passage.ids]
        self.retracted += len(gone)
        self._touch(gone)
        self.outlet.put(encoded(Publication("liquidations", one, one.asset, one.received_ms), exchange) for one in gone)

    def rebuild(self, settings: Settings) -> int:
        """Add up the minutes that were touched; those too young are added up when they have settled, by the sink."""
        if not self.minutes:
            return 0
        to_ms = min(max(self.minutes) + MINUTE_MS, settled_before(time.time()))
        return rebuild(settings, self.outlet, min(self.minutes), to_ms, self.stretch.exchange)

    def _touch(self, corrected: Iterable[Liquidation]) -> None:
        self.minutes.update(start_of_minute(one.event_ms) for one in corrected)

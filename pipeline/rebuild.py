"""`liq rebuild`: minutes that do not add up, once more from their liquidations; the sink does it now and then."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from processors.minutes import GRACE_MS, MINUTE_MS, Minutes, start_of_minute
from processors.normalize.publications import Publication, encoded
from processors.processor import Output
from schemas.records import Liquidation, MinuteAggregate, SourceQuality
from sinks.connection import connect
from sinks.rebuild import Differing, differing, liquidations_in

from .clickhouse import reaching
from .exits import Ended
from .landed import sink_is_behind
from .outlet import Outlet
from .settings import Settings

SETTLED_MS = 3 * MINUTE_MS  # a minute that ended so long ago has its final row, and the sink has landed it
LOOK_BACK_MS = 26 * 60 * MINUTE_MS  # a row that came too late for the stage is rarely older than a day
CHUNK = 500  # minutes at once
LOW = (1 << 32) - 1
STOP_LIMIT_S = 5.0  # a turn that is under way is given up then: the next start finds what is left

log = logging.getLogger(__name__)


def settled_before(now_s: float) -> int:
    """Return the end of the minutes that are old enough to be compared, ms since the epoch."""
    return start_of_minute(int(now_s * 1000) - SETTLED_MS)


def rebuild_between(settings: Settings, from_ms: int | None, to_ms: int | None, exchange: str = "") -> int:
    """Correct the minutes of a stretch of event time, by default the last day; return how many had to be.

    Raise `Ended` while the sink is behind: liquidations that are still on their way would be missed.
    """
    settled_ms = settled_before(time.time())
    if sink_is_behind(settings, settled_ms):
        raise Ended("the sink has not landed all liquidations yet: try again when `liq status` shows no lag")
    end_ms = min(to_ms or settled_ms, settled_ms)
    with closing(Outlet(settings)) as outlet:
        return rebuild(settings, outlet, end_ms - LOOK_BACK_MS if from_ms is None else from_ms, end_ms, exchange)


def rebuild(settings: Settings, outlet: Outlet, from_ms: int, to_ms: int, exchange: str = "") -> int:
    """Correct minutes through an outlet that is open already; return how many had to be."""
    with reaching(settings) as where, connect(where) as client:
        found = differing(client, where.database, from_ms, to_ms, exchange)
        for start in range(0, len(found), CHUNK):
            some = found[start : start + CHUNK]
            known = liquidations_in(client, where.database, some)
            outlet.put(_output(recomputed(*pair)) for pair in zip(some, known, strict=True))
    return len(found)


def recomputed(minute: Differing, liquidations: Sequence[Liquidation]) -> MinuteAggregate:
    """Return the row of a minute that replaces the one it has; zeros where no liquidation is left.

    The stage's own part adds them up, and the collector's clock tells it which of them came late.
    """
    if not liquidations:
        return _emptied(minute)
    minutes = Minutes(minute.exchange, max(each.revision for each in liquidations))
    for each in liquidations:
        minutes.close(each.received_ms, 0)
        minutes.receive(each)
    [row] = minutes.close(minute.minute_ms + MINUTE_MS + GRACE_MS, 0)
    return replace(row, version=_above(minute.version, row.version))


def _above(stored: int, version: int) -> int:
    """Return a version that beats the stored one: where it does not by itself, with the next revision."""
    return version if version > stored else (stored >> 32) + 1 << 32 | version & LOW


def _emptied(minute: Differing) -> MinuteAggregate:
    return MinuteAggregate(
        exchange=minute.exchange,
        symbol=minute.symbol,
        asset=minute.asset,
        minute_ms=minute.minute_ms,
        received_ms=minute.received_ms,
        long_count=0,
        short_count=0,
        long_base=0.0,
        short_base=0.0,
        long_usd=0.0,
        short_usd=0.0,
        largest_usd=0.0,
        price_low=0.0,
        price_high=0.0,
        price_vwap=None,
        source_quality=SourceQuality.UNKNOWN,
        late_count=0,
        is_final=True,
        version=_above(minute.version, 1),
    )


def _output(row: MinuteAggregate) -> Output:
    return encoded(Publication("minutes", row, row.asset, row.received_ms), row.exchange)


@dataclass
class Timer:
    """Rebuilds the minutes of the last day now and then, in a thread of its own."""

    settings: Settings
    failure: BaseException | None = None

    def run(self, stop: threading.Event) -> None:
        """Go on until `stop`; while Kafka or ClickHouse is away, the next turn may do better."""
        while not stop.wait(self.settings.rebuild_every_s):
            try:
                self._turn()
            except Ended as error:
                log.warning("not rebuilt", extra={"error": str(error)})
            except BaseException as error:  # noqa: BLE001  # the main thread ends in order, then raises it
                self.failure = error
                os.kill(os.getpid(), signal.SIGTERM)
                return

    def _turn(self) -> None:
        if count := rebuild_between(self.settings, None, None):
            log.info("rebuilt", extra={"minutes": count})


@contextmanager
def now_and_then(settings: Settings) -> Iterator[None]:
    """Rebuild beside the work inside, which must end in order at a SIGTERM."""
    if not settings.rebuild_every_s:
        yield
        return
    stop, timer = threading.Event(), Timer(settings)
    thread = threading.Thread(target=timer.run, args=(stop,), name="rebuild", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(STOP_LIMIT_S)
    if timer.failure:
        raise timer.failure

"""A stretch of raw, with what lies before and behind it: from Kafka, or from a file."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from confluent_kafka import KafkaException, TopicPartition
from msgspec.structs import replace

from processors.normalize.facts import Frame
from processors.normalize.frames import frames
from processors.normalize.runs import Runs
from processors.processor import Input
from schemas.exchanges import RAW_PARTITION
from schemas.topics import full_name

from .exits import Ended
from .normalize import frame_of, parse
from .reading import REQUEST_LIMIT_S, bounds, consumer, read_between
from .settings import Settings

MINUTE_MS = 60_000
WARM_UP_MINUTES = 12  # raw repeats subscriptions, instruments and full tickers every ten
COOL_DOWN_MS = 7 * MINUTE_MS  # a listing, every five, tells since when a new contract was missed; minutes are closed
OUTSIDE_KAFKA = -1  # partition of a frame that lies in a file; its offset is the number of the line

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stretch:
    """What one exchange said from `from_ms` to before `to_ms`, starts of minutes by the collector's clock."""

    exchange: str
    from_ms: int
    to_ms: int

    def __post_init__(self) -> None:
        if not self.from_ms < self.to_ms:
            raise Ended("there is nothing between --from and --to: --from comes first")

    def __contains__(self, time_ms: int) -> bool:
        return self.from_ms <= time_ms < self.to_ms


def from_kafka(settings: Settings, stretch: Stretch, warm_up_minutes: int = WARM_UP_MINUTES) -> Iterator[Frame]:
    """Yield the frames of a stretch, those of some minutes before it, and those behind it that still tell of it."""
    place = full_name(settings.prefix, "raw"), RAW_PARTITION[stretch.exchange]
    begin_ms, end_ms = stretch.from_ms - warm_up_minutes * MINUTE_MS, stretch.to_ms + COOL_DOWN_MS
    client = consumer(settings)
    try:
        firsts, nexts = bounds(settings, [TopicPartition(*place)])
        [found] = client.offsets_for_times([TopicPartition(*place, begin_ms)], timeout=REQUEST_LIMIT_S)
        begin = found.offset if found.offset >= 0 else nexts[place]
        if begin == firsts[place]:
            log.warning("raw begins within the warm-up or later: instruments may not be known from the start")
        newest_ms, runs = begin_ms, Runs()
        for message in read_between(client, {place: begin}, nexts):
            offset, now_ms = message.offset() or 0, message.timestamp()[1]
            if now_ms - newest_ms > COOL_DOWN_MS:  # a producer that was away now says what was lost
                end_ms = max(end_ms, now_ms + COOL_DOWN_MS)
            if now_ms >= end_ms:
                return
            newest_ms = max(newest_ms, now_ms)
            record = Input("raw", place[1], offset, now_ms, None, message.value(), ())
            yield from frames(record, stretch.exchange, runs)
    except KafkaException as error:
        raise Ended(f"{place[0]} cannot be read: {error.args[0].str()}") from error
    finally:
        client.close()


def from_file(exchange: str, lines: Iterable[bytes]) -> Iterator[Frame]:
    """Yield the frames of JSON lines, as `liq produce --dry-run` prints them."""
    for number, line in parse(lines):
        yield replace(frame_of(exchange, number, line), partition=OUTSIDE_KAFKA)

"""`liq normalize`: raw frames in JSON lines to records, through the stage itself, without Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec

from processors.normalize.facts import Frame
from processors.normalize.publications import OUTPUTS
from processors.normalize.registry import NORMALIZERS, REVISIONS
from processors.normalize.stage import Normalize, Publication
from schemas.exchanges import RAW_PARTITION
from schemas.raw import SourceKind

from .exits import Ended

ONE_PARTITION = 1  # slices of a second are not cut by asset where there is no topic
WANTED = [topic for topic in OUTPUTS if topic != "evidence"]  # whoever gives the frames has them
NS_PER_MS = 1_000_000
EXPECTED = '{"received_ns": 1789670094412000000, "source": "wss://...", "payload": "..."}'


class Line(msgspec.Struct):
    """One line of the input."""

    received_ns: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
    payload: str
    source: str = ""


def parse(lines: Iterable[bytes]) -> Iterator[tuple[int, Line]]:
    """Yield number and content of each line; raise `Ended` on one that is not of the form."""
    decoder = msgspec.json.Decoder(Line)
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            yield number, decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Ended(f"line {number}: {error}; expected {EXPECTED}") from error


def stage_of(exchange: str) -> Normalize:
    """Return the stage as it works without Kafka."""
    return Normalize(exchange, NORMALIZERS[exchange](), REVISIONS[exchange], ONE_PARTITION, WANTED)


def records(stage: Normalize, exchange: str, lines: Iterable[bytes]) -> Iterator[Any]:
    """Yield the records of all frames in order, dead letters among them; at the end what was still pending."""
    for number, line in parse(lines):
        yield from _records(stage.receive(frame_of(exchange, number, line)))
    yield from _records(stage.flush())


def frame_of(exchange: str, number: int, line: Line) -> Frame:
    """Return the frame of a line, whose number is its offset.

    A source that starts with a method is a request; everything else is the URL of a socket.
    """
    kind = SourceKind.REST if line.source.partition(" ")[0] in ("GET", "POST") else SourceKind.FRAME
    payload = line.payload.encode("utf-8", "surrogatepass")
    return Frame(
        payload, line.received_ns // NS_PER_MS, kind, line.source, line.source, RAW_PARTITION[exchange], number, 0
    )


def _records(publications: Iterable[Publication]) -> Iterator[Any]:
    return (publication.record for publication in publications if publication.record is not None)


def fields(record: Any) -> dict[str, Any]:
    """Return the fields of a record as plain values."""
    found: dict[str, Any] = msgspec.to_builtins(record, builtin_types=(bytes,))
    return found

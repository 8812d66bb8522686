"""`liq normalize`: raw frames in JSON lines to records, through the stage itself, without Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from schemas.raw import SourceKind

from .exits import Ended

EXPECTED = '{"received_ns": 1789670094412000000, "source": "wss://...", "payload": "..."}'


class Line(msgspec.Struct):
    """One line of the input."""

    received_ns: int
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
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Ended(f"line {number}: {error}; expected {EXPECTED}") from error


def kind_of(source: str) -> SourceKind:
    """A request starts with its method; everything else is a socket."""
    return SourceKind.REST if source.partition(" ")[0] in ("GET", "POST") else SourceKind.FRAME

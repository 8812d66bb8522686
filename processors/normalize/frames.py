"""What a raw batch holds: the frames of exchanges, and the control frames of their producer."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from schemas.avro import Undecodable, decode_dict
from schemas.raw import Control, RawBatch, SourceKind

from ..processor import Input
from .facts import Frame

NS_PER_MS = 1_000_000


class ForeignFrames(RuntimeError):
    """A partition of `raw` that holds the frames of another exchange: it must not be read on."""


def exchange_of(record: Input) -> str:
    """Return whose frames a raw record holds; raise `Undecodable`."""
    return str(decode_dict(record.value or b"", RawBatch)["exchange"])


def frames(record: Input, exchange: str) -> Iterator[Frame]:
    """Yield the frames of a raw record; raise `Undecodable` or `ForeignFrames`."""
    batch = decode_dict(record.value or b"", RawBatch)
    if batch["exchange"] != exchange:
        place = f"{record.topic}/{record.partition} at {record.offset}"
        raise ForeignFrames(f"{place} holds frames of {batch['exchange']}, expected {exchange}")
    sources = [(SourceKind(source["kind"]), source["url"], source["connection"]) for source in batch["sources"]]
    for index, raw in enumerate(batch["frames"]):
        kind, url, connection = sources[raw["source"]]
        received_ms = raw["received_ns"] // NS_PER_MS
        yield Frame(raw["payload"], received_ms, kind, url, connection, record.partition, record.offset, index)


def control(frame: Frame) -> Control:
    """Return what a control frame says; raise `Undecodable`: it is our own producer that wrote it."""
    try:
        return msgspec.json.decode(frame.payload, type=Control)
    except msgspec.MsgspecError as error:
        raise Undecodable(f"control frame {frame.payload[:100]!r}: {error}") from error

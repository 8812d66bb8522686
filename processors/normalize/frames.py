"""What a raw batch holds: the frames of exchanges, and the control frames of their producer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas.avro import Undecodable, decode_dict
from schemas.raw import TIME_BYTES, Control, RawBatch, SourceKind, times_ns

from ..processor import Input
from .facts import Frame
from .runs import Runs

NS_PER_MS = 1_000_000


class ForeignFrames(RuntimeError):
    """A partition of `raw` that holds the frames of another exchange: it must not be read on."""


def exchange_of(record: Input) -> str:
    """Return whose frames a raw record holds; raise `Undecodable`."""
    return str(decode_dict(record.value or b"", RawBatch)["exchange"])


def frames(record: Input, exchange: str, runs: Runs) -> Iterator[Frame]:
    """Yield the frames of a raw record, none of a repeated one; raise `Undecodable` or `ForeignFrames`."""
    batch = decode_dict(record.value or b"", RawBatch)
    if batch["exchange"] != exchange:
        place = f"{record.topic}/{record.partition} at {record.offset}"
        raise ForeignFrames(f"{place} holds frames of {batch['exchange']}, expected {exchange}")
    received_ns, source_of, payloads = _columns(batch)
    if runs.is_repeat(batch["run_id"], batch["first_seq"], len(payloads)):
        return
    sources = [(SourceKind(source["kind"]), source["url"], source["connection"]) for source in batch["sources"]]
    partition, offset = record.partition, record.offset
    for index, payload in enumerate(payloads):
        kind, url, connection = sources[source_of[index]]
        yield Frame(payload, received_ns[index] // NS_PER_MS, kind, url, connection, partition, offset, index)


def _columns(batch: Mapping[str, Any]) -> tuple[Sequence[int], bytes, Sequence[bytes]]:
    received, source_of, payloads = batch["received"], batch["source_of"], batch["payloads"]
    if not len(received) / TIME_BYTES == len(source_of) == len(payloads):
        sizes = f"{len(received)} bytes of times, {len(source_of)} sources and {len(payloads)} payloads"
        raise Undecodable(f"batch of {sizes}, expected as many of each")
    if source_of and max(source_of) >= len(batch["sources"]):
        raise Undecodable(f"frame of source {max(source_of)}, expected one of {len(batch['sources'])}")
    return times_ns(received), source_of, payloads


def control(frame: Frame) -> Control:
    """Return what a control frame says; raise `Undecodable`: it is our own producer that wrote it."""
    try:
        return msgspec.json.decode(frame.payload, type=Control)
    except msgspec.MsgspecError as error:
        raise Undecodable(f"control frame {frame.payload[:100]!r}: {error}") from error

"""Raw frames: what a producer publishes, untouched and in the order received."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

import msgspec

TIME_BYTES = 8
MOST_SOURCES = 256  # of one batch: a byte names them


class SourceKind(StrEnum):
    """What a frame is."""

    UNKNOWN = "UNKNOWN"
    FRAME = "FRAME"  # what a socket delivered
    REST = "REST"  # the answer to a request
    CONTROL = "CONTROL"  # what the producer itself says: see Control


class Source(msgspec.Struct, frozen=True):
    """Where a frame comes from."""

    kind: Annotated[SourceKind, "frame of a socket, answer of REST, or the producer's own control frame"]
    url: Annotated[str, "URL of the socket, or the request: `GET https://host/path?query`; empty where there is none"]
    connection: Annotated[str, "name of the connection, unique in the life of the producer; empty where there is none"]


class RawFrame(NamedTuple):
    """One frame, untouched."""

    received_ns: int
    source: int  # index into `sources` of its batch
    payload: bytes


class RawBatch(msgspec.Struct, frozen=True):
    """Untouched frames of one producer process, in the order received. The three columns are of equal length."""

    exchange: Annotated[str, "exchange: bybit"]
    run_id: Annotated[str, "names one life of a producer process"]
    first_seq: Annotated[int, "number of the first frame within the run; frames are numbered without holes from 0"]
    sources: Annotated[tuple[Source, ...], "where the frames of this batch come from"]
    received: Annotated[
        bytes, "of each frame, 8 bytes, little-endian: collector's clock when it arrived, ns since the epoch, UTC"
    ]
    source_of: Annotated[bytes, "of each frame, a byte: index into `sources`"]
    payloads: Annotated[tuple[bytes, ...], "of each frame: its bytes as they arrived"]

    @classmethod
    def of(
        cls, exchange: str, run_id: str, first_seq: int, sources: tuple[Source, ...], frames: Iterable[RawFrame]
    ) -> RawBatch:
        """Return the batch of some frames, of `MOST_SOURCES` sources at most."""
        received_ns, source_of, payloads = tuple(zip(*frames, strict=True)) or ((), (), ())
        received = struct.pack(f"<{len(received_ns)}q", *received_ns)
        return cls(exchange, run_id, first_seq, sources, received, bytes(source_of), payloads)

    @property
    def received_ns(self) -> tuple[int, ...]:
        """Return when each frame arrived."""
        return times_ns(self.received)

    def frames(self) -> list[RawFrame]:
        """Return the frames one by one."""
        return list(map(RawFrame, self.received_ns, self.source_of, self.payloads))


def times_ns(received: bytes) -> tuple[int, ...]:
    """Return the times that a batch holds packed."""
    return struct.unpack(f"<{len(received) // TIME_BYTES}q", received)


class Control(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON payload of a control frame."""

    control: Literal["connected", "subscribed", "heartbeat", "disconnected", "gap"]
    channels: tuple[str, ...] = ()  # of the subscription or the gap, as the exchange names its topics
    reason: str = ""
    from_ns: int = 0  # of a gap and of a heartbeat: the last moment known to be complete
    to_ns: int = 0  # of a gap: the first moment known to be complete again

"""What waits for Kafka on disk: a bounded queue of encoded batches, in order, that outlives the process."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, Self

import msgspec

log = logging.getLogger(__name__)

SEGMENT_BYTES = 16 << 20
HEADER = struct.Struct(">II")  # length and CRC-32 of the entry behind it
SEGMENTS = "*.segment"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class SpoolFull(Exception):
    """Nothing more fits; says why."""


class SpoolUnusable(Exception):
    """The directory cannot be used; says what to do."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One batch of raw."""

    run_id: str
    last_seq: int
    timestamp_ms: int
    value: bytes  # encoded, as Kafka gets it


@dataclass(eq=False)
class _Segment:
    path: Path
    descriptor: int
    size: int = 0
    kept: int = 0  # entries that are not removed


class _Place(NamedTuple):
    segment: _Segment
    offset: int
    length: int


_decode = msgspec.msgpack.Decoder(Entry).decode


def is_waiting(directory: Path) -> bool:
    """Say whether a spool has something that Kafka may not have."""
    for path in directory.glob(SEGMENTS):
        with suppress(FileNotFoundError):  # whoever works here has just delivered it
            if path.stat().st_size:
                return True
    return False


class Spool:
    """Entries go in at the end, are sent from the front, and leave from the front once they are acknowledged.

    A file goes when its last entry leaves, so a new start finds again some entries that had left: see `discard`.
    Nothing is synced: files outlive the process, whatever ends it, but a machine that loses power loses its last
    seconds. What is not whole at the next start is cut off, with everything behind it.
    """

    def __init__(self, directory: Path, limit_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Claim the directory and find what a life before left there. Raises SpoolUnusable."""
        self.directory, self.bytes = directory, 0
        self._limit_bytes, self._segment_bytes = limit_bytes, segment_bytes
        self._claim = _claim(directory)
        self._segments: deque[_Segment] = deque()
        self._sent: deque[_Place] = deque()
        self._unsent: deque[_Place] = deque()
        self._load()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for segment in self._segments:
            os.close(segment.descriptor)
        self._claim.close()

    def __len__(self) -> int:
        """Return how many entries have not left."""
        return len(self._sent) + len(self._unsent)

    @property
    def unsent(self) -> int:
        """Return how many entries are not sent."""
        return len(self._unsent)

    def append(self, entry: Entry, *, is_sent: bool = False) -> None:
        """Keep an entry; one that is sent already must not stand behind one that is not. Raises SpoolFull."""
        content = msgspec.msgpack.encode(entry)
        record = HEADER.pack(len(content), zlib.crc32(content)) + content
        if self.bytes + len(record) > self._limit_bytes:
            raise SpoolFull(f"the spool {self.directory} holds {self.bytes >> 20} MiB and may not hold more")
        try:
            place = self._write(record)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            raise SpoolFull(f"the disk of the spool {self.directory} is full ({error.strerror})") from error
        (self._sent if is_sent else self._unsent).append(place)

    def peek(self) -> Entry | None:
        """Return the first entry that is not sent."""
        return _read(self._unsent[0]) if self._unsent else None

    def sent(self) -> None:
        """The entry that `peek` returned is sent."""
        self._sent.append(self._unsent.popleft())

    def remove(self) -> None:
        """The oldest entry that was sent is acknowledged: it leaves."""
        self._sent.popleft().segment.kept -= 1
        while self._segments and not self._segments[0].kept and (len(self._segments) > 1 or not len(self)):
            self._drop(self._segments.popleft())

    def discard(self, stored: Mapping[str, int]) -> None:
        """Let go what is stored already; `stored` is the last frame's number by run."""
        while (entry := self.peek()) and entry.last_seq <= stored.get(entry.run_id, -1):
            self.sent()
            self.remove()

    def newest_first(self) -> Iterator[Entry]:
        """Yield the entries that are not sent, the newest first."""
        return map(_read, reversed(self._unsent))

    def _write(self, record: bytes) -> _Place:
        if not self._segments or self._segments[-1].size + len(record) > self._segment_bytes:
            number = int(self._segments[-1].path.stem) + 1 if self._segments else 1
            self._open(self.directory / f"{number:08}.segment")
        segment = self._segments[-1]
        rest = memoryview(record)
        try:
            while rest:
                rest = rest[os.pwrite(segment.descriptor, rest, segment.size + len(record) - len(rest)) :]
        except OSError:
            os.ftruncate(segment.descriptor, segment.size)
            raise
        return self._count(segment, len(record))

    def _count(self, segment: _Segment, length: int) -> _Place:
        place = _Place(segment, segment.size, length)
        segment.size += length
        segment.kept += 1
        self.bytes += length
        return place

    def _open(self, path: Path) -> _Segment:
        segment = _Segment(path, os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._segments.append(segment)
        return segment

    def _drop(self, segment: _Segment) -> None:
        self.bytes -= segment.size
        segment.path.unlink()
        os.close(segment.descriptor)

    def _load(self) -> None:
        paths = deque(sorted(self.directory.glob(SEGMENTS)))
        while paths:
            segment = self._open(paths.popleft())
            content = segment.path.read_bytes()
            for length in _whole(content):
                self._unsent.append(self._count(segment, length))
            if segment.size < len(content):
                log.warning(
                    "%s: %d bytes are not whole, cut off with %d files behind it",
                    *(segment.path, len(content) - segment.size, len(paths)),
                )
                os.ftruncate(segment.descriptor, segment.size)
                while paths:  # without what is cut off they would be a hole that no gap tells of
                    paths.pop().unlink()


def _claim(directory: Path) -> IO[bytes]:
    """Lock the directory until the file is closed or the process ends."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / "lock").open("ab")
    except OSError as error:
        raise SpoolUnusable(f"cannot use the spool {directory} ({error.strerror}): set LIQ_SPOOL_DIR") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise SpoolUnusable(
            f"the spool {directory} is in use by another producer of this exchange: "
            "end that one, or give this one another LIQ_INSTANCE or LIQ_SPOOL_DIR"
        ) from error
    return file


def _whole(content: bytes) -> Iterator[int]:
    """Yield the length of each record up to the first that is torn."""
    offset = 0
    while offset + HEADER.size <= len(content):
        length, checksum = HEADER.unpack_from(content, offset)
        entry = content[offset + HEADER.size : offset + HEADER.size + length]
        if not length or len(entry) < length or zlib.crc32(entry) != checksum:  # a lost page reads as zeros
            return
        offset += HEADER.size + length
        yield HEADER.size + length


def _read(place: _Place) -> Entry:
    return _decode(os.pread(place.segment.descriptor, place.length, place.offset)[HEADER.size :])

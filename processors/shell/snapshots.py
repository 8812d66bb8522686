"""A lane between two records, in pieces that fit into Kafka, and the note that says where the pieces lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

PIECE_BYTES = 900_000  # below the broker's default limit of 1 MiB a record


class Unreadable(RuntimeError):
    """The named snapshot is not whole in the topic."""


class Snapshot(msgspec.Struct, frozen=True):
    """A lane between two records."""

    state_version: int
    offsets: dict[str, int]  # the next record of each input to process
    times_ms: dict[str, int]  # of the merge, there
    body: bytes


class Note(msgspec.Struct, frozen=True):
    """Which snapshot belongs to a commit; it travels in the metadata of the commit."""

    name: str
    at: int  # offset of its first record
    since: int  # offset from where on older snapshots may be left over


class _Header(msgspec.Struct):
    state_version: int
    offsets: dict[str, int]
    times_ms: dict[str, int]
    pieces: int
    checksum: str


def pack(snapshot: Snapshot) -> list[bytes]:
    """Return header and pieces."""
    body = snapshot.body
    pieces = [body[i : i + PIECE_BYTES] for i in range(0, len(body), PIECE_BYTES)]
    header = _Header(snapshot.state_version, snapshot.offsets, snapshot.times_ms, len(pieces), _checksum(body))
    return [msgspec.json.encode(header), *pieces]


def unpack(records: Mapping[int, bytes]) -> Snapshot:
    """Return the snapshot of numbered records; raise `Unreadable`."""
    try:
        header = msgspec.json.decode(records[0], type=_Header)
        body = b"".join(records[i + 1] for i in range(header.pieces))
    except (KeyError, msgspec.MsgspecError) as error:
        raise Unreadable(f"the snapshot is not whole: {error!r}") from error
    if header.checksum != _checksum(body):
        raise Unreadable("the snapshot has another checksum")
    return Snapshot(header.state_version, header.offsets, header.times_ms, body)


def write_note(note: Note | None) -> str:
    """Return the metadata of a commit."""
    return msgspec.json.encode(note).decode() if note else ""


def newest_note(metadata: Iterable[str]) -> Note | None:
    """Return the latest note among the commits of a lane: a commit may have reached only some of its inputs."""
    notes = [note for text in metadata if (note := _read_note(text))]
    return max(notes, key=lambda note: note.at, default=None)


def _read_note(metadata: str) -> Note | None:
    try:
        return msgspec.json.decode(metadata, type=Note)
    except msgspec.MsgspecError:  # offsets that were set by hand carry no note, or a foreign one
        return None


def _checksum(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()

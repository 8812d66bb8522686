"""Snapshots in pieces, and the notes that name them."""

import pytest

from processors.shell import snapshots
from processors.shell.snapshots import Note, Snapshot, Unreadable, newest_note, pack, unpack, write_note

SNAPSHOT = Snapshot(state_version=3, offsets={"raw": 7}, times_ms={"raw": 70}, body=bytes(range(95)))


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> dict[int, bytes]:
    monkeypatch.setattr(snapshots, "PIECE_BYTES", 10)
    return dict(enumerate(pack(SNAPSHOT)))


def test_a_snapshot_survives_being_cut_in_pieces(records: dict[int, bytes]) -> None:
    assert len(records) == 11
    assert unpack(records) == SNAPSHOT


@pytest.mark.parametrize("number", [0, 1, 10])
def test_a_snapshot_without_one_of_its_records_is_unreadable(records: dict[int, bytes], number: int) -> None:
    del records[number]
    with pytest.raises(Unreadable, match="not whole"):
        unpack(records)


def test_a_snapshot_with_another_byte_is_unreadable(records: dict[int, bytes]) -> None:
    with pytest.raises(Unreadable, match="checksum"):
        unpack({**records, 5: b"0123456789"})


def test_the_newest_note_lies_furthest_in_the_topic() -> None:
    older, newer = Note("0:a", at=9, since=0), Note("0:b", at=10, since=9)
    assert newest_note(["", write_note(newer), write_note(older)]) == newer


@pytest.mark.parametrize("metadata", ["", "set by hand", "{}", '{"at": "9"}'])
def test_commits_of_others_carry_no_note(metadata: str) -> None:
    assert newest_note([metadata]) is None

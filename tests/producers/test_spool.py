"""The queue on disk: order, bounds, and what a crash leaves."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from producers.spool import Entry, Spool, SpoolFull, SpoolUnusable, is_waiting

LIMIT = 1 << 20


def entry(seq: int, *, run_id: str = "run", size: int = 10) -> Entry:
    """Return a batch of one frame."""
    return Entry(run_id, seq, 1_000 + seq, b"x" * size)


def filled(directory: Path, *entries: Entry, segment_bytes: int = LIMIT) -> None:
    """Leave entries behind."""
    with Spool(directory, LIMIT, segment_bytes) as spool:
        for one in entries:
            spool.append(one)


def taken(spool: Spool) -> list[Entry]:
    """Send and acknowledge everything."""
    found = []
    while (one := spool.peek()) is not None:
        found.append(one)
        spool.sent()
        spool.remove()
    return found


def files(directory: Path) -> list[str]:
    """Return what lies there, but for the lock."""
    return sorted(path.name for path in directory.iterdir() if path.name != "lock")


def test_entries_leave_in_order_and_an_empty_spool_has_no_files(tmp_path: Path) -> None:
    entries = [entry(seq, size=seq * 10) for seq in range(40)]
    with Spool(tmp_path, LIMIT, segment_bytes=500) as spool:
        for one in entries:
            spool.append(one)
        assert len(files(tmp_path)) > 5
        assert taken(spool) == entries
        assert (len(spool), spool.bytes, files(tmp_path)) == (0, 0, [])


def test_what_a_life_before_left_comes_first(tmp_path: Path) -> None:
    filled(tmp_path, entry(0), entry(1), entry(2), segment_bytes=60)
    with Spool(tmp_path, LIMIT, segment_bytes=60) as spool:
        spool.append(entry(0, run_id="next"))
        assert list(spool.newest_first()) == [entry(0, run_id="next"), entry(2), entry(1), entry(0)]
        assert taken(spool) == [entry(0), entry(1), entry(2), entry(0, run_id="next")]


def test_an_entry_that_was_sent_leaves_when_it_is_acknowledged_and_is_not_sent_again(tmp_path: Path) -> None:
    with Spool(tmp_path, LIMIT) as spool:
        spool.append(entry(0), is_sent=True)
        spool.append(entry(1))
        assert (spool.peek(), len(spool), spool.unsent) == (entry(1), 2, 1)
        spool.remove()
        assert (spool.peek(), len(spool), spool.unsent) == (entry(1), 1, 1)


def test_what_is_stored_already_is_let_go_run_by_run(tmp_path: Path) -> None:
    with Spool(tmp_path, LIMIT) as spool:
        for one in (entry(5), entry(6), entry(0, run_id="b"), entry(1, run_id="b")):
            spool.append(one)
        spool.discard({"run": 6, "b": 0, "other": 9})
        assert taken(spool) == [entry(1, run_id="b")]


@pytest.mark.parametrize("torn", range(1, 58))
def test_a_torn_end_is_cut_wherever_it_is_torn(tmp_path: Path, torn: int) -> None:
    filled(tmp_path, entry(0), entry(1))
    file = tmp_path / "00000001.segment"
    content = file.read_bytes()
    file.write_bytes(content[:-torn])
    with Spool(tmp_path, LIMIT) as spool:
        spool.append(entry(2))
        assert taken(spool) == ([entry(0), entry(2)] if torn <= len(content) // 2 else [entry(2)])


def test_a_lost_page_of_zeros_is_cut_with_every_file_behind_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filled(tmp_path, entry(0), entry(1), entry(2), entry(3), segment_bytes=80)
    assert files(tmp_path) == ["00000001.segment", "00000002.segment"]
    first = tmp_path / "00000001.segment"
    size = first.stat().st_size
    first.write_bytes(first.read_bytes()[: size // 2] + bytes(size // 2))
    with Spool(tmp_path, LIMIT) as spool:
        assert files(tmp_path) == ["00000001.segment"]
        assert taken(spool) == [entry(0)]
    assert caplog.messages == [f"{first}: {size // 2} bytes are not whole, cut off with 1 files behind it"]


def test_a_full_spool_refuses_and_has_room_again_once_a_file_is_gone(tmp_path: Path) -> None:
    with Spool(tmp_path, 200, segment_bytes=80) as spool:
        for seq in range(6):
            spool.append(entry(seq))
        with pytest.raises(SpoolFull, match=r"^the spool .* holds 0 MiB and may not hold more$"):
            spool.append(entry(6))
        for _ in range(2):
            spool.sent()
            spool.remove()
        spool.append(entry(6))
        assert taken(spool) == [entry(seq) for seq in range(2, 7)]


def test_a_full_disk_is_a_full_spool_and_what_it_tore_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    room = [100]

    def pwrite(descriptor: int, content: memoryview, offset: int) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, content[: room[0]], offset)
        room[0] -= written
        return written

    monkeypatch.setattr(os, "pwrite", pwrite)
    with Spool(tmp_path, LIMIT) as spool:
        spool.append(entry(0))
        with pytest.raises(SpoolFull, match=r"^the disk of the spool .* is full \(No space left on device\)$"):
            spool.append(entry(1, size=90))
        room[0] = LIMIT
        spool.append(entry(2))
    with Spool(tmp_path, LIMIT) as spool:
        assert taken(spool) == [entry(0), entry(2)]


def test_a_second_producer_is_told_what_to_do(tmp_path: Path) -> None:
    with Spool(tmp_path, LIMIT), pytest.raises(SpoolUnusable, match=r"in use .*: end that one, or give this one"):
        Spool(tmp_path, LIMIT)
    with Spool(tmp_path, LIMIT) as spool:
        assert len(spool) == 0


def test_a_directory_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolUnusable, match=r"^cannot use .*file/spool \(Not a directory\): set LIQ_SPOOL_DIR"):
        Spool(tmp_path / "file" / "spool", LIMIT)


def test_a_segment_that_goes_while_one_looks_waits_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "00000001.segment").symlink_to(tmp_path / "gone")  # listed, and not there when it is looked at
    assert not is_waiting(tmp_path)
    (tmp_path / "00000002.segment").write_bytes(b"x")
    assert is_waiting(tmp_path)

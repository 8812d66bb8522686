"""Frames into batches."""

from __future__ import annotations

from producers.raw import BATCH_BYTES, NOBODY, Frames
from schemas.raw import MOST_SOURCES, Control, RawBatch, RawFrame, Source, SourceKind

from .scripted import Kept

SOCKET = Source(SourceKind.FRAME, "wss://x/y", "y#1")


async def test_a_batch_names_its_sources_once_and_keeps_the_order() -> None:
    sink = Kept()
    frames = Frames("bybit", sink)
    frames.put(SOCKET, b"1", 10)
    frames.put(NOBODY, b"2", 11)
    frames.put(SOCKET, b"3", 12)
    frames.flush()
    expected = [RawFrame(10, 0, b"1"), RawFrame(11, 1, b"2"), RawFrame(12, 0, b"3")]
    assert sink.batches == [RawBatch.of("bybit", frames.run_id, 0, (SOCKET, NOBODY), expected)]
    assert sink.batches[0].frames() == expected


async def test_frames_are_numbered_without_holes_over_batches() -> None:
    sink = Kept()
    frames = Frames("bybit", sink)
    for number in range(10):
        frames.put(SOCKET, b"x", number)
        if number % 3 == 0:
            frames.flush()
    frames.flush()
    frames.flush()
    assert [(batch.first_seq, len(batch.payloads)) for batch in sink.batches] == [(0, 1), (1, 3), (4, 3), (7, 3)]


async def test_a_batch_is_bounded_in_bytes_and_a_larger_frame_is_alone() -> None:
    sink = Kept()
    frames = Frames("bybit", sink)
    for size in (BATCH_BYTES - 10, 10, 1, 3 * BATCH_BYTES, 5):
        frames.put(SOCKET, b"x" * size, 1)
    frames.flush()
    sizes = [[len(payload) for payload in batch.payloads] for batch in sink.batches]
    assert sizes == [[BATCH_BYTES - 10, 10], [1], [3 * BATCH_BYTES], [5]]


async def test_a_batch_has_no_more_sources_than_a_byte_can_name() -> None:
    sink = Kept()
    frames = Frames("bybit", sink)
    for number in (*range(MOST_SOURCES), 0, MOST_SOURCES):
        frames.put(Source(SourceKind.REST, f"GET {number}", ""), b"x", 1)
    frames.flush()
    assert [(len(batch.sources), batch.source_of[-1]) for batch in sink.batches] == [(MOST_SOURCES, 0), (1, 0)]


async def test_control_frames_are_json_without_what_is_not_said() -> None:
    sink = Kept()
    frames = Frames("bybit", sink)
    frames.say(Control("heartbeat", from_ns=7))
    frames.flush()
    assert sink.batches[0].payloads[0] == b'{"control":"heartbeat","from_ns":7}'
    assert sink.controls("heartbeat") == [("", Control("heartbeat", from_ns=7))]

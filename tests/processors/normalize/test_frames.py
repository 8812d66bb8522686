from __future__ import annotations

from typing import Any

import pytest

from processors.normalize.facts import Frame
from processors.normalize.frames import ForeignFrames, control, exchange_of, frames
from processors.normalize.runs import Runs
from processors.processor import Input
from schemas.avro import Undecodable, encode
from schemas.raw import Control, RawBatch, RawFrame, Source, SourceKind

from ..tiny import raw

SOURCES = (Source(SourceKind.REST, "GET https://host/x", ""), Source(SourceKind.FRAME, "wss://host", "host-1"))


def record(*found: RawFrame) -> Input:
    return Input("raw", 1, 7, 0, None, encode(RawBatch.of("bybit", "run", 0, SOURCES, found)), ())


def test_a_batch_holds_frames_with_their_source_and_place() -> None:
    batch = record(RawFrame(1_999_999, 1, b"{}"), RawFrame(2_000_000, 0, b"[]"))
    assert list(frames(batch, "bybit", Runs())) == [
        Frame(b"{}", 1, SourceKind.FRAME, "wss://host", "host-1", 1, 7, 0),
        Frame(b"[]", 2, SourceKind.REST, "GET https://host/x", "", 1, 7, 1),
    ]


def test_frames_of_another_exchange_are_refused() -> None:
    with pytest.raises(ForeignFrames, match="raw/1 at 7 holds frames of bybit, expected okx"):
        list(frames(record(), "okx", Runs()))
    assert exchange_of(record()) == "bybit"


@pytest.mark.parametrize("value", [None, b"", b"garbage"])
def test_what_is_no_batch_stops_the_stage(value: bytes | None) -> None:
    with pytest.raises(Undecodable):
        list(frames(record()._replace(value=value), "bybit", Runs()))


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ((bytes(16), bytes(2), (b"{}",)), "batch of 16 bytes of times, 2 sources and 1 payloads"),
        ((bytes(16), bytes(1), (b"{}", b"{}")), "batch of 16 bytes of times, 1 sources and 2 payloads"),
        ((bytes(15), bytes(2), (b"{}", b"{}")), "batch of 15 bytes of times, 2 sources and 2 payloads"),
        ((bytes(16), b"\0\2", (b"{}", b"{}")), "frame of source 2, expected one of 2"),
    ],
)
def test_columns_that_do_not_fit_together_stop_the_stage(columns: Any, complaint: str) -> None:
    value = encode(RawBatch("bybit", "run", 0, SOURCES, *columns))
    with pytest.raises(Undecodable, match=complaint):
        list(frames(record()._replace(value=value), "bybit", Runs()))


def test_a_batch_of_another_writer_may_come_in_blocks_of_any_form() -> None:
    empty = encode(RawBatch("bybit", "run", 0, SOURCES, bytes(16), b"\1\0", ()))
    block_with_its_size = b"\x01\x04" + b"\x02a"
    another_block = b"\x02" + b"\x02b"
    value = empty.removesuffix(b"\0") + block_with_its_size + another_block + b"\0"
    assert list(frames(record()._replace(value=value), "bybit", Runs())) == [
        Frame(b"a", 0, SourceKind.FRAME, "wss://host", "host-1", 1, 7, 0),
        Frame(b"b", 0, SourceKind.REST, "GET https://host/x", "", 1, 7, 1),
    ]


def test_a_control_frame_says_what_happened() -> None:
    said = raw(b'{"control":"gap","from_ns":1,"to_ns":2,"channels":["trades"]}', received_s=0)
    assert control(said) == Control("gap", channels=("trades",), from_ns=1, to_ns=2)


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"control":"dance"}', b"\xff"])
def test_an_unknown_control_frame_stops_the_stage(payload: bytes) -> None:
    with pytest.raises(Undecodable, match="control frame"):
        control(raw(payload, received_s=0))


def test_a_batch_that_comes_again_has_no_frames() -> None:
    runs = Runs()
    twice = [len(list(frames(record(RawFrame(1, 0, b"{}")), "bybit", runs))) for _ in range(2)]
    assert twice == [1, 0]

"""What of a stretch comes out: what belongs to it by its own clock, complete, with the new revision."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline.exits import Ended
from pipeline.normalize import Line, frame_of
from pipeline.passage import Passage
from pipeline.stretch import OUTSIDE_KAFKA, Stretch, from_file
from processors.normalize.facts import Frame
from processors.normalize.publications import Publication
from schemas.exchanges import RAW_PARTITION
from schemas.raw import SourceKind
from schemas.records import Liquidation, MarketMinute, MarketSlice

T0 = 1_789_670_100_000
STRETCH = Stretch("bybit", T0 + 60_000, T0 + 120_000)
SOCKET = "wss://stream.bybit.com/v5/public/linear"


def at(seconds: float) -> int:
    return T0 + round(seconds * 1000)


def frame(topic: str, data: Any, received_s: float, kind: str = "snapshot") -> Frame:
    said = {"topic": topic, "type": kind, "ts": at(received_s) - 20, "data": data}
    line = Line(at(received_s) * 1_000_000, json.dumps(said), SOCKET)
    return frame_of("bybit", round(received_s), line)


def liquidation(received_s: float, event_s: float | None = None) -> Frame:
    event_ms = at(received_s) - 50 if event_s is None else at(event_s)
    item = {"T": event_ms, "s": "ICPUSDT", "S": "Buy", "v": "19.7", "p": "2.585"}
    return frame("allLiquidation.ICPUSDT", [item], received_s)


def mark(received_s: float) -> Frame:
    return frame("tickers.BTCUSDT", {"symbol": "BTCUSDT", "markPrice": f"{60_000 + received_s}"}, received_s)


def control(received_s: float, said: str, **more: object) -> Frame:
    payload = json.dumps({"control": said, **more}).encode()
    return Frame(payload, at(received_s), SourceKind.CONTROL, "", "linear-0#1", RAW_PARTITION["bybit"], 0, 0)


def passed(*frames: Frame, is_file: bool = False) -> tuple[Passage, list[Publication]]:
    passage = Passage(STRETCH, 7, 1, is_file=is_file)
    return passage, list(passage.publications(frames))


def of(publications: list[Publication], record: type[Any]) -> list[Any]:
    return [one.record for one in publications if isinstance(one.record, record)]


def test_liquidations_belong_by_the_time_they_were_received_and_bear_the_new_revision() -> None:
    frames = [liquidation(59.999), liquidation(60), liquidation(119.999, event_s=30), liquidation(120)]
    passage, out = passed(*frames)

    told = of(out, Liquidation)
    assert [(one.received_ms, one.event_ms, one.revision) for one in told] == [
        (at(60), at(59.95), 7),
        (at(119.999), at(30), 7),
    ]
    assert (passage.frames, passage.offsets, len(passage.ids)) == (2, (60, 120), 4)


def test_what_is_added_up_belongs_by_its_second_or_minute_if_it_is_complete() -> None:
    seconds = range(40, 150)
    _, out = passed(*(mark(second + 0.1) for second in seconds), *(control(150 + n, "heartbeat") for n in range(3)))

    assert [one.second_ms for one in of(out, MarketSlice)] == [at(second) for second in range(60, 120)]
    [minute] = of(out, MarketMinute)
    assert (minute.minute_ms, minute.is_final, minute.version) == (at(60), True, 7 << 32 | 2 * 60 + 1)
    assert Counter(one.topic for one in out) == {"market": 60, "market-minutes": 1}


def test_a_minute_that_raw_does_not_show_to_its_end_is_left_as_it_was() -> None:
    _, out = passed(*(mark(second + 0.1) for second in range(40, 119)))

    assert of(out, MarketMinute) == []


def test_a_repeat_of_a_liquidation_before_the_stretch_is_none_of_it() -> None:
    early = liquidation(59)

    assert of(passed(early, replace(early, received_ms=at(61)))[1], Liquidation) == []


def test_dead_letters_and_gaps_count_within_the_stretch_and_an_open_gap_once() -> None:
    gap = {"from_ns": at(70) * 1_000_000, "to_ns": at(80) * 1_000_000}
    broken = [replace(mark(second), payload=b"{oops") for second in (50, 70, 130)]
    passage, out = passed(
        *(control(second, "gap", **gap) for second in (81, 82, 83)),
        control(84, "gap", **gap | {"from_ns": at(83) * 1_000_000}),
        *broken,
        control(140, "gap", **gap),
    )

    assert (passage.frames, passage.dead_letters, len(passage.gaps)) == (1, 1, 2)
    assert [one.record.received_ms for one in out if one.topic == "dead-letters" and one.record] == [at(70)]


def test_frames_of_a_file_say_that_they_do_not_lie_in_kafka() -> None:
    said = liquidation(61)
    line = {"received_ns": said.received_ms * 1_000_000, "source": SOCKET, "payload": said.payload.decode()}
    passage, out = passed(*from_file("bybit", [b"", json.dumps(line).encode()]), is_file=True)

    [told] = of(out, Liquidation)
    assert (told.raw_partition, told.raw_offset, told.raw_index) == (OUTSIDE_KAFKA, 2, 0)
    assert passage.offsets is None


def test_a_stretch_begins_before_it_ends() -> None:
    with pytest.raises(Ended, match="--from comes first"):
        Stretch("bybit", T0, T0)

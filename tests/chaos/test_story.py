"""What the raw topic tells by itself."""

from __future__ import annotations

from collections import Counter

import msgspec
import orjson

from schemas.raw import Control, RawBatch, RawFrame, Source, SourceKind

from .story import Gap, Printed, read_story

FRAME, REST, CONTROL = 0, 1, 2
SOURCES = (
    Source(SourceKind.FRAME, "ws://127.0.0.1/v5/public/linear", "linear-0#1"),
    Source(SourceKind.REST, "GET http://127.0.0.1/v5/market/tickers", ""),
    Source(SourceKind.CONTROL, "", ""),
)
LONG = {"T": 1_000, "s": "BTCUSDT", "S": "Buy", "v": "0.5", "p": "60000"}
SHORT = {"T": 2_000, "s": "BTCUSDT", "S": "Sell", "v": "2", "p": "61000"}


def liquidations(*items: dict[str, object]) -> RawFrame:
    message = {"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": 1_500, "data": items}
    return RawFrame(1, FRAME, orjson.dumps(message))


def control(control: Control, at_ns: int = 1) -> RawFrame:
    return RawFrame(at_ns, CONTROL, msgspec.json.encode(control))


def batch(first_seq: int, *frames: RawFrame, run_id: str = "a") -> RawBatch:
    return RawBatch.of("bybit", run_id, first_seq, SOURCES, frames)


def test_twins_in_one_frame_are_two_and_a_frame_told_twice_is_one() -> None:
    story = read_story([(0, batch(0, liquidations(LONG, LONG, SHORT), liquidations(SHORT)))])

    assert story.liquidations == Counter(
        {Printed("BTCUSDT", "LONG", 60_000.0, 0.5, 1_000): 2, Printed("BTCUSDT", "SHORT", 61_000.0, 2.0, 2_000): 1}
    )


def test_the_numbers_of_a_run_have_no_holes_and_no_overlaps() -> None:
    one = liquidations(LONG)
    batches = [batch(0, one, one), batch(2, one), batch(0, one, run_id="b"), batch(4, one), batch(4, one)]

    assert read_story(enumerate(batches)).misnumbered == [
        "raw 3: run a goes on with 4, not 3",
        "raw 4: run a goes on with 4, not 5",
    ]


def test_control_frames_say_what_was_subscribed_and_missed() -> None:
    channel = "allLiquidation.BTCUSDT"
    frames = (
        control(Control("subscribed", (channel,)), at_ns=5),
        control(Control("subscribed", (channel,)), at_ns=9),
        control(Control("gap", (channel,), from_ns=10, to_ns=20)),
        control(Control("heartbeat", from_ns=7), at_ns=3_000_000),
    )
    story = read_story([(0, batch(0, *frames))])

    assert (story.subscribed_ns, story.gaps, story.heartbeat_ms) == ({channel: 5}, {channel: [Gap(10, 20)]}, 3)
    assert story.frames == 0


def test_what_no_exchange_means_is_garbage() -> None:
    sound = [liquidations(LONG), RawFrame(1, FRAME, b'{"op":"ping"}'), RawFrame(1, REST, b'{"retCode":0}')]
    broken = [b"", b"\x7f{", b'{"topic":"tickers.BTCUSDT","ty', b'{"topic":"x","ts":-1}', b'{"topic":"x","ts":"NaN"}']
    story = read_story([(7, batch(0, *sound, *(RawFrame(1, FRAME, payload) for payload in broken)))])

    assert story.garbage == {(7, index) for index in range(3, 8)}

"""What the raw topic tells of one exchange."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import orjson
import pytest

from schemas.raw import Control, RawBatch, RawFrame, Source, SourceKind

from .exchanges import EXCHANGES, Printed
from .story import Gap, Shown, Story, read_story

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


def read(batches: Iterable[tuple[int, RawBatch]], exchange: str = "bybit") -> Story:
    return read_story(EXCHANGES[exchange], batches)


def told(exchange: str, *messages: Any) -> Story:
    """Return what these frames of a socket tell, one batch with all of them."""
    return read([(0, batch(0, *(RawFrame(1, FRAME, orjson.dumps(message)) for message in messages)))], exchange)


def test_twins_in_one_frame_are_two_and_a_frame_told_twice_is_one() -> None:
    story = read([(0, batch(0, liquidations(LONG, LONG, SHORT), liquidations(SHORT)))])

    assert story.liquidations == Counter(
        {Printed("BTCUSDT", "LONG", 60_000.0, 0.5, 1_000): 2, Printed("BTCUSDT", "SHORT", 61_000.0, 2.0, 2_000): 1}
    )


def test_the_numbers_of_a_run_have_no_holes_and_no_overlaps() -> None:
    one = liquidations(LONG)
    batches = [batch(0, one, one), batch(2, one), batch(0, one, run_id="b"), batch(4, one), batch(4, one)]

    assert read(enumerate(batches)).misnumbered == [
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
    story = read([(0, batch(0, *frames))])

    assert (story.subscribed_ns, story.gaps, story.heartbeat_ms) == ({channel: 5}, {channel: [Gap(10, 20)]}, 3)
    assert story.frames == 0


def test_a_socket_that_is_given_up_is_noted() -> None:
    silent = Control("disconnected", reason='subscribed, but no frame with \'"topic":"tickers.\' for 31 s')
    frames = (control(Control("disconnected", reason="ConnectionClosedError: ..."), at_ns=5), control(silent, at_ns=6))

    assert read([(0, batch(0, *frames))]).given_up_ns == [6]


def test_a_frame_that_shows_liquidations_is_kept_with_its_place() -> None:
    frame = liquidations(LONG)
    printed = Printed("BTCUSDT", "LONG", 60_000.0, 0.5, 1_000)

    assert read([(7, batch(0, frame, RawFrame(1, REST, frame.payload)))]).shown == {
        (7, 0): Shown(frame.payload, Counter({printed: 1}), 1)
    }


def test_of_okx_the_order_that_sells_closes_a_long_and_rows_told_again_to_newcomers_count_once() -> None:
    one = {"side": "sell", "posSide": "net", "bkPx": "60000", "sz": "3", "ts": "1000"}
    other = {"side": "buy", "posSide": "short", "bkPx": "61000", "sz": "0.1", "ts": "2000"}

    def frame(*details: dict[str, str]) -> dict[str, Any]:
        row = {"instId": "BTC-USDT-SWAP", "instType": "SWAP", "details": details}
        return {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": [row]}

    assert told("okx", frame(one, one), frame(one, other)).liquidations == Counter(
        {
            Printed("BTC-USDT-SWAP", "LONG", 60_000.0, 3.0, 1_000): 2,
            Printed("BTC-USDT-SWAP", "SHORT", 61_000.0, 0.1, 2_000): 1,
        }
    )


def test_of_binance_the_order_that_sells_closes_a_long_at_the_price_of_its_fills() -> None:
    order = {"s": "BTCUSD_PERP", "S": "SELL", "q": "9", "p": "59000", "ap": "60000", "z": "7", "T": 1_000}
    story = told("binance", {"stream": "!forceOrder@arr", "data": {"e": "forceOrder", "E": 1_100, "o": order}})

    assert story.liquidations == Counter({Printed("BTCUSD_PERP", "LONG", 60_000.0, 7.0, 1_000): 1})


OKX_ROW = {"instId": "BTC-USDT-SWAP", "markPx": "60000", "ts": "1500"}
OKX_ABOUT = {"channel": "mark-price", "instId": "BTC-USDT-SWAP"}
MEANT: dict[str, list[bytes]] = {
    "bybit": [b'{"op":"ping"}', liquidations(LONG).payload],
    "okx": [
        b"pong",
        b'{"event":"subscribe","arg":{}}',
        orjson.dumps({"arg": OKX_ABOUT, "data": [OKX_ROW]}),
        orjson.dumps({"arg": OKX_ABOUT, "data": [{"details": [OKX_ROW, OKX_ROW]}]}),
    ],
    "binance": [
        b'{"result":null,"id":1}',
        b'{"stream":"!markPrice@arr@1s","data":[{"e":"markPriceUpdate"},{"e":"markPriceUpdate"}]}',
        b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade"}}',
    ],
}
NOT_MEANT = {
    "bybit": [b'{"topic":"tickers.BTCUSDT","ty', b'{"topic":"x","ts":-1}', b'{"topic":"x","ts":"NaN"}'],
    "okx": [
        orjson.dumps({"arg": OKX_ABOUT}),
        orjson.dumps({"arg": OKX_ABOUT, "data": [{**OKX_ROW, "ts": -1}]}),
        orjson.dumps({"arg": OKX_ABOUT, "data": [{"details": [{**OKX_ROW, "ts": None}]}]}),
    ],
    "binance": [
        b'{"stream":"!forceOrder@arr"}',
        b'{"stream":"!forceOrder@arr","data":{"e":"NaN"}}',
        b'{"stream":"!markPrice@arr@1s","data":[{"e":null}]}',
    ],
}


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_what_no_exchange_means_is_garbage(exchange: str) -> None:
    meant = [RawFrame(1, FRAME, payload) for payload in MEANT[exchange]]
    not_meant = [RawFrame(1, FRAME, payload) for payload in (b"", b"\x7f{", *NOT_MEANT[exchange])]
    answer = RawFrame(1, REST, b"whatever it is")
    story = read([(7, batch(0, answer, *meant, *not_meant))], exchange)

    first = 1 + len(meant)
    assert story.garbage == {(7, index) for index in range(first, first + len(not_meant))}

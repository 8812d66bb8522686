"""What OKX is asked, and how its answers are understood."""

from __future__ import annotations

import json
from typing import Any

import pytest

from producers.exchange import Poll, Refusal, Reply, Request
from producers.okx import OKX

WRONG = (
    "Wrong URL or channel:tickers,instId:OLD-USDT-SWAP doesn't exist. "
    "Please use the correct URL, channel and parameters referring to API document."
)


def contract(inst_id: str, uly: str, **changes: str) -> dict[str, str]:
    return {"instId": inst_id, "uly": uly, "instFamily": uly, "state": "live", "ctVal": "1"} | changes


def page(*contracts: dict[str, Any]) -> bytes:
    return json.dumps({"code": "0", "msg": "", "data": contracts}).encode()


SWAPS = page(
    contract("BTC-USDT-SWAP", "BTC-USDT"),
    contract("BTC-USD-SWAP", "BTC-USD"),
    contract("XRP-USDT-SWAP", "XRP-USDT"),
    contract("NEW-USDT-SWAP", "NEW-USDT", state="preopen"),
    contract("OLD-USDT-SWAP", "OLD-USDT", state="suspend"),
)
FUTURES = page(contract("BTC-USD-261225", "BTC-USD"), contract("ETH-USD_UM_XPERP-310404", "ETH-USD_UM"))


def test_liquidations_of_both_types_prices_of_all_contracts_and_trades_of_majors_are_wanted() -> None:
    assert OKX.channels([SWAPS, FUTURES], frozenset({"BTC"})) == {
        "liquidations": [
            *("liquidation-orders:SWAP", "liquidation-orders:FUTURES"),
            *("mark-price:BTC-USDT-SWAP", "mark-price:BTC-USD-SWAP", "mark-price:XRP-USDT-SWAP"),
            *("mark-price:BTC-USD-261225", "mark-price:ETH-USD_UM_XPERP-310404"),
        ],
        "prices": [
            *("index-tickers:BTC-USDT", "index-tickers:BTC-USD", "index-tickers:XRP-USDT", "index-tickers:ETH-USD"),
            *("tickers:XRP-USDT-SWAP", "tickers:ETH-USD_UM_XPERP-310404"),
        ],
        "majors": [
            *("trades:BTC-USDT-SWAP", "open-interest:BTC-USDT-SWAP", "tickers:BTC-USDT-SWAP"),
            *("trades:BTC-USD-SWAP", "open-interest:BTC-USD-SWAP", "tickers:BTC-USD-SWAP"),
            *("trades:BTC-USD-261225", "open-interest:BTC-USD-261225", "tickers:BTC-USD-261225"),
        ],
    }


def test_a_listing_without_a_live_contract_wants_nothing() -> None:
    assert OKX.channels([page(contract("A-USDT-SWAP", "A-USDT", state="suspend")), page()], frozenset()) == {}


def test_one_page_lists_a_whole_type_and_two_types_are_listed() -> None:
    assert [OKX.next_page(request, SWAPS) for request in OKX.listing] == [None, None]
    assert OKX.listing == (
        Request("rest", "/api/v5/public/instruments?instType=SWAP"),
        Request("rest", "/api/v5/public/instruments?instType=FUTURES"),
    )


def test_liquidations_are_asked_for_by_type_and_everything_else_by_instrument_or_index() -> None:
    names = ["liquidation-orders:SWAP", "mark-price:BTC-USDT-SWAP", "index-tickers:BTC-USD"]
    assert json.loads(OKX.message("subscribe", names, "7")) == {
        "id": "7",
        "op": "subscribe",
        "args": [
            {"channel": "liquidation-orders", "instType": "SWAP"},
            {"channel": "mark-price", "instId": "BTC-USDT-SWAP"},
            {"channel": "index-tickers", "instId": "BTC-USD"},
        ],
    }


def test_the_longest_message_stays_below_64_kb() -> None:
    names = [f"open-interest:{'X' * 48}"] * OKX.limits.channels_per_message
    assert len(OKX.message("subscribe", names, "9" * 32)) < 32 << 10


def test_open_interest_and_funding_of_everything_are_polled_often_enough_for_a_replay() -> None:
    polls = OKX.polls([SWAPS], frozenset())
    assert polls == (
        Poll(
            (
                Request("rest", "/api/v5/public/open-interest?instType=SWAP"),
                Request("rest", "/api/v5/public/open-interest?instType=FUTURES"),
            ),
            every_s=15.0,
        ),
        Poll((Request("rest", "/api/v5/public/funding-rate?instId=ANY"),), every_s=60.0),
    )


@pytest.mark.parametrize(
    ("frame", "reply"),
    [
        (
            b'{"id":"1","event":"subscribe","arg":{"channel":"liquidation-orders","instType":"SWAP"},"connId":"a4d3"}',
            Reply("1", True, channel="liquidation-orders:SWAP"),
        ),
        (
            b'{"id":"2","event":"unsubscribe","arg":{"channel":"tickers","instId":"BTC-USDT-SWAP"},"connId":"a4d3"}',
            Reply("2", True, channel="tickers:BTC-USDT-SWAP"),
        ),
        (
            json.dumps({"id": "3", "event": "error", "msg": WRONG, "code": "60018", "connId": "a4d3"}).encode(),
            Reply("3", False, f"code 60018 {WRONG}", refused="tickers:OLD-USDT-SWAP", channel="tickers:OLD-USDT-SWAP"),
        ),
        (
            b'{"id":"4","event":"error","code":"60012","msg":"Invalid request: {}","connId":"a4d3"}',
            Reply("4", False, "code 60012 Invalid request: {}"),
        ),
        (b'{"event":"notice","code":"64008","msg":"The connection will soon be closed","connId":"a4d3"}', None),
        (b'{"event":"channel-conn-count","channel":"orders","connCount":"2","connId":"a4d3"}', None),
        (b'{"arg":{"channel":"tickers","instId":"BTC-USDT-SWAP"},"data":[]}', None),
        (b"pong", None),
        (b"<html>", None),
        (b"\xff\xfe", None),
        (b"[1]", None),
    ],
)
def test_each_channel_of_a_message_is_acknowledged_or_refused_by_itself(frame: bytes, reply: Reply | None) -> None:
    assert OKX.reply(frame) == reply


@pytest.mark.parametrize(
    ("frame", "announced"),
    [
        (b'{"event":"notice","code":"64008","msg":"The connection will soon be closed","connId":"a4d3"}', True),
        (b'{"event":"notice","code":"64000","msg":"something else","connId":"a4d3"}', False),
        (b'{"event":"subscribe","arg":{"channel":"tickers","instId":"64008"},"connId":"a4d3"}', False),
        (b'{"event":"notice","code":"64008"', False),
        (b'{"arg":{"channel":"tickers","instId":"A"},"data":[{"last":"64008"}]}', False),
        (b"pong", False),
    ],
)
def test_a_notice_with_its_code_announces_the_end_of_a_connection(frame: bytes, announced: bool) -> None:
    assert OKX.closing(frame) is announced


def test_a_code_other_than_zero_is_a_refusal_and_too_many_requests_ask_for_a_pause() -> None:
    assert OKX.refusal(b'{"code":"0","msg":"","data":[]}', {}) is None
    wrong = b'{"code":"51000","msg":"Parameter instType error","data":[]}'
    assert OKX.refusal(wrong, {}) == Refusal("code 51000 Parameter instType error")
    assert OKX.refusal(b'{"code":"50011","msg":"Too Many Requests"}', {}) == Refusal(
        "code 50011 Too Many Requests", wait_s=5.0
    )
    nonsense = OKX.refusal(b"<html>bad gateway</html>", {})
    assert nonsense
    assert nonsense.reason.startswith("not an answer of this exchange")


@pytest.mark.parametrize(
    ("frame", "sent_ms"),
    [
        (
            b'{"arg":{"channel":"mark-price","instId":"LTC-USD-190628"},"data":[{"instType":"FUTURES",'
            b'"instId":"LTC-USD-190628","markPx":"0.1","ts":"1597026383085"}]}',
            1597026383085,
        ),
        (
            b'{"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[{"details":[{"ts":"1692266434010"}],'
            b'"instId":"IOST-USDT-SWAP"}]}',
            0,
        ),
        (b'{"arg":{"channel":"funding-rate","instId":"A"},"data":[{"ts":"1700724675402"}]}', 0),
        (b'{"arg":{"channel":"tickers","instId":"A"},"data":[{"ts":"soon"}]}', 0),
        (b'{"event":"subscribe","arg":{"channel":"tickers","instId":"A"}}', 0),
        (b"pong", 0),
        (b"", 0),
        (b"\xff", 0),
    ],
)
def test_prices_and_trades_say_when_they_were_made_and_liquidations_do_not(frame: bytes, sent_ms: int) -> None:
    assert OKX.sent_ms(frame) == sent_ms


@pytest.mark.parametrize(
    ("feed", "frame"),
    [
        ("liquidations", b'{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{}]}'),
        ("prices", b'{"arg":{"channel":"index-tickers","instId":"BTC-USDT"},"data":[{}]}'),
        ("prices", b'{"arg":{"channel":"tickers","instId":"XRP-USDT-SWAP"},"data":[{}]}'),
        ("majors", b'{"arg":{"channel":"tickers","instId":"BTC-USDT-SWAP"},"data":[{}]}'),
    ],
)
def test_the_busy_channels_of_a_feed_prove_that_it_delivers(feed: str, frame: bytes) -> None:
    proofs = {each.name: each.proof for each in OKX.feeds}
    assert proofs[feed] in frame[:64]

"""What Bybit is asked, and how its answers are understood."""

from __future__ import annotations

import json
import time

import pytest

from producers.bybit import BYBIT
from producers.exchange import Refusal, Reply, Request

from .scripted import contract, page


def test_liquidations_and_tickers_of_all_contracts_and_trades_of_majors_are_wanted() -> None:
    pages = [
        page("linear", contract("BTCUSDT"), contract("1000PEPEUSDT", "1000PEPE"), contract("OLDUSDT", status="Closed")),
        page("linear", contract("BTCPERP", "BTC")),
        page("inverse", contract("XRPUSD", "XRP")),
    ]
    assert BYBIT.channels(pages, frozenset({"BTC", "PEPE"})) == {
        "linear": [
            *("allLiquidation.BTCUSDT", "tickers.BTCUSDT"),
            *("allLiquidation.1000PEPEUSDT", "tickers.1000PEPEUSDT"),
            *("allLiquidation.BTCPERP", "tickers.BTCPERP"),
        ],
        "linear-trades": ["publicTrade.BTCUSDT", "publicTrade.1000PEPEUSDT", "publicTrade.BTCPERP"],
        "inverse": ["allLiquidation.XRPUSD", "tickers.XRPUSD"],
        "inverse-trades": [],
    }


def test_the_cursor_goes_back_as_it_came_and_is_replaced_by_the_next_one() -> None:
    first = Request("rest", "/v5/market/instruments-info?category=linear&limit=1000")
    second = BYBIT.next_page(first, page("linear", cursor="a%3D1%26b"))
    assert second == Request("rest", f"{first.path}&cursor=a%3D1%26b")
    assert second
    assert BYBIT.next_page(second, page("linear", cursor="c")) == Request("rest", f"{first.path}&cursor=c")
    assert BYBIT.next_page(second, page("linear")) is None


def test_a_message_names_its_channels() -> None:
    said = json.loads(BYBIT.message("unsubscribe", ["tickers.BTCUSDT"], "7"))
    assert said == {"req_id": "7", "op": "unsubscribe", "args": ["tickers.BTCUSDT"]}


@pytest.mark.parametrize(
    ("frame", "reply"),
    [
        (b'{"success":true,"ret_msg":"","conn_id":"c","req_id":"1","op":"subscribe"}', Reply("1", True)),
        (
            b'{"success":false,"ret_msg":"error:handler not found,topic:x.BTCUSDT","req_id":"2","op":"subscribe"}',
            Reply("2", False, "error:handler not found,topic:x.BTCUSDT", refused="x.BTCUSDT"),
        ),
        (
            b'{"success":false,"ret_msg":"error:already subscribed,topic:x.BTCUSDT","req_id":"3","op":"subscribe"}',
            Reply("3", False, "error:already subscribed,topic:x.BTCUSDT", is_repeated=True),
        ),
        (b'{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"p1","op":"ping"}', None),
        (b'{"args":["1672916271846"],"op":"pong"}', None),
        (b'{"topic":"tickers.BTCUSDT","op":"subscribe","req_id":"1"}', None),
        (b"<html>", None),
        (b"\xff\xfe", None),
        (b"[1]", None),
    ],
)
def test_only_acknowledgements_are_replies(frame: bytes, reply: Reply | None) -> None:
    assert BYBIT.reply(frame) == reply


def test_a_code_other_than_zero_is_a_refusal_and_too_many_visits_says_how_long() -> None:
    assert BYBIT.refusal(b'{"retCode":0,"retMsg":"OK","result":{}}', {}) is None
    assert BYBIT.refusal(b'{"retCode":10001,"retMsg":"params error"}', {}) == Refusal("retCode 10001 params error")
    too_many = b'{"retCode":10006,"retMsg":"Too many visits!"}'
    assert BYBIT.refusal(too_many, {}) == Refusal("retCode 10006 Too many visits!", wait_s=5.0)
    reset_ms = str(int(time.time() * 1000) + 60_000)
    limited = BYBIT.refusal(too_many, {"X-Bapi-Limit-Reset-Timestamp": reset_ms})
    assert limited
    assert 50 < limited.wait_s <= 60


def test_an_answer_of_somebody_else_is_a_refusal() -> None:
    refusal = BYBIT.refusal(b"<html>bad gateway</html>", {})
    assert refusal
    assert refusal.reason.startswith("not an answer of this exchange")


@pytest.mark.parametrize(
    ("frame", "sent_ms"),
    [
        (b'{"topic":"tickers.BTCUSDT","type":"delta","data":{},"cs":7,"ts":1786659827983}', 1786659827983),
        (b'{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"p1","op":"ping"}', 0),
        (b'{"ts":"soon"}', 0),
        (b"", 0),
        (b"\xff", 0),
    ],
)
def test_data_says_when_it_was_made(frame: bytes, sent_ms: int) -> None:
    assert BYBIT.sent_ms(frame) == sent_ms

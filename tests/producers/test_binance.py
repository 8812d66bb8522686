"""What Binance is asked, and how its answers are understood."""

from __future__ import annotations

import json
from typing import Any

import pytest

from producers.binance import BINANCE
from producers.exchange import Poll, Refusal, Reply, Request

UM_MARKS = (
    b'{"stream":"!markPrice@arr@1s","data":[{"e":"markPriceUpdate","E":1790161527002,"s":"BTCUSDT","p":"85840.40",'
    b'"ap":"85840.40","P":"85863.42","i":"85882.44","r":"0.00005016","T":1790179200000,"st":1}]}'
)
CM_MARK = (
    b'{"stream":"btcusd_perp@markPrice@1s","data":{"e":"markPriceUpdate","E":1790373638000,"s":"BTCUSD_PERP",'
    b'"p":"83732.50","ap":"83732.50","P":"83805.72","i":"83786.17","r":"-0.00000573","T":1790380800000,"st":2}}'
)
TRADE = (
    b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1791391082024,"a":3478018549,"s":"BTCUSDT",'
    b'"p":"83434.40","q":"0.016","nq":"0.016","f":8154045700,"l":8154045704,"T":1791391081874,"m":true,"st":1}}'
)


def um(symbol: str, base: str, status: str = "TRADING") -> dict[str, Any]:
    return {"symbol": symbol, "baseAsset": base, "status": status, "quoteAsset": "USDT", "contractType": "PERPETUAL"}


def cm(symbol: str, base: str, status: str = "TRADING") -> dict[str, Any]:
    return {"symbol": symbol, "baseAsset": base, "contractStatus": status, "contractSize": 10}


def page(*contracts: dict[str, Any]) -> bytes:
    return json.dumps({"timezone": "UTC", "symbols": contracts}, ensure_ascii=False).encode()


PAGES = [
    page(
        um("BTCUSDT", "BTC"),
        um("1000PEPEUSDT", "1000PEPE"),
        um("XRPUSDT", "XRP"),
        um("币安人生USDT", "币安人生"),
        um("BTCUSDT_261225", "BTC"),
        um("OLDUSDT", "OLD", status="SETTLING"),
        um("HALTUSDT", "HALT", status="TRADING_HALT"),
    ),
    page(cm("BTCUSD_PERP", "BTC"), cm("XRPUSD_PERP", "XRP"), cm("BTCUSD_261225", "BTC", status="PENDING_TRADING")),
]


def test_all_liquidations_come_by_one_channel_and_streams_are_named_in_lower_case() -> None:
    assert BINANCE.channels(PAGES, frozenset({"BTC", "PEPE"})) == {
        "market": ("!forceOrder@arr", "!markPrice@arr@1s", "!miniTicker@arr"),
        "trades": ["btcusdt@aggTrade", "1000pepeusdt@aggTrade", "btcusdt_261225@aggTrade"],
        "cm": ["btcusd_perp@markPrice@1s", "xrpusd_perp@markPrice@1s", "btcusd_perp@aggTrade"],
    }


def test_a_listing_without_a_contract_that_trades_wants_nothing() -> None:
    assert BINANCE.channels([page(um("OLDUSDT", "OLD", status="CLOSE")), page()], frozenset({"OLD"})) == {}


def test_liquidations_are_asked_for_once_and_on_a_routed_path() -> None:
    feeds = {feed.name: (feed.host, feed.path, feed.other_path) for feed in BINANCE.feeds}
    assert feeds == {
        "market": ("ws", "/market/stream", ""),
        "trades": ("ws", "/market/stream", ""),
        "cm": ("ws_cm", "/stream", "/market/stream"),
    }
    assert {feed.host for feed in BINANCE.feeds} < BINANCE.hosts.keys()


def test_each_feed_is_proven_by_its_busiest_channel_and_by_nothing_else() -> None:
    proofs = {feed.name: feed.proof for feed in BINANCE.feeds}
    seen = {name: [proof in frame for frame in (UM_MARKS, TRADE, CM_MARK)] for name, proof in proofs.items()}
    assert seen == {"market": [True, False, False], "trades": [False, True, False], "cm": [False, False, True]}


def test_one_page_lists_a_whole_market() -> None:
    assert BINANCE.listing == (Request("rest", "/fapi/v1/exchangeInfo"), Request("rest_cm", "/dapi/v1/exchangeInfo"))
    assert [BINANCE.next_page(request, PAGES[0]) for request in BINANCE.listing] == [None, None]


def test_open_interest_is_asked_for_by_symbol_and_for_majors_more_often() -> None:
    majors, others, *rest = BINANCE.polls(PAGES, frozenset({"BTC"}))
    assert majors == Poll(
        (
            Request("rest", "/fapi/v1/openInterest?symbol=BTCUSDT"),
            Request("rest", "/fapi/v1/openInterest?symbol=BTCUSDT_261225"),
            Request("rest_cm", "/dapi/v1/openInterest?symbol=BTCUSD_PERP"),
        ),
        every_s=15.0,
    )
    assert others == Poll(
        (
            Request("rest", "/fapi/v1/openInterest?symbol=1000PEPEUSDT"),
            Request("rest", "/fapi/v1/openInterest?symbol=XRPUSDT"),
            Request("rest", "/fapi/v1/openInterest?symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT"),
            Request("rest_cm", "/dapi/v1/openInterest?symbol=XRPUSD_PERP"),
        ),
        every_s=60.0,
    )
    assert rest == [
        Poll((request,), every_s=300.0)
        for request in (
            Request("rest", "/fapi/v1/fundingInfo"),
            Request("rest_cm", "/dapi/v1/fundingInfo"),
            Request("rest", "/fapi/v1/premiumIndex"),
            Request("rest_cm", "/dapi/v1/premiumIndex"),
        )
    ]


def test_a_message_names_its_channels_and_its_id_is_a_number() -> None:
    said = BINANCE.message("subscribe", ["!forceOrder@arr", "币安人生usdt@aggTrade"], "7")
    assert said == '{"method":"SUBSCRIBE","params":["!forceOrder@arr","币安人生usdt@aggTrade"],"id":7}'


@pytest.mark.parametrize(
    ("frame", "reply"),
    [
        (b'{"result":null,"id":1}', Reply("1", True)),
        (b'{"id":1,"result":null}', Reply("1", True)),
        (b'{"result":["btcusdt@aggTrade"],"id":3}', Reply("3", True)),
        (
            b'{"error":{"code":2,"msg":"Invalid request: unknown variant"},"id":1}',
            Reply("1", False, "code 2 Invalid request: unknown variant"),
        ),
        (b'{"code":4,"msg":"Too many subscriptions","id":2}', Reply("2", False, "code 4 Too many subscriptions")),
        (b'{"code":3,"msg":"Invalid JSON"}', Reply("", False, "code 3 Invalid JSON")),
        (b'{"error":{"code":3,"msg":"Invalid JSON"}}', Reply("", False, "code 3 Invalid JSON")),
        (b'{"result":null}', None),
        (UM_MARKS, None),
        (TRADE, None),
        (b'{"E":1,"e":"aggTrade","id":1}', None),
        (b'[{"e":"markPriceUpdate"}]', None),
        (b"<html>", None),
        (b"\xff\xfe", None),
    ],
)
def test_only_acknowledgements_are_replies(frame: bytes, reply: Reply | None) -> None:
    assert BINANCE.reply(frame) == reply


@pytest.mark.parametrize(
    ("frame", "sent_ms"),
    [
        (UM_MARKS, 1790161527002),
        (CM_MARK, 1790373638000),
        (TRADE, 1791391082024),
        (b'{"e":"forceOrder","E":1791435250143,"o":{"s":"XRPUSDT","T":1791435249136}}', 1791435250143),
        (b'{"result":null,"id":1}', 0),
        (b"", 0),
        (b"\xff", 0),
    ],
)
def test_data_says_when_it_was_pushed(frame: bytes, sent_ms: int) -> None:
    assert BINANCE.sent_ms(frame) == sent_ms


def test_a_code_is_a_refusal_and_data_is_none() -> None:
    assert BINANCE.refusal(b'{"code":-1121,"msg":"Invalid symbol."}', {}) == Refusal("code -1121 Invalid symbol.")
    too_many = Refusal("code -1003 Too many requests.", wait_s=60.0)
    assert BINANCE.refusal(b'{"code":-1003,"msg":"Too many requests."}', {}) == too_many
    assert BINANCE.refusal(b'{"openInterest":"10659.509","symbol":"BTCUSDT","time":1589437530011}', {}) is None
    assert BINANCE.refusal(b"[]", {}) is None
    refusal = BINANCE.refusal(b"<html>bad gateway</html>", {})
    assert refusal
    assert refusal.reason.startswith("not an answer of this exchange")


@pytest.mark.parametrize(("used", "pause_s"), [("1", 0.0), ("1920", 0.0), ("1921", 10.0), ("", 0.0), ("many", 0.0)])
def test_requests_rest_once_four_fifths_of_the_weight_are_used(used: str, pause_s: float) -> None:
    assert BINANCE.pause_s({"X-MBX-USED-WEIGHT-1M": used}) == pause_s
    assert BINANCE.pause_s({}) == 0.0

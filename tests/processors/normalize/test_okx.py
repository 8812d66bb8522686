"""OKX's sides, units, prices and clocks, computed by hand from the evidence in tests/fixtures/okx/SOURCES.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from processors.normalize.bounded import SYMBOLS_MAX
from processors.normalize.facts import BadFrame, Fact, Frame, Quote, Trade
from processors.normalize.okx import Okx
from schemas.identity import liquidation_id
from schemas.raw import SourceKind
from schemas.records import (
    Channel,
    ContractKind,
    Funding,
    FundingKind,
    Instrument,
    Liquidation,
    NativeUnit,
    OpenInterest,
    Position,
    PriceKind,
    QuantityKind,
    SourceQuality,
)

T = 1_790_000_000_000
PUBLIC = "wss://ws.okx.com:8443/ws/v5/public"
API = "GET https://openapi.okx.com/api/v5/"
NEXT_FUNDING = T + 6_400_000
HOUR = 3_600_000
Row = dict[str, Any]


def frame(message: object, url: str = PUBLIC, connection: str = "socket") -> Frame:
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    kind = SourceKind.REST if url.startswith("GET ") else SourceKind.FRAME
    return Frame(payload, T + 1_000, kind, url, connection, partition=2, offset=70, index=3)


def pushed(channel: str, *rows: Row, connection: str = "socket") -> Frame:
    return frame({"arg": {"channel": channel, "instId": "any"}, "data": rows}, connection=connection)


def answer(path: str, *rows: Row, code: str = "0", message: str = "") -> Frame:
    return frame({"code": code, "msg": message, "data": rows}, API + path, connection="")


def detail(side: str = "sell", pos_side: str = "long", price: str = "64000.0", size: str = "25", ts: int = T) -> Row:
    return {"bkLoss": "0", "bkPx": price, "ccy": "", "posSide": pos_side, "side": side, "sz": size, "ts": str(ts)}


def of(symbol: str, *details: Row, kind: str = "") -> Row:
    kind = kind or ("SWAP" if symbol.endswith("-SWAP") else "FUTURES")
    return {"details": details, "instFamily": "any", "instId": symbol, "instType": kind, "uly": "any"}


def liquidated(*rows: Row) -> Frame:
    return frame({"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": rows})


def listed(symbol: str, value: str, unit: str, settle: str = "USDT", **changes: str) -> Row:
    return {
        "instId": symbol,
        "instType": "SWAP" if symbol.endswith("-SWAP") else "FUTURES",
        "uly": "-".join(symbol.split("-")[:2]),
        "ctType": "inverse" if unit == "USD" else "linear",
        "ctVal": value,
        "ctMult": "1",
        "ctValCcy": unit,
        "settleCcy": settle,
        "baseCcy": "",
        "quoteCcy": "",
        "tickSz": "0.1",
        "lotSz": "0.01",
        "lever": "100",
        "expTime": "",
        "state": "live",
        "ruleType": "normal",
    } | changes


def listing(*rows: Row, kind: str = "SWAP") -> Frame:
    return answer(f"public/instruments?instType={kind}", *rows)


def knowing(*rows: Row) -> Okx:
    okx = Okx()
    for kind in ("SWAP", "FUTURES"):
        okx.normalize(listing(*(row for row in rows if row["instType"] == kind), kind=kind))
    return okx


def mark(symbol: str, price: str, ts: int = T, connection: str = "socket") -> Frame:
    return pushed("mark-price", {"instId": symbol, "markPx": price, "ts": str(ts)}, connection=connection)


def interest(symbol: str, contracts: str, ts: int = T) -> Row:
    return {"instId": symbol, "instType": "SWAP", "oi": contracts, "oiCcy": "7", "oiUsd": "7", "ts": str(ts)}


def index(name: str, price: str) -> Frame:
    return pushed("index-tickers", {"instId": name, "idxPx": price, "ts": str(T)})


def ids(facts: Sequence[Fact]) -> list[str]:
    return [fact.id for fact in facts if isinstance(fact, Liquidation)]


def open_interests(facts: Sequence[Fact]) -> list[tuple[float, float | None, float | None]]:
    return [
        (fact.open_interest_native, fact.open_interest_base, fact.open_interest_usd)
        for fact in facts
        if isinstance(fact, OpenInterest)
    ]


BTCUSDT = listed("BTC-USDT-SWAP", "0.01", "BTC")
BTCUSDC = listed("BTC-USDC-SWAP", "0.0001", "BTC", "USDC")
BTCUSD = listed("BTC-USD-SWAP", "100", "USD", "BTC")
DOGE = listed("DOGE-USDT-SWAP", "1000", "DOGE")
SHIB = listed("SHIB-USDT-SWAP", "1000000", "SHIB")
SATS = listed("1000SATS-USDT-SWAP", "10000", "1000SATS")
ETHBTC = listed("ETH-BTC-SWAP", "0.1", "ETH", "BTC")
DATED = listed("BTC-USDT-261225", "0.01", "BTC", expTime=str(T + 1))
DATED_INVERSE = listed("BTC-USD-261225", "100", "USD", "BTC", expTime=str(T + 1))
XPERP = listed("BTC-USD_UM_XPERP-310404", "0.001", "BTC", "USD", uly="BTC-USD_UM", ruleType="xperp")


def test_every_field_of_a_liquidation_has_its_meaning() -> None:
    assert knowing(BTCUSDT).normalize(liquidated(of("BTC-USDT-SWAP", detail()))) == [
        Liquidation(
            exchange="okx",
            symbol="BTC-USDT-SWAP",
            asset="BTC",
            event_ms=T,
            received_ms=T + 1_000,
            id=liquidation_id("okx", "SWAP", "BTC-USDT-SWAP", "sell long", "64000.0", "25", str(T), "", 0),
            position=Position.LONG,
            price=64_000,
            price_native=64_000,
            price_kind=PriceKind.BANKRUPTCY,
            quantity_base=0.25,
            quantity_kind=QuantityKind.FILLED,
            quantity_native=25,
            native_unit=NativeUnit.CONTRACTS,
            notional_usd=16_000,
            source_quality=SourceQuality.SAMPLED,
            raw_partition=2,
            raw_offset=70,
            raw_index=3,
            revision=1,
        )
    ]


@pytest.mark.parametrize(
    ("symbol", "contracts", "price", "asset", "price_of_coin", "coins", "usd"),
    [
        ("BTC-USDT-SWAP", "0.5", "64000", "BTC", 64_000, 0.005, 320),
        ("BTC-USDC-SWAP", "2500", "64000", "BTC", 64_000, 0.25, 16_000),
        ("BTC-USD-SWAP", "20", "62500", "BTC", 62_500, 0.032, 2_000),
        ("DOGE-USDT-SWAP", "3.2", "0.125", "DOGE", 0.125, 3_200, 400),
        ("SHIB-USDT-SWAP", "12.5", "0.000008", "SHIB", 0.000008, 12_500_000, 100),
        ("1000SATS-USDT-SWAP", "2", "0.5", "SATS", 0.0005, 20_000_000, 10_000),
        ("ETH-BTC-SWAP", "20", "0.04", "ETH", 0.04, 2, None),
        ("BTC-USDT-261225", "2", "65000", "BTC", 65_000, 0.02, 1_300),
        ("BTC-USD-261225", "6.4", "64000", "BTC", 64_000, 0.01, 640),
        ("BTC-USD_UM_XPERP-310404", "500", "64000", "BTC", 64_000, 0.5, 32_000),
    ],
)
def test_contracts_are_coins_or_dollars_as_their_instrument_proves(
    symbol: str, contracts: str, price: str, asset: str, price_of_coin: float, coins: float, usd: float | None
) -> None:
    okx = knowing(BTCUSDT, BTCUSDC, BTCUSD, DOGE, SHIB, SATS, ETHBTC, DATED, DATED_INVERSE, XPERP)
    (fact,) = okx.normalize(liquidated(of(symbol, detail(price=price, size=contracts))))
    assert isinstance(fact, Liquidation)
    assert (fact.asset, fact.price, fact.quantity_base, fact.notional_usd) == (asset, price_of_coin, coins, usd)
    assert (fact.price_native, fact.quantity_native, fact.native_unit) == (
        float(price),
        float(contracts),
        NativeUnit.CONTRACTS,
    )


@pytest.mark.parametrize(
    ("symbol", "asset", "price"),
    [
        ("BTC-USDT-SWAP", "BTC", 0.5),
        ("BTC-USD-SWAP", "BTC", 0.5),
        ("1000SATS-USDT-SWAP", "SATS", 0.0005),
        ("LTC-USD-190628", "LTC", 0.5),
        ("BTC-USD_UM_XPERP-310404", "BTC", 0.5),
    ],
)
def test_of_an_unknown_instrument_only_the_coin_is_told_and_it_waits_for_nothing(
    symbol: str, asset: str, price: float
) -> None:
    (fact,) = Okx().normalize(liquidated(of(symbol, detail(price="0.5"))))
    assert isinstance(fact, Liquidation)
    assert (fact.asset, fact.price, fact.quantity_base, fact.notional_usd) == (asset, price, None, None)


@pytest.mark.parametrize(
    ("side", "pos_side", "position"),
    [
        ("sell", "long", Position.LONG),
        ("buy", "short", Position.SHORT),
        ("sell", "net", Position.LONG),
        ("buy", "net", Position.SHORT),
        ("sell", "", Position.LONG),
        ("buy", "", Position.SHORT),
        ("", "long", Position.LONG),
        ("", "short", Position.SHORT),
    ],
)
def test_the_position_is_said_or_follows_from_the_order(side: str, pos_side: str, position: Position) -> None:
    (fact,) = Okx().normalize(liquidated(of("BTC-USDT-SWAP", detail(side, pos_side))))
    assert isinstance(fact, Liquidation)
    assert fact.position is position


@pytest.mark.parametrize(("side", "pos_side"), [("buy", "long"), ("sell", "short"), ("", "net"), ("", "")])
def test_two_positions_or_none_make_the_whole_frame_bad(side: str, pos_side: str) -> None:
    reason = f"side is '{side}' and posSide '{pos_side}', expected one position"
    with pytest.raises(BadFrame, match=reason):
        Okx().normalize(liquidated(of("BTC-USDT-SWAP", detail(), detail(side, pos_side))))


def test_a_frame_tells_of_several_instruments_and_several_of_each_not_in_order() -> None:
    facts = Okx().normalize(
        liquidated(
            of("BTC-USDT-SWAP", detail(ts=T), detail("buy", "short", ts=T - 80_000_000)),
            of("BTC-USD-SWAP", detail(ts=T - 1)),
        )
    )
    assert [(fact.symbol, fact.event_ms) for fact in facts] == [
        ("BTC-USDT-SWAP", T),
        ("BTC-USDT-SWAP", T - 80_000_000),
        ("BTC-USD-SWAP", T - 1),
    ]


def test_equals_in_one_frame_are_different_liquidations_and_elsewhere_the_same() -> None:
    okx = Okx()
    twins = ids(okx.normalize(liquidated(of("BTC-USDT-SWAP", detail(), detail(size="25.0"), detail()))))
    assert len(set(twins)) == 3
    again = ids(okx.normalize(liquidated(of("BTC-USDT-SWAP", detail()))))
    elsewhere = ids(okx.normalize(liquidated(of("BTC-USD-SWAP", detail()))))
    assert again == twins[:1]
    assert not set(elsewhere) & set(twins)


def test_the_same_liquidation_has_the_same_id_over_rest() -> None:
    row = of("BTC-USDT-SWAP", detail(), detail("buy", "short"))
    path = "public/liquidation-orders?instType=SWAP&instFamily=BTC-USDT&state=filled"
    old = of("BTC-USDT-SWAP", *(one | {"time": one["ts"]} for one in row["details"])) | {"totalLoss": "0"}
    stream, rest = Okx().normalize(liquidated(row)), Okx().normalize(answer(path, old))
    assert ids(stream) == ids(rest)
    assert [fact.channel for fact in (*stream, *rest) if isinstance(fact, Liquidation)] == [
        *(Channel.STREAM, Channel.STREAM),
        *(Channel.REST, Channel.REST),
    ]


def test_margin_loans_and_options_are_no_facts() -> None:
    blank = detail("", "", price="", size="")
    assert Okx().normalize(liquidated(of("BTC-USDT", blank, kind="MARGIN"))) == []
    assert Okx().normalize(liquidated(of("BTC-USD-261225-70000-C", blank, kind="OPTION"))) == []


def test_an_instrument_is_a_fact_when_it_is_new_or_changed() -> None:
    okx = Okx()
    fact = Instrument(
        exchange="okx",
        symbol="BTC-USD-SWAP",
        asset="BTC",
        event_ms=T + 1_000,
        received_ms=T + 1_000,
        kind=ContractKind.INVERSE,
        base="BTC",
        quote="USD",
        settle="BTC",
        scale=1,
        multiplier=100,
        multiplier_unit=NativeUnit.USD,
        is_perpetual=True,
        tick_size=0.1,
        quantity_step=0.01,
        max_leverage=100,
        status="live",
        valid_from_ms=T + 1_000,
    )
    assert okx.normalize(listing(BTCUSD)) == [fact]
    assert okx.normalize(listing(BTCUSD)) == []
    (changed,) = okx.normalize(listing(BTCUSD | {"ctMult": "2", "state": "suspend"}))
    assert isinstance(changed, Instrument)
    assert (changed.multiplier, changed.status) == (200, "suspend")


@pytest.mark.parametrize(
    ("row", "meaning"),
    [
        (BTCUSDT, (ContractKind.LINEAR, "BTC", "USDT", 1, 0.01, NativeUnit.BASE, True, None)),
        (SATS, (ContractKind.LINEAR, "1000SATS", "USDT", 1_000, 10_000, NativeUnit.BASE, True, None)),
        (DATED_INVERSE, (ContractKind.INVERSE, "BTC", "USD", 1, 100, NativeUnit.USD, False, T + 1)),
        (XPERP, (ContractKind.LINEAR, "BTC", "USD", 1, 0.001, NativeUnit.BASE, True, None)),
    ],
)
def test_the_underlying_names_base_and_quote_of_a_contract(row: Row, meaning: tuple[object, ...]) -> None:
    (fact,) = Okx().normalize(listing(row, kind=row["instType"]))
    assert isinstance(fact, Instrument)
    assert meaning == (
        *(fact.kind, fact.base, fact.quote, fact.scale, fact.multiplier, fact.multiplier_unit),
        *(fact.is_perpetual, fact.expiry_ms),
    )


@pytest.mark.parametrize(
    "row",
    [
        BTCUSDT | {"ctVal": "", "ctType": "", "state": "preopen"},
        BTCUSDT | {"ctValCcy": "USDT"},
        BTCUSD | {"ctValCcy": "BTC"},
        BTCUSDT | {"uly": ""},
        BTCUSDT | {"instType": "OPTION"},
    ],
)
def test_a_row_that_proves_nothing_leaves_the_other_rows_alone(row: Row) -> None:
    assert [fact.symbol for fact in Okx().normalize(listing(row, DOGE))] == ["DOGE-USDT-SWAP"]


def test_open_interest_is_contracts_of_one_side_valued_at_the_newest_mark_price() -> None:
    okx = knowing(BTCUSDT, BTCUSD, ETHBTC)
    row = interest("BTC-USDT-SWAP", "2000.5")
    assert open_interests(okx.normalize(pushed("open-interest", row))) == [(2000.5, 20.005, None)]
    for symbol, price in (("BTC-USDT-SWAP", "64000"), ("BTC-USD-SWAP", "62500"), ("ETH-BTC-SWAP", "0.04")):
        okx.normalize(mark(symbol, price))
    okx.normalize(mark("BTC-USDT-SWAP", "1", ts=T - 1))
    rows = (row, interest("BTC-USD-SWAP", "1250"), interest("ETH-BTC-SWAP", "70"), interest("BTC-USD-SWAP", ""))
    facts = okx.normalize(answer("public/open-interest?instType=SWAP", *rows))
    assert open_interests(facts) == [(2000.5, 20.005, 1_280_320), (1_250, 2, 125_000), (70, 7, None)]
    assert {(fact.channel, fact.native_unit) for fact in facts if isinstance(fact, OpenInterest)} == {
        (Channel.REST, NativeUnit.CONTRACTS)
    }


def test_the_mark_price_is_forgotten_with_its_connection() -> None:
    okx = knowing(BTCUSDT)
    okx.normalize(mark("BTC-USDT-SWAP", "64000"))
    okx.disconnected("another")
    row = interest("BTC-USDT-SWAP", "100")
    assert open_interests(okx.normalize(pushed("open-interest", row))) == [(100, 1, 64_000)]
    okx.disconnected("socket")
    assert open_interests(okx.normalize(pushed("open-interest", row))) == [(100, 1, None)]


def test_an_index_is_a_quote_of_every_live_contract_that_follows_it() -> None:
    okx = Okx()
    assert okx.normalize(index("BTC-USD", "64000")) == []
    okx = knowing(BTCUSDT, BTCUSD, DATED_INVERSE, XPERP, listed("BTC-USD-261226", "100", "USD", state="expired"))
    assert okx.normalize(index("BTC-USD", "64000")) == [
        Quote("BTC-USD-SWAP", "BTC", T, None, 64_000, None),
        Quote("BTC-USD-261225", "BTC", T, None, 64_000, None),
        Quote("BTC-USD_UM_XPERP-310404", "BTC", T, None, 64_000, None),
    ]
    assert okx.normalize(index("BTC-EUR", "60000")) == []
    assert okx.normalize(index("BTC-USD", "0")) == []


def test_a_contract_that_the_listing_of_its_type_leaves_out_follows_no_index_any_more() -> None:
    okx = knowing(BTCUSD, DATED_INVERSE, XPERP)
    okx.normalize(listing(XPERP, kind="FUTURES"))
    okx.normalize(answer("public/instruments?instType=FUTURES&instId=BTC-USD-261225", DATED_INVERSE))
    assert [fact.symbol for fact in okx.normalize(index("BTC-USD", "64000"))] == [
        "BTC-USD-SWAP",
        "BTC-USD_UM_XPERP-310404",
    ]


def test_marks_and_last_prices_are_those_of_one_coin_and_none_where_there_is_none_yet() -> None:
    okx = Okx()
    ticker = {"instId": "BTC-USDT-SWAP", "last": "64000.1", "ts": str(T)}
    assert okx.normalize(mark("1000SATS-USDT-SWAP", "0.5")) == [
        Quote("1000SATS-USDT-SWAP", "SATS", T, 0.0005, None, None)
    ]
    assert okx.normalize(mark("BTC-USDT-SWAP", "0")) == []
    assert okx.normalize(pushed("tickers", ticker)) == [Quote("BTC-USDT-SWAP", "BTC", T, None, None, 64_000.1)]
    assert okx.normalize(pushed("tickers", ticker | {"last": ""})) == []
    assert len(okx.normalize(answer("market/tickers?instType=SWAP", ticker, ticker))) == 2


def test_funding_is_predicted_for_its_time_and_the_time_after_that_tells_the_interval() -> None:
    row = {
        "instId": "BTC-USDT-SWAP",
        "fundingRate": "-0.0002",
        "fundingTime": str(NEXT_FUNDING),
        "nextFundingTime": str(NEXT_FUNDING + 4 * HOUR),
        "nextFundingRate": "",
        "settFundingRate": "0.9",
        "ts": str(T),
    }
    common: dict[str, Any] = {
        "exchange": "okx",
        "symbol": "BTC-USDT-SWAP",
        "asset": "BTC",
        "event_ms": T,
        "received_ms": T + 1_000,
        "kind": FundingKind.PREDICTED,
        "rate": -0.0002,
    }
    told = Funding(
        interval_hours=4,
        rate_8h=-0.0004,
        rate_year=-0.438,
        next_funding_ms=NEXT_FUNDING,
        channel=Channel.STREAM,
        **common,
    )
    assert Okx().normalize(pushed("funding-rate", row)) == [told]
    blank = row | {"nextFundingTime": "", "fundingTime": ""}
    path = "public/funding-rate?instId=ANY"
    assert Okx().normalize(answer(path, blank, row | {"fundingRate": ""})) == [Funding(channel=Channel.REST, **common)]


def test_settled_funding_is_told_oldest_first_without_an_interval() -> None:
    rows = [
        {"instId": "BTC-USDT-SWAP", "fundingRate": "0.9", "realizedRate": rate, "fundingTime": str(at)}
        for rate, at in (("0.0002", T - HOUR), ("", T - 2 * HOUR), ("-0.0001", T - 9 * HOUR))
    ]
    facts = Okx().normalize(answer("public/funding-rate-history?instId=BTC-USDT-SWAP", *rows))
    assert [
        (fact.kind, fact.event_ms, fact.rate, fact.interval_hours, fact.rate_8h)
        for fact in facts
        if isinstance(fact, Funding)
    ] == [
        (FundingKind.SETTLED, T - 9 * HOUR, -0.0001, None, None),
        (FundingKind.SETTLED, T - HOUR, 0.0002, None, None),
    ]


def test_a_trade_has_the_takers_side_and_counts_contracts() -> None:
    row = {"instId": "BTC-USDT-SWAP", "tradeId": "7", "px": "64000", "sz": "50", "side": "buy", "ts": str(T)}
    inverse = row | {"instId": "BTC-USD-SWAP", "tradeId": "8", "px": "62500", "sz": "0.5", "side": "sell"}
    assert knowing(BTCUSDT, BTCUSD).normalize(pushed("trades", row, inverse)) == [
        Trade("BTC-USDT-SWAP", "BTC", T, True, 64_000, 0.5, 32_000, "7", 7),
        Trade("BTC-USD-SWAP", "BTC", T, False, 62_500, 0.0008, 50, "8", 8),
    ]
    assert Okx().normalize(pushed("trades", row)) == [
        Trade("BTC-USDT-SWAP", "BTC", T, True, 64_000, None, None, "7", 7),
    ]


@pytest.mark.parametrize(
    "message",
    [
        b"pong",
        {"id": "1", "event": "subscribe", "arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "connId": "c"},
        {"event": "unsubscribe", "arg": {"channel": "tickers", "instId": "BTC-USDT-SWAP"}, "connId": "c"},
        {"event": "error", "code": "60018", "msg": "Wrong URL or channel:books,instId:X doesn't exist.", "connId": "c"},
        {"event": "notice", "code": "64008", "msg": "The connection will soon be closed.", "connId": "c"},
        {"event": "channel-conn-count", "channel": "orders", "connCount": "2", "connId": "c"},
        {"event": "channel-conn-count-error", "channel": "orders", "connCount": "30", "connId": "c"},
    ],
)
def test_control_frames_are_no_facts_even_with_an_arg(message: object) -> None:
    assert Okx().normalize(frame(message)) == ()


@pytest.mark.parametrize(
    ("bad", "channel", "reason"),
    [
        (liquidated(of("BTC-USDT-SWAP", detail("Sell"))), "liquidation-orders", r"'Sell' - at `\$\[0\]\.details\[0\]"),
        (liquidated(of("BTC-USDT-SWAP", detail(size="0"))), "liquidation-orders", "number is '0', expected"),
        (liquidated(of("BTC-USDT-SWAP", detail(price=""))), "liquidation-orders", "number is '', expected"),
        (liquidated(of("BTC-USDT-SWAP", detail(ts=T + 61_001))), "liquidation-orders", "expected milliseconds"),
        (liquidated(of("BTC-USDT", detail(), kind="SWAP")), "liquidation-orders", "instId is 'BTC-USDT', expected its"),
        (liquidated(of("BTC-USDT-SWAP", detail(), kind="EVENTS")), "liquidation-orders", "Invalid enum value 'EVENTS'"),
        (mark("BTC-USDT-SWAP", "-1"), "mark-price", "Expected `float` >= 0.0"),
        (pushed("books", {}), "books", "channel is 'books', expected one of liquidation-orders"),
        (frame({"event": "login", "code": "0"}), "", "event is 'login', expected one of channel-conn-count"),
        (frame({}), "", "expected pong, an event, an arg or a code"),
        (answer("public/open-interest", code="50011", message="Busy"), "public/open-interest", "code is 50011 .'Busy'"),
        (answer("public/time", {"ts": "1"}), "public/time", "the request is not known and rows fit"),
        (frame(b"<html>", API + "public/instruments?instType=SWAP"), "public/instruments", "seen: <html>"),
    ],
)
def test_a_bad_frame_says_what_was_seen_and_what_was_expected(bad: Frame, channel: str, reason: str) -> None:
    with pytest.raises(BadFrame, match=reason) as raised:
        Okx().normalize(bad)
    assert raised.value.channel == channel


def test_one_bad_row_makes_the_frame_bad_and_leaves_the_state_as_it_was() -> None:
    okx = Okx()
    row = {"instId": "BTC-USDT-SWAP", "markPx": "64000", "ts": str(T)}
    for bad in (listing(BTCUSDT, DOGE | {"ctVal": "-1"}), pushed("mark-price", row, row | {"instId": "BTC"})):
        with pytest.raises(BadFrame):
            okx.normalize(bad)
    assert okx.state() == Okx().state()


def test_the_oldest_symbols_leave_when_there_are_too_many() -> None:
    okx = knowing(*(listed(f"A{number}-USDT-SWAP", "1", f"A{number}") for number in range(SYMBOLS_MAX)))
    okx.normalize(listing(BTCUSDT))
    values = [
        okx.normalize(liquidated(of(symbol, detail(price="2", size="3"))))[0]
        for symbol in ("A0-USDT-SWAP", "A1-USDT-SWAP", "BTC-USDT-SWAP")
    ]
    assert [fact.notional_usd for fact in values if isinstance(fact, Liquidation)] == [None, 6, 0.06]


@pytest.mark.parametrize(
    ("channel", "stream"),
    [
        ("liquidation-orders:SWAP", "liquidations"),
        ("mark-price:BTC-USDT-SWAP", "quotes"),
        ("index-tickers:BTC-USD", "quotes"),
        ("tickers", "quotes"),
        ("trades:BTC-USDT-SWAP", "trades"),
        ("open-interest:BTC-USDT-SWAP", "open-interest"),
        ("public/open-interest", "open-interest"),
        ("public/funding-rate-history", "funding"),
        ("public/instruments", ""),
        ("books:BTC-USDT", ""),
        ("", ""),
    ],
)
def test_a_channel_or_an_endpoint_feeds_a_stream(channel: str, stream: str) -> None:
    assert Okx().stream_of(channel) == stream


def test_a_listed_id_of_another_form_is_proven_by_its_instrument() -> None:
    odd = listed("BTC-USD_UM_XPERP_V2-1-310404", "0.001", "BTC", uly="BTC-USD_UM", ruleType="xperp")
    (fact,) = knowing(odd).normalize(liquidated(of(odd["instId"], detail())))
    assert isinstance(fact, Liquidation)
    assert (fact.asset, fact.quantity_base) == ("BTC", 0.025)


def test_a_contract_has_the_base_it_counts_whatever_its_underlying_was_called() -> None:
    (fact,) = Okx().normalize(listing(listed("NEW-USDT-SWAP", "1", "NEW", uly="OLD-USDT")))
    assert isinstance(fact, Instrument)
    assert (fact.base, fact.quote, fact.asset, fact.multiplier) == ("NEW", "USDT", "NEW", 1)


def test_a_mark_price_older_than_the_one_known_is_no_fact() -> None:
    okx = knowing(BTCUSDT)
    assert [len(okx.normalize(mark("BTC-USDT-SWAP", "64000", ts))) for ts in (T, T - 1, T)] == [1, 0, 1]


def test_an_open_interest_is_not_valued_at_a_price_of_another_time() -> None:
    okx = knowing(BTCUSDT)
    okx.normalize(mark("BTC-USDT-SWAP", "64000", T - 600_001))
    late = open_interests(okx.normalize(pushed("open-interest", interest("BTC-USDT-SWAP", "100"))))
    okx.normalize(mark("BTC-USDT-SWAP", "64000"))
    now = open_interests(okx.normalize(pushed("open-interest", interest("BTC-USDT-SWAP", "100"))))
    assert (late, now) == ([(100, 1, None)], [(100, 1, 64_000)])

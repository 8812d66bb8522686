"""Bybit's sides, units, prices and clocks, computed by hand from the evidence in tests/fixtures/bybit/SOURCES.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from processors.normalize.bounded import SYMBOLS_MAX
from processors.normalize.bybit import Bybit
from processors.normalize.facts import BadFrame, Fact, Frame, Quote, Trade
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
LINEAR = "wss://stream.bybit.com/v5/public/linear"
INVERSE = "wss://stream.bybit.com/v5/public/inverse"
MARKET = "GET https://api.bybit.com/v5/market/"
NEXT_FUNDING = T + 6_400_000


def frame(message: object, url: str = LINEAR, connection: str = "socket", received_ms: int = T + 1_000) -> Frame:
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    kind = SourceKind.REST if url.startswith("GET ") else SourceKind.FRAME
    return Frame(payload, received_ms, kind, url, connection, partition=1, offset=70, index=3)


def pushed(topic: str, data: object, url: str = LINEAR, **changes: Any) -> Frame:
    connection = changes.pop("connection", "socket")
    return frame({"topic": topic, "type": "snapshot", "ts": T, "data": data} | changes, url, connection)


def liquidated(*prints: dict[str, Any], url: str = LINEAR) -> Frame:
    return pushed("allLiquidation.ANY", list(prints), url)


def a_print(
    symbol: str = "BTCUSDT", side: str = "Buy", quantity: str = "0.25", price: str = "64000.00"
) -> dict[str, Any]:
    return {"T": T - 300, "s": symbol, "S": side, "v": quantity, "p": price}


def ticker(symbol: str = "BTCUSDT", url: str = LINEAR, type: str = "snapshot", **shown: str) -> Frame:
    at = {"connection": shown.pop("connection", "socket"), "ts": int(shown.pop("ts", str(T)))}
    return pushed(f"tickers.{symbol}", {"symbol": symbol} | shown, url, type=type, **at)


def delta(symbol: str = "BTCUSDT", url: str = LINEAR, **shown: str) -> Frame:
    return ticker(symbol, url, "delta", **shown)


def answer(path: str, result: dict[str, Any], time: int = T, code: int = 0) -> Frame:
    message = "OK" if code == 0 else "Too many visits!"
    return frame({"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": time}, MARKET + path)


def listed(
    symbol: str, base: str, quote: str = "USDT", kind: str = "LinearPerpetual", **changes: Any
) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "contractType": kind,
        "status": "Trading",
        "baseCoin": base,
        "quoteCoin": quote,
        "settleCoin": base if kind.startswith("Inverse") else quote,
        "deliveryTime": "0",
        "leverageFilter": {"maxLeverage": "100.00"},
        "priceFilter": {"tickSize": "0.10"},
        "lotSizeFilter": {"qtyStep": "0.001"},
        "fundingInterval": 480,
    } | changes


def instruments(*rows: dict[str, Any], time: int = T, category: str = "linear") -> Frame:
    return answer(f"instruments-info?category={category}&limit=1000", {"category": category, "list": list(rows)}, time)


def tickers(*rows: dict[str, Any], time: int = T) -> Frame:
    return answer("tickers?category=linear", {"category": "linear", "list": list(rows)}, time)


def knowing(*rows: dict[str, Any]) -> Bybit:
    bybit = Bybit()
    bybit.normalize(instruments(*rows))
    return bybit


def open_interests(facts: Sequence[Fact]) -> list[tuple[float, float | None, float | None]]:
    return [
        (fact.open_interest_native, fact.open_interest_base, fact.open_interest_usd)
        for fact in facts
        if isinstance(fact, OpenInterest)
    ]


BTCUSDT = listed("BTCUSDT", "BTC")
PEPE = listed("1000PEPEUSDT", "1000PEPE")


def test_buy_says_that_a_long_was_liquidated_and_every_field_has_its_meaning() -> None:
    assert knowing(BTCUSDT).normalize(liquidated(a_print())) == [
        Liquidation(
            exchange="bybit",
            symbol="BTCUSDT",
            asset="BTC",
            event_ms=T - 300,
            received_ms=T + 1_000,
            id=liquidation_id("bybit", "linear", "BTCUSDT", "Buy", "64000.00", "0.25", str(T - 300), "", 0),
            position=Position.LONG,
            price=64_000,
            price_native=64_000,
            price_kind=PriceKind.BANKRUPTCY,
            quantity_base=0.25,
            quantity_kind=QuantityKind.FILLED,
            quantity_native=0.25,
            native_unit=NativeUnit.BASE,
            notional_usd=16_000,
            source_quality=SourceQuality.COMPLETE,
            raw_partition=1,
            raw_offset=70,
            raw_index=3,
            revision=1,
        )
    ]


@pytest.mark.parametrize(
    ("symbol", "side", "quantity", "price", "url", "meaning"),
    [
        ("BTCUSDT", "Sell", "0.25", "64000", LINEAR, ("BTC", Position.SHORT, 64_000, 0.25, 16_000)),
        ("1000PEPEUSDT", "Buy", "2000", "0.0125", LINEAR, ("PEPE", Position.LONG, 0.0000125, 2_000_000, 25)),
        ("SHIB1000USDT", "Sell", "4000", "0.025", LINEAR, ("SHIB", Position.SHORT, 0.000025, 4_000_000, 100)),
        ("BTCPERP", "Buy", "0.5", "64000", LINEAR, ("BTC", Position.LONG, 64_000, 0.5, 32_000)),
        ("ETHBTC-PERP", "Buy", "2", "0.04", LINEAR, ("ETH", Position.LONG, 0.04, 2, None)),
        ("BTCUSD", "Sell", "2500", "62500", INVERSE, ("BTC", Position.SHORT, 62_500, 0.04, 2_500)),
        ("BTCUSDH27", "Buy", "640", "64000", INVERSE, ("BTC", Position.LONG, 64_000, 0.01, 640)),
    ],
)
def test_a_quantity_is_base_coins_or_dollars_as_its_instrument_proves(
    symbol: str, side: str, quantity: str, price: str, url: str, meaning: tuple[object, ...]
) -> None:
    bybit = knowing(
        BTCUSDT,
        PEPE,
        listed("SHIB1000USDT", "SHIB1000"),
        listed("BTCPERP", "BTC", "USDC"),
        listed("ETHBTC-PERP", "ETH", "BTC"),
        listed("BTCUSD", "BTC", "USD", "InversePerpetual"),
    )
    (fact,) = bybit.normalize(liquidated(a_print(symbol, side, quantity, price), url=url))
    assert isinstance(fact, Liquidation)
    assert (fact.asset, fact.position, fact.price, fact.quantity_base, fact.notional_usd) == meaning
    assert (fact.price_native, fact.quantity_native) == (float(price), float(quantity))
    assert fact.native_unit == (NativeUnit.USD if url == INVERSE else NativeUnit.BASE)


@pytest.mark.parametrize(
    ("symbol", "url", "asset", "base", "usd"),
    [
        ("1000PEPEUSDT", LINEAR, "PEPE", 2_000_000, None),
        ("BTCUSDT-21FEB25", LINEAR, "BTC", 2_000, None),
        ("BTCPERP", LINEAR, "BTC", 2_000, None),
        ("BTC-24MAR23", LINEAR, "BTC", 2_000, None),
        ("PERPUSDT", LINEAR, "PERP", 2_000, None),
        ("USDCUSDT", LINEAR, "USDC", 2_000, None),
        ("BTCUSD", INVERSE, "BTC", 4_000, 2_000),
        ("BTCUSDZ26", "", "BTC", 4_000, 2_000),
        ("BTCUSDT", "wss://stream.bybit.kz/elsewhere", "BTC", 2_000, None),
    ],
)
def test_of_an_unknown_instrument_the_symbol_tells_the_asset_and_the_quote_coin_stays_unproven(
    symbol: str, url: str, asset: str, base: float, usd: float | None
) -> None:
    (fact,) = Bybit().normalize(liquidated(a_print(symbol, quantity="2000", price="0.5"), url=url))
    assert isinstance(fact, Liquidation)
    assert (fact.asset, fact.quantity_base, fact.notional_usd) == (asset, base, usd)


def test_the_path_decides_the_category_and_the_host_never_does() -> None:
    facts = [
        Bybit().normalize(liquidated(a_print("BTCUSD", quantity="2500", price="62500"), url=url))[0]
        for url in (INVERSE, "ws://linear.localhost:1/v5/public/inverse", "ws://127.0.0.1:9999/")
    ]
    assert facts == [facts[0]] * 3
    with pytest.raises(BadFrame, match="symbol is 'BTCUSD', expected"):
        Bybit().normalize(liquidated(a_print("BTCUSD"), url="ws://inverse.localhost/v5/public/linear"))
    with pytest.raises(BadFrame, match="category is 'option', expected 'linear' or 'inverse'"):
        Bybit().normalize(liquidated(a_print(), url="wss://stream.bybit.com/v5/public/option"))


def test_equals_in_one_frame_are_different_liquidations_and_in_another_frame_the_same() -> None:
    twice = liquidated(a_print(), a_print(side="Sell"), a_print())
    facts = Bybit().normalize(twice)
    assert [fact.position for fact in facts if isinstance(fact, Liquidation)] == ["LONG", "SHORT", "LONG"]
    ids = [fact.id for fact in facts if isinstance(fact, Liquidation)]
    assert len(set(ids)) == 3
    (again,) = Bybit().normalize(liquidated(a_print()))
    assert isinstance(again, Liquidation)
    assert again.id == ids[0]


def test_the_retired_channel_means_the_same_but_is_capped_at_one_a_second() -> None:
    data = {"updatedTime": T - 300, "symbol": "BTCUSDT", "side": "Buy", "size": "0.25", "price": "64000.00"}
    (old,) = Bybit().normalize(pushed("liquidation.BTCUSDT", data))
    (new,) = Bybit().normalize(liquidated(a_print()))
    assert isinstance(old, Liquidation)
    assert isinstance(new, Liquidation)
    assert (old.id, old.position, old.event_ms, old.source_quality) == (new.id, "LONG", T - 300, SourceQuality.CAPPED)


def test_a_snapshot_shows_prices_open_interest_of_one_side_and_predicted_funding() -> None:
    shown = {
        "lastPrice": "0.0124",
        "markPrice": "0.0125",
        "indexPrice": "0.0126",
        "openInterest": "8000001",
        "singleOpenInterest": "4000000",
        "fundingRate": "-0.0002",
        "fundingIntervalHour": "4",
        "nextFundingTime": str(NEXT_FUNDING),
    }
    common: dict[str, Any] = {
        "exchange": "bybit",
        "symbol": "1000PEPEUSDT",
        "asset": "PEPE",
        "event_ms": T,
        "received_ms": T + 1_000,
        "channel": Channel.STREAM,
    }
    assert knowing(PEPE).normalize(ticker("1000PEPEUSDT", **shown)) == [
        Quote("1000PEPEUSDT", "PEPE", T, mark=0.0000125, index=0.0000126, last=0.0000124),
        OpenInterest(
            open_interest_native=4_000_000,
            native_unit=NativeUnit.BASE,
            open_interest_base=4_000_000_000,
            open_interest_usd=50_000,
            **common,
        ),
        Funding(
            rate=-0.0002,
            interval_hours=4,
            rate_8h=-0.0004,
            rate_year=-0.438,
            kind=FundingKind.PREDICTED,
            next_funding_ms=NEXT_FUNDING,
            **common,
        ),
    ]


def test_inverse_open_interest_is_dollars_and_the_mark_price_makes_coins_of_them() -> None:
    bybit = Bybit()
    bybit.normalize(ticker("BTCUSD", INVERSE, markPrice="62500"))
    facts = bybit.normalize(delta("BTCUSD", INVERSE, openInterest="250000001", singleOpenInterest="125000000"))
    assert open_interests(facts) == [(125_000_000, 2_000, 125_000_000)]
    assert open_interests(bybit.normalize(delta("BTCUSD", INVERSE, openInterest="250000000"))) == open_interests(facts)


def test_open_interest_without_a_mark_price_or_a_proven_quote_coin_is_null_in_the_other_unit() -> None:
    assert open_interests(knowing(BTCUSDT).normalize(ticker(openInterest="10"))) == [(5, 5, None)]
    assert open_interests(Bybit().normalize(ticker(openInterest="10", markPrice="64000"))) == [(5, 5, None)]
    assert open_interests(Bybit().normalize(ticker("BTCUSD", INVERSE, openInterest="10"))) == [(5, None, 5)]
    assert open_interests(knowing(BTCUSDT).normalize(ticker(openInterest="0", markPrice="64000"))) == [(0, 0, 0)]


def test_a_delta_gives_only_what_it_shows_and_keeps_the_rest_for_later() -> None:
    bybit = knowing(BTCUSDT)
    bybit.normalize(ticker(markPrice="64000", fundingRate="0.0001", nextFundingTime=str(NEXT_FUNDING)))
    assert bybit.normalize(delta(markPrice="65000")) == [Quote("BTCUSDT", "BTC", T, 65_000, None, None)]
    assert bybit.normalize(delta(bid1Price="64999")) == []
    assert open_interests(bybit.normalize(delta(singleOpenInterest="2"))) == [(2, 2, 130_000)]
    (funding,) = bybit.normalize(delta(nextFundingTime=str(NEXT_FUNDING + 1)))
    assert isinstance(funding, Funding)
    assert (funding.rate, funding.interval_hours, funding.next_funding_ms) == (0.0001, 8, NEXT_FUNDING + 1)
    assert bybit.normalize(delta(fundingRate="")) == []


def test_a_delta_without_a_snapshot_of_its_own_connection_gives_nothing() -> None:
    bybit = Bybit()
    assert bybit.normalize(delta(markPrice="64000")) == ()
    bybit.normalize(ticker(markPrice="64000"))
    assert bybit.normalize(delta(markPrice="64001", connection="another")) == ()
    bybit.disconnected("another")
    assert bybit.normalize(delta(markPrice="64002")) == [Quote("BTCUSDT", "BTC", T, 64_002, None, None)]
    bybit.disconnected("socket")
    assert bybit.normalize(delta(markPrice="64003")) == ()


def test_a_snapshot_replaces_all_that_was_known() -> None:
    bybit = knowing(BTCUSDT)
    bybit.normalize(ticker(markPrice="64000", fundingRate="0.0001"))
    bybit.normalize(ticker(indexPrice="64000", connection="another"))
    assert open_interests(bybit.normalize(delta(singleOpenInterest="2", connection="another"))) == [(2, 2, None)]
    assert bybit.normalize(delta(nextFundingTime=str(NEXT_FUNDING), connection="another")) == []


def test_an_answer_with_tickers_is_built_on_by_any_socket_but_never_replaces_something_newer() -> None:
    bybit = knowing(BTCUSDT)
    row = {"symbol": "BTCUSDT", "markPrice": "64000", "openInterest": "10", "fundingRate": "0.0001"}
    facts = bybit.normalize(tickers(row, time=T - 500))
    assert [(type(fact), fact.event_ms) for fact in facts] == [
        (Quote, T - 500),
        (OpenInterest, T - 500),
        (Funding, T - 500),
    ]
    assert {fact.channel for fact in facts if isinstance(fact, OpenInterest | Funding)} == {Channel.REST}
    assert open_interests(bybit.normalize(delta(openInterest="12"))) == [(6, 6, 384_000)]
    assert bybit.normalize(tickers(row | {"markPrice": "1"}, time=T - 1)) == []
    assert bybit.normalize(tickers({"symbol": "BTCUSDT", "markPrice": "65000"}, time=T + 1)) == [
        Quote("BTCUSDT", "BTC", T + 1, 65_000, None, None)
    ]
    assert open_interests(bybit.normalize(delta(openInterest="12", ts=str(T + 2)))) == [(6, 6, 390_000)]


def test_an_answer_with_tickers_leaves_the_symbol_to_its_connection_and_forgets_what_it_does_not_show() -> None:
    bybit = Bybit()
    bybit.normalize(ticker(fundingRate="0.0001"))
    bybit.normalize(tickers({"symbol": "BTCUSDT", "markPrice": "64000"}))
    assert bybit.normalize(delta(markPrice="64001", connection="another")) == ()
    assert bybit.normalize(delta(nextFundingTime=str(NEXT_FUNDING))) == []
    bybit.disconnected("socket")
    assert bybit.normalize(delta(markPrice="64002")) == ()


def test_the_request_decides_the_category_before_its_answer() -> None:
    row = {"symbol": "BTCUSD", "openInterest": "10"}
    asked = answer("tickers?category=inverse", {"category": "linear", "list": [row]})
    assert open_interests(Bybit().normalize(asked)) == [(5, None, 5)]
    assert open_interests(Bybit().normalize(answer("tickers", {"category": "inverse", "list": [row]}))) == [
        (5, None, 5)
    ]


def test_a_dated_future_has_no_funding() -> None:
    facts = Bybit().normalize(ticker("BTC-26DEC25", markPrice="64000", fundingRate="", nextFundingTime=""))
    assert facts == [Quote("BTC-26DEC25", "BTC", T, 64_000, None, None)]


def a_trade(**changes: object) -> dict[str, object]:
    return {"T": T, "s": "BTCUSDT", "S": "Buy", "v": "0.5", "p": "64000", "i": "a", "BT": False, "seq": 7} | changes


def test_a_trade_has_the_takers_side_and_prints_of_one_order_share_it() -> None:
    prints = [
        a_trade(),
        a_trade(i="b", p="64001"),
        a_trade(i="c", S="Sell"),
        a_trade(i="d", BT=True),  # a block trade has no taker
        {name: value for name, value in a_trade(i="e").items() if name not in ("BT", "seq")},
    ]
    facts = knowing(BTCUSDT).normalize(pushed("publicTrade.BTCUSDT", prints))
    one, other = f"{T}Buy7", f"{T}Sell7"
    assert facts == [
        Trade("BTCUSDT", "BTC", T, True, 64_000, 0.5, 32_000, one, 7),
        Trade("BTCUSDT", "BTC", T, True, 64_001, 0.5, 32_000.5, one, 7),
        Trade("BTCUSDT", "BTC", T, False, 64_000, 0.5, 32_000, other, 7),
        Trade("BTCUSDT", "BTC", T, True, 64_000, 0.5, 32_000, "e"),
    ]


def test_an_inverse_trade_is_dollars() -> None:
    facts = Bybit().normalize(pushed("publicTrade.BTCUSD", [a_trade(s="BTCUSD", v="2500", p="62500")], INVERSE))
    assert facts == [Trade("BTCUSD", "BTC", T, True, 62_500, 0.04, 2_500, f"{T}Buy7", 7)]


def test_an_instrument_is_a_fact_when_it_is_new_or_changed() -> None:
    bybit = Bybit()
    first = instruments(listed("BTCUSD", "BTC", "USD", "InversePerpetual"), category="inverse")
    fact = Instrument(
        exchange="bybit",
        symbol="BTCUSD",
        asset="BTC",
        event_ms=T,
        received_ms=T + 1_000,
        kind=ContractKind.INVERSE,
        base="BTC",
        quote="USD",
        settle="BTC",
        scale=1,
        multiplier=1,
        multiplier_unit=NativeUnit.USD,
        is_perpetual=True,
        tick_size=0.1,
        quantity_step=0.001,
        max_leverage=100,
        funding_interval_hours=8,
        status="Trading",
        valid_from_ms=T,
    )
    assert bybit.normalize(first) == [fact]
    assert bybit.normalize(replace(first, payload=first.payload.replace(str(T).encode(), str(T + 500).encode()))) == []
    closed = listed("BTCUSD", "BTC", "USD", "InversePerpetual", status="Closed", deliveryTime=str(T))
    (changed,) = bybit.normalize(instruments(closed, time=T + 500, category="inverse"))
    assert isinstance(changed, Instrument)
    assert (changed.status, changed.expiry_ms, changed.valid_from_ms) == ("Closed", T, T + 500)


def test_settled_funding_is_told_oldest_first_with_the_time_since_the_payment_before_or_the_interval_now() -> None:
    rows = [
        {"symbol": "ETHPERP", "fundingRate": "-0.0002", "fundingRateTimestamp": str(T - 1)},
        {"symbol": "ETHPERP", "fundingRate": "0.0001", "fundingRateTimestamp": str(T - 14_400_001)},
    ]
    history = answer("funding/history?category=linear&symbol=ETHPERP", {"category": "linear", "list": rows})
    facts = knowing(listed("ETHPERP", "ETH", "USDC", fundingInterval=480)).normalize(history)
    assert [
        (fact.kind, fact.event_ms, fact.rate, fact.interval_hours, fact.rate_8h, fact.channel)
        for fact in facts
        if isinstance(fact, Funding)
    ] == [
        (FundingKind.SETTLED, T - 14_400_001, 0.0001, 8, 0.0001, Channel.REST),
        (FundingKind.SETTLED, T - 1, -0.0002, 4, -0.0004, Channel.REST),
    ]


def test_past_open_interest_is_told_oldest_first_without_a_mark_price() -> None:
    rows = [
        {"openInterest": "11", "singleOpenInterest": "6", "timestamp": str(T)},
        {"openInterest": "8", "timestamp": str(T - 1)},
    ]
    history = answer("open-interest?category=inverse&symbol=BTCUSD", {"symbol": "BTCUSD", "list": rows})
    assert open_interests(Bybit().normalize(history)) == [(4, None, 4), (6, None, 6)]


@pytest.mark.parametrize(
    "message",
    [
        {"success": True, "ret_msg": "", "conn_id": "c", "req_id": "t1", "op": "subscribe"},
        {"success": False, "ret_msg": "error:handler not found,topic:liquidation.BTCUSDT", "op": "subscribe"},
        {"success": True, "ret_msg": "pong", "conn_id": "c", "op": "ping"},
        {"args": ["1672916271846"], "op": "pong"},
        {"success": True, "op": "unsubscribe"},
    ],
)
def test_acknowledgements_and_pongs_are_no_facts(message: dict[str, object]) -> None:
    assert Bybit().normalize(frame(message)) == ()


@pytest.mark.parametrize(
    ("bad", "channel", "reason"),
    [
        (liquidated(a_print(side="buy")), "allLiquidation", r"'buy' - at `\$\.data\[0\]\.S`"),
        (liquidated(a_print(quantity="0")), "allLiquidation", "number is '0', expected"),
        (liquidated(a_print(price="NaN")), "allLiquidation", "number is 'NaN', expected"),
        (liquidated(a_print(price=" 1")), "allLiquidation", "number is ' 1', expected"),
        (liquidated(a_print(), a_print("XXX")), "allLiquidation", "symbol is 'XXX', expected its instrument before it"),
        (ticker(markPrice="-1"), "tickers", r"Expected `float` >= 0.0 - at `\$\.markPrice`"),
        (ticker(openInterest="-1"), "tickers", "Expected `float` >= 0"),
        (ticker(type="patch"), "tickers", "type is 'patch', expected 'snapshot' or 'delta'"),
        (ticker(ts="1790000000"), "tickers", "time is 1790000000, expected milliseconds"),
        (ticker(ts=str(T + 61_001)), "tickers", f"time is {T + 61_001}, expected milliseconds, at most 60000 after"),
        (pushed("adlAlert.USDT", []), "adlAlert", "topic is 'adlAlert.USDT', expected tickers"),
        (answer("tickers?category=linear", {}, code=10006), "market/tickers", "retCode is 10006 .'Too many visits!'"),
        (answer("kline?category=linear", {"list": [{"a": 1}]}), "market/kline", "the request is not known"),
        (answer("tickers?category=spot", {"list": []}), "market/tickers", "category is 'spot'"),
        (frame(b"<html>", MARKET + "tickers?category=linear"), "market/tickers", "seen: <html>"),
        (frame({"op": "auth"}), "", "expected a topic, a retCode or an op"),
    ],
)
def test_a_bad_frame_says_what_was_seen_and_what_was_expected(bad: Frame, channel: str, reason: str) -> None:
    with pytest.raises(BadFrame, match=reason) as raised:
        Bybit().normalize(bad)
    assert raised.value.channel == channel


def test_a_price_of_zero_is_none_yet_and_proves_no_dollars() -> None:
    bybit = knowing(BTCUSDT)
    facts = bybit.normalize(ticker(markPrice="0", indexPrice="0.00", lastPrice="64000", singleOpenInterest="2"))
    [quote] = [fact for fact in facts if isinstance(fact, Quote)]
    assert (quote.mark, quote.index, quote.last) == (None, None, 64_000)
    assert open_interests(facts) == [(2, 2, None)]


def test_one_bad_row_makes_the_frame_bad_and_leaves_the_state_as_it_was() -> None:
    bybit = Bybit()
    for bad in (
        instruments(BTCUSDT, listed("ETHUSDT", "ETH", fundingInterval=-1)),
        tickers({"symbol": "BTCUSDT", "markPrice": "64000"}, {"symbol": "ETHUSDT", "markPrice": "-1"}),
    ):
        with pytest.raises(BadFrame):
            bybit.normalize(bad)
    assert bybit.state() == Bybit().state()


def test_the_oldest_symbols_leave_when_there_are_too_many() -> None:
    bybit = knowing(*(listed(f"A{number}USDT", f"A{number}") for number in range(SYMBOLS_MAX)))
    bybit.normalize(instruments(BTCUSDT))
    values = {symbol: bybit.normalize(liquidated(a_print(symbol)))[0] for symbol in ("A0USDT", "A1USDT", "BTCUSDT")}
    assert [fact.notional_usd for fact in values.values() if isinstance(fact, Liquidation)] == [None, 16_000, 16_000]


@pytest.mark.parametrize(
    ("channel", "stream"),
    [
        ("allLiquidation.BTCUSDT", "liquidations"),
        ("allLiquidation", "liquidations"),
        ("liquidation.BTCUSDT", "liquidations"),
        ("tickers.BTCUSDT", "quotes"),
        ("publicTrade.BTC-24MAR23", "trades"),
        ("orderbook.50.BTCUSDT", ""),
        ("market/tickers", ""),
        ("", ""),
    ],
)
def test_a_channel_belongs_to_a_stream(channel: str, stream: str) -> None:
    assert Bybit().stream_of(channel) == stream

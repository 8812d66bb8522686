"""Binance's sides, units, prices and clocks, computed by hand from tests/fixtures/binance/SOURCES.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from processors.normalize.binance import Binance
from processors.normalize.facts import BadFrame, Fact, Frame, Quote, Trade, Unfilled
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
PAID = T + 1_600_000  # when funding is paid next
HOUR = 3_600_000
MARKET = "wss://fstream.binance.com/market/stream"
FAPI = "GET https://fapi.binance.com/fapi/v1/"
DAPI = "GET https://dapi.binance.com/dapi/v1/"
NEVER = 4_133_404_800_000


def frame(message: object, url: str = MARKET, received_ms: int = T + 100) -> Frame:
    kind = SourceKind.REST if url.startswith("GET ") else SourceKind.FRAME
    return Frame(json.dumps(message).encode(), received_ms, kind, url, "socket", partition=0, offset=70, index=3)


def pushed(stream: str, data: object, received_ms: int = T + 100) -> Frame:
    return frame({"stream": stream, "data": data}, received_ms=received_ms)


def an_order(symbol: str = "BTCUSDT", side: str = "SELL", **changes: Any) -> dict[str, Any]:
    """Return an order of which the last fill was a small part."""
    order = {"s": symbol, "S": side, "o": "LIMIT", "f": "IOC", "q": "0.7", "p": "63000.00", "ap": "64000.00"}
    return order | {"X": "FILLED", "l": "0.01", "z": "0.25", "T": T - 1_005} | changes


def event(order: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"e": "forceOrder", "E": T, "o": order} | changes


def liquidated(symbol: str = "BTCUSDT", side: str = "SELL", **changes: Any) -> Frame:
    return pushed("!forceOrder@arr", event(an_order(symbol, side, **changes)))


def listed(symbol: str, base: str, quote: str = "USDT", **changes: Any) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": NEVER,
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": quote,
        "status": "TRADING",
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "stepSize": "0.001"},
        ],
    } | changes


def coin_listed(symbol: str, base: str, size: int, **changes: Any) -> dict[str, Any]:
    row = listed(symbol, base, "USD", marginAsset=base, contractSize=size, contractStatus="TRADING")
    del row["status"]
    return row | changes


def info(*rows: dict[str, Any], url: str = FAPI) -> Frame:
    return frame({"timezone": "UTC", "serverTime": T, "symbols": rows}, url + "exchangeInfo")


def knowing(*rows: dict[str, Any]) -> Binance:
    binance = Binance()
    for url, in_contracts in (FAPI, False), (DAPI, True):
        if of_market := [row for row in rows if ("contractSize" in row) == in_contracts]:
            binance.normalize(info(*of_market, url=url))
    return binance


def marked(
    symbol: str, mark: str = "64000", rate: str = "0.0001", next_ms: int = PAID, at: int = T, **more: Any
) -> Any:
    return {"e": "markPriceUpdate", "E": at, "s": symbol, "p": mark, "ap": "1", "P": "2", "i": "64010"} | {
        "r": rate,
        "T": next_ms,
        **more,
    }


def marks(*rows: Any) -> Frame:
    return pushed("!markPrice@arr@1s", rows, received_ms=max(row["E"] for row in rows) + 100)


def the_funding(facts: Sequence[Fact]) -> Funding:
    (funding,) = (fact for fact in facts if isinstance(fact, Funding))
    return funding


BTCUSDT = listed("BTCUSDT", "BTC")
BTCUSD = coin_listed("BTCUSD_PERP", "BTC", 100)


def test_what_was_sold_was_a_long_and_every_field_has_its_meaning() -> None:
    assert knowing(BTCUSDT).normalize(liquidated()) == [
        Liquidation(
            exchange="binance",
            symbol="BTCUSDT",
            asset="BTC",
            event_ms=T - 1_005,
            received_ms=T + 100,
            id=liquidation_id("binance", "um", "BTCUSDT", "SELL", "64000.00", "0.25", str(T - 1_005), "", 0),
            position=Position.LONG,
            price=64_000,
            price_native=64_000,
            price_kind=PriceKind.FILL,
            quantity_base=0.25,
            quantity_kind=QuantityKind.FILLED,
            quantity_native=0.25,
            native_unit=NativeUnit.BASE,
            notional_usd=16_000,
            source_quality=SourceQuality.CAPPED,
            raw_partition=0,
            raw_offset=70,
            raw_index=3,
            revision=1,
        )
    ]


@pytest.mark.parametrize(
    ("symbol", "side", "z", "ap", "meaning"),
    [
        ("BTCUSDT", "BUY", "0.25", "64000", ("BTC", Position.SHORT, 64_000, 0.25, 16_000, NativeUnit.BASE)),
        ("BTCUSDT_261225", "SELL", "0.5", "65000", ("BTC", Position.LONG, 65_000, 0.5, 32_500, NativeUnit.BASE)),
        ("BTCUSDC", "SELL", "0.5", "64000", ("BTC", Position.LONG, 64_000, 0.5, 32_000, NativeUnit.BASE)),
        ("1000PEPEUSDT", "SELL", "2000", "0.0125", ("PEPE", Position.LONG, 0.0000125, 2e6, 25, NativeUnit.BASE)),
        ("ETHBTC", "SELL", "2", "0.04", ("ETH", Position.LONG, 0.04, 2, None, NativeUnit.BASE)),
        ("BTCUSD_PERP", "SELL", "2304", "76800", ("BTC", Position.LONG, 76_800, 3, 230_400, NativeUnit.CONTRACTS)),
        ("BTCUSD_261225", "BUY", "8", "80000", ("BTC", Position.SHORT, 80_000, 0.01, 800, NativeUnit.CONTRACTS)),
        ("XRPUSD_PERP", "BUY", "5", "2", ("XRP", Position.SHORT, 2, 25, 50, NativeUnit.CONTRACTS)),
    ],
)
def test_a_quantity_is_base_coins_or_contracts_as_its_instrument_proves(
    symbol: str, side: str, z: str, ap: str, meaning: tuple[object, ...]
) -> None:
    binance = knowing(
        BTCUSDT,
        listed("BTCUSDT_261225", "BTC", contractType="CURRENT_QUARTER", deliveryDate=1_798_185_600_000),
        listed("BTCUSDC", "BTC", "USDC"),
        listed("1000PEPEUSDT", "1000PEPE"),
        listed("ETHBTC", "ETH", "BTC"),
        BTCUSD,
        coin_listed("BTCUSD_261225", "BTC", 100, contractType="CURRENT_QUARTER", deliveryDate=1_798_185_600_000),
        coin_listed("XRPUSD_PERP", "XRP", 10),
    )
    (fact,) = binance.normalize(liquidated(symbol, side, z=z, ap=ap))
    assert isinstance(fact, Liquidation)
    amounts = (fact.price, fact.quantity_base, fact.notional_usd)
    assert (fact.asset, fact.position, *amounts, fact.native_unit) == meaning
    assert (fact.price_native, fact.quantity_native) == (float(ap), float(z))


@pytest.mark.parametrize(
    ("symbol", "asset", "base", "unit"),
    [
        ("BTCUSDT", "BTC", 0.25, NativeUnit.BASE),
        ("BTCUSDT_261225", "BTC", 0.25, NativeUnit.BASE),
        ("1000PEPEUSDT", "PEPE", 250, NativeUnit.BASE),
        ("ETHBTC", "ETH", 0.25, NativeUnit.BASE),
        ("USDCUSDT", "USDC", 0.25, NativeUnit.BASE),
        ("BTCFDUSD", "BTC", 0.25, NativeUnit.BASE),
        ("币安人生USDT", "币安人生", 0.25, NativeUnit.BASE),
        ("BTCUSD_PERP", "BTC", None, NativeUnit.CONTRACTS),
        ("BTCUSD_261225", "BTC", None, NativeUnit.CONTRACTS),
    ],
)
def test_of_an_unknown_instrument_the_symbol_tells_the_asset_and_nothing_is_worth_dollars(
    symbol: str, asset: str, base: float | None, unit: NativeUnit
) -> None:
    (fact,) = Binance().normalize(liquidated(symbol))
    assert isinstance(fact, Liquidation)
    assert (fact.asset, fact.quantity_base, fact.notional_usd, fact.native_unit) == (asset, base, None, unit)


def test_the_same_order_has_one_id_wrapped_or_not_on_either_host_and_whatever_is_known() -> None:
    frames = [
        liquidated(),
        frame(event(an_order()), "wss://dstream.binance.com/ws/!forceOrder@arr"),
        frame([event(an_order())], "wss://fstream.binance.com/market/ws"),
        pushed("btcusdt@forceOrder", event(an_order(ps="BTCUSDT", st=1))),
    ]
    for binance in (Binance(), knowing(BTCUSDT)):
        facts = [fact for each in frames for fact in binance.normalize(each)]
        assert {fact.id for fact in facts if isinstance(fact, Liquidation)} == {
            liquidation_id("binance", "um", "BTCUSDT", "SELL", "64000.00", "0.25", str(T - 1_005), "", 0)
        }
        assert len(facts) == len(frames)


def test_equals_in_one_frame_are_different_liquidations() -> None:
    orders = [event(an_order()), event(an_order(side="BUY")), event(an_order())]
    facts = [fact for fact in Binance().normalize(pushed("!forceOrder@arr", orders)) if isinstance(fact, Liquidation)]
    assert [fact.position for fact in facts] == [Position.LONG, Position.SHORT, Position.LONG]
    assert len({fact.id for fact in facts}) == 3


def test_without_a_fill_price_the_limit_of_the_order_is_the_price_and_says_so() -> None:
    (fact,) = knowing(BTCUSDT).normalize(liquidated(ap="0"))
    assert isinstance(fact, Liquidation)
    assert (fact.price, fact.price_kind, fact.notional_usd) == (63_000, PriceKind.ORDER, 15_750)


def test_an_order_of_which_nothing_was_filled_closed_nothing() -> None:
    assert Binance().normalize(liquidated(z="0.000", ap="0", X="EXPIRED")) == [Unfilled("BTCUSDT", "BTC", T - 1_005)]


def test_the_symbol_tells_the_market_and_st_is_looked_for_in_and_beside_the_order() -> None:
    in_order, beside = an_order("BTCUSD_PERP", st=2), event(an_order("BTCUSD_PERP"), st=2)
    slip = event(an_order("BTCUSD_PERP"), st=1)  # as the documentation has it
    facts = [Binance().normalize(pushed("!forceOrder@arr", each))[0] for each in (event(in_order), beside, slip)]
    assert facts == [facts[0]] * 3


@pytest.mark.parametrize(
    ("symbol", "st", "expected"),
    [
        ("BTCUSDT", 2, "listed as USD-M: expected 1"),
        ("ETHUSDT", 2, "one like BTCUSD_PERP"),
        ("BTCUSDT", 3, "Invalid enum value 3"),
        ("BTC-USD", 1, "one like BTCUSDT"),
    ],
)
def test_a_symbol_of_no_market_or_of_the_wrong_one_is_bad(symbol: str, st: int, expected: str) -> None:
    for order in (event(an_order(symbol, st=st)), event(an_order(symbol), st=st)):
        with pytest.raises(BadFrame, match=expected) as bad:
            knowing(BTCUSDT).normalize(pushed("!forceOrder@arr", order))
        assert bad.value.channel == "forceOrder"


@pytest.mark.parametrize(
    ("row", "url", "expected"),
    [(BTCUSD, FAPI, "has a contractSize of 100"), (BTCUSDT, DAPI, "has no contractSize")],
)
def test_a_listing_that_is_not_of_the_market_that_answered_is_bad(row: dict[str, Any], url: str, expected: str) -> None:
    binance = Binance()
    with pytest.raises(BadFrame, match=expected):
        binance.normalize(info(row, url=url))
    binance.normalize(info(BTCUSD, url=DAPI))
    (fact,) = binance.normalize(liquidated("BTCUSD_PERP", st=2))
    assert isinstance(fact, Liquidation)
    assert fact.native_unit == NativeUnit.CONTRACTS


def test_a_mark_price_shows_prices_and_the_rate_of_the_next_payment() -> None:
    binance = knowing(listed("1000PEPEUSDT", "1000PEPE"))
    binance.normalize(frame([{"symbol": "1000PEPEUSDT", "fundingIntervalHours": 4}], FAPI + "fundingInfo"))
    row = marked("1000PEPEUSDT", "0.0125", "-0.0002", i="0.0126")
    common: dict[str, Any] = {"exchange": "binance", "symbol": "1000PEPEUSDT", "asset": "PEPE", "event_ms": T}
    assert binance.normalize(marks(row)) == [
        Quote("1000PEPEUSDT", "PEPE", T, mark=0.0000125, index=0.0000126, last=None),
        Funding(
            rate=-0.0002,
            interval_hours=4,
            rate_8h=-0.0004,
            rate_year=-0.438,
            kind=FundingKind.PREDICTED,
            next_funding_ms=PAID,
            channel=Channel.STREAM,
            received_ms=T + 100,
            **common,
        ),
    ]


@pytest.mark.parametrize(("symbol", "rate"), [("BTCUSDT_261225", "0.00000000"), ("BTCUSD_261225", "")])
def test_a_dated_future_has_prices_and_no_funding(symbol: str, rate: str) -> None:
    facts = Binance().normalize(marks(marked(symbol, rate=rate, next_ms=0)))
    assert facts == [Quote(symbol, "BTC", T, 64_000, 64_010, None)]


def test_a_rate_of_zero_is_a_rate_where_there_is_a_next_payment() -> None:
    assert the_funding(Binance().normalize(marks(marked("BTCUSDT", rate="0.00000000")))).rate == 0


def test_an_interval_is_unknown_until_funding_info_lists_it_or_keeps_silent() -> None:
    binance = Binance()
    rows = [marked("BTCUSDT"), marked("BTCUSD_PERP")]

    def hours() -> list[float | None]:
        return [fact.interval_hours for fact in binance.normalize(marks(*rows)) if isinstance(fact, Funding)]

    assert hours() == [None, None]
    binance.normalize(frame([{"symbol": "SOLUSDT", "fundingIntervalHours": 1}], FAPI + "fundingInfo"))
    assert hours() == [8, None]
    binance.normalize(frame([{"symbol": "BTCUSD_PERP", "fundingIntervalHours": 4}], DAPI + "fundingInfo"))
    assert hours() == [8, 4]


@pytest.mark.parametrize(
    ("at", "next_ms", "hours"),
    [
        (PAID, PAID + 4 * HOUR, 4),
        (PAID + HOUR - 1, PAID + HOUR, 1),
        (PAID + HOUR, PAID + 9 * HOUR, 8),  # an hour later another payment may lie between
        (PAID - 1, PAID + 4 * HOUR, 4),  # told a moment before it came
        (PAID - 600_000, PAID + 4 * HOUR, None),  # moved: what is listed is not true any more
        (PAID + 1_000, PAID - HOUR, 8),
        (PAID, PAID + 25 * HOUR, 8),
    ],
)
def test_the_observed_time_between_two_payments_goes_before_what_is_listed(
    at: int, next_ms: int, hours: float | None
) -> None:
    binance = Binance()
    binance.normalize(frame([], FAPI + "fundingInfo"))
    assert the_funding(binance.normalize(marks(marked("BTCUSDT")))).interval_hours == 8
    assert the_funding(binance.normalize(marks(marked("BTCUSDT", next_ms=next_ms, at=at)))).interval_hours == hours
    later = marked("BTCUSDT", next_ms=next_ms, at=at + 1_000)
    assert the_funding(binance.normalize(marks(later))).interval_hours == hours


def test_an_interval_that_was_moved_is_known_again_once_it_is_listed_anew() -> None:
    binance = Binance()
    binance.normalize(frame([], FAPI + "fundingInfo"))
    rows = [marked("BTCUSDT"), marked("BTCUSDT", next_ms=PAID + 4 * HOUR, at=T + 1_000)]
    assert [the_funding(binance.normalize(marks(row))).interval_hours for row in rows] == [8, None]
    binance.normalize(frame([{"symbol": "BTCUSDT", "fundingIntervalHours": 4}], FAPI + "fundingInfo"))
    assert the_funding(binance.normalize(marks(rows[-1]))).interval_hours == 4


def test_an_interval_told_after_the_listing_is_a_fact_of_the_contract() -> None:
    binance = knowing(BTCUSDT, listed("BTCUSDT_261225", "BTC", contractType="CURRENT_QUARTER"), BTCUSD)
    answer = frame([{"symbol": "BTCUSDT", "fundingIntervalHours": 4}], FAPI + "fundingInfo")
    (told,) = binance.normalize(answer)
    assert isinstance(told, Instrument)
    assert (told.symbol, told.funding_interval_hours, told.valid_from_ms) == ("BTCUSDT", 4, T + 100)
    assert binance.normalize(answer) == []


def test_a_settled_rate_has_the_interval_since_the_payment_before_it() -> None:
    binance = Binance()
    binance.normalize(frame([{"symbol": "BTCUSDT", "fundingIntervalHours": 4}], FAPI + "fundingInfo"))
    paid = [T - 24 * HOUR, T - 16 * HOUR, T - 8 * HOUR, T - 4 * HOUR]
    rows = [{"symbol": "BTCUSDT", "fundingRate": "0.0002", "fundingTime": at, "rateType": "Regular"} for at in paid]
    facts = binance.normalize(frame(rows, FAPI + "fundingRate"))
    assert [fact.interval_hours for fact in facts if isinstance(fact, Funding)] == [4, 8, 8, 4]


def test_an_open_interest_is_not_valued_at_a_price_of_another_time() -> None:
    binance = knowing(BTCUSDT)
    binance.normalize(marks(marked("BTCUSDT")))
    late = T + 6 * HOUR
    row = {"symbol": "BTCUSDT", "openInterest": "10", "time": late}
    (fact,) = binance.normalize(frame(row, FAPI + "openInterest?symbol=BTCUSDT", received_ms=late + 1))
    assert isinstance(fact, OpenInterest)
    assert (fact.open_interest_base, fact.open_interest_usd) == (10, None)


def test_a_symbol_that_names_nothing_known_hides_no_other_row() -> None:
    quotes = knowing(BTCUSDT).normalize(marks(marked("XYZEUR"), marked("BTCUSDT")))
    assert [fact.symbol for fact in quotes if isinstance(fact, Quote)] == ["BTCUSDT"]
    with pytest.raises(BadFrame, match="symbol is 'XYZEUR'"):
        Binance().normalize(marks(marked("XYZEUR")))


def test_settled_funding_is_regular_and_a_dividend_is_none() -> None:
    binance = Binance()
    binance.normalize(frame([], FAPI + "fundingInfo"))
    rows = [
        {"symbol": "BTCUSDT", "fundingRate": "0.0002", "fundingTime": T - 10, "rateType": "Regular"},
        {"symbol": "TSLAUSDT", "fundingRate": "0.01", "fundingTime": T - 10, "rateType": "Special"},
    ]
    (funding,) = binance.normalize(frame(rows, FAPI + "fundingRate"))
    assert isinstance(funding, Funding)
    assert (funding.symbol, funding.kind, funding.rate, funding.event_ms) == ("BTCUSDT", "SETTLED", 0.0002, T - 10)
    assert (funding.interval_hours, funding.next_funding_ms) == (8, None)


@pytest.mark.parametrize(
    ("symbol", "printed", "meaning", "unit"),
    [
        ("BTCUSDT", "1000", (1_000, 1_000, 64e6), NativeUnit.BASE),
        ("BTCUSD_PERP", "6400", (6_400, 10, 640_000), NativeUnit.CONTRACTS),
        ("BTCUSDT", "0", (0, 0, 0), NativeUnit.BASE),
    ],
)
def test_open_interest_is_valued_at_the_mark_price(
    symbol: str, printed: str, meaning: tuple[float, ...], unit: NativeUnit
) -> None:
    binance = knowing(BTCUSDT, BTCUSD)
    binance.normalize(marks(marked(symbol)))
    row = {"symbol": symbol, "openInterest": printed, "time": T - 500}
    (fact,) = binance.normalize(frame(row, FAPI + "openInterest?symbol=" + symbol))
    assert isinstance(fact, OpenInterest)
    assert (fact.open_interest_native, fact.open_interest_base, fact.open_interest_usd) == meaning
    assert (fact.native_unit, fact.event_ms, fact.channel) == (unit, T - 500, Channel.REST)


def test_open_interest_without_a_mark_price_or_an_instrument_is_null_where_they_would_prove_it() -> None:
    def amounts(binance: Binance, symbol: str) -> tuple[float | None, float | None]:
        row = {"symbol": symbol, "openInterest": "10", "time": T}
        (fact,) = binance.normalize(frame(row, FAPI + "openInterest"))
        assert isinstance(fact, OpenInterest)
        return fact.open_interest_base, fact.open_interest_usd

    assert amounts(knowing(BTCUSDT), "BTCUSDT") == (10, None)
    assert amounts(knowing(BTCUSD), "BTCUSD_PERP") == (None, 1_000)
    assert amounts(Binance(), "BTCUSD_PERP") == (None, None)


def test_a_snapshot_over_rest_means_the_same_as_the_stream_and_never_replaces_something_newer() -> None:
    row = {"symbol": "BTCUSDT", "markPrice": "64000", "indexPrice": "64010", "lastFundingRate": "0.0001"}
    snapshot = frame(row | {"nextFundingTime": PAID, "time": T}, FAPI + "premiumIndex?symbol=BTCUSDT")
    quote, funding = Binance().normalize(marks(marked("BTCUSDT")))
    assert isinstance(funding, Funding)
    assert Binance().normalize(snapshot) == [quote, replace(funding, channel=Channel.REST)]
    binance = Binance()
    binance.normalize(marks(marked("BTCUSDT", at=T + 1)))
    assert binance.normalize(snapshot) == []


def test_the_last_price_is_a_quote_and_none_before_the_first_trade() -> None:
    rows = [{"e": "24hrMiniTicker", "E": T, "s": "BTCUSDT", "c": price} for price in ("64000.5", "0")]
    assert Binance().normalize(pushed("!miniTicker@arr", rows)) == [Quote("BTCUSDT", "BTC", T, None, None, 64_000.5)]


def test_a_trade_whose_buyer_was_the_maker_was_a_sale() -> None:
    def traded(symbol: str, is_maker: bool) -> Frame:
        data = {"e": "aggTrade", "E": T, "a": 7, "s": symbol, "p": "64000", "q": "0.5", "nq": "0", "T": T - 10}
        return pushed(f"{symbol.lower()}@aggTrade", data | {"m": is_maker})

    binance = knowing(BTCUSDT, BTCUSD)
    assert [fact for flag in (True, False) for fact in binance.normalize(traded("BTCUSDT", flag))] == [
        Trade("BTCUSDT", "BTC", T - 10, False, 64_000, 0.5, 32_000, f"{T - 10}sell", 7),
        Trade("BTCUSDT", "BTC", T - 10, True, 64_000, 0.5, 32_000, f"{T - 10}buy", 7),
    ]
    (contracts,) = binance.normalize(traded("BTCUSD_PERP", False))
    assert isinstance(contracts, Trade)
    assert (contracts.quantity_base, contracts.notional_usd) == (50 / 64_000, 50)


def test_an_instrument_of_coin_m_has_a_size_in_dollars_and_only_changes_are_told() -> None:
    binance = Binance()
    dated = coin_listed("BTCUSD_261225", "BTC", 100, contractType="CURRENT_QUARTER", deliveryDate=1_798_185_600_000)
    assert binance.normalize(info(dated, url=DAPI)) == [
        Instrument(
            exchange="binance",
            symbol="BTCUSD_261225",
            asset="BTC",
            event_ms=T + 100,
            received_ms=T + 100,
            kind=ContractKind.INVERSE,
            base="BTC",
            quote="USD",
            settle="BTC",
            scale=1,
            multiplier=100,
            multiplier_unit=NativeUnit.USD,
            is_perpetual=False,
            expiry_ms=1_798_185_600_000,
            tick_size=0.1,
            quantity_step=0.001,
            status="TRADING",
            valid_from_ms=T + 100,
        )
    ]
    assert binance.normalize(info(dated, url=DAPI)) == []
    (changed,) = binance.normalize(info(dated | {"contractStatus": "DELIVERING"}, url=DAPI))
    assert isinstance(changed, Instrument)
    assert changed.status == "DELIVERING"


@pytest.mark.parametrize(
    ("row", "perpetual", "hours"),
    [
        (listed("XAUUSDT", "XAU", contractType="TRADIFI_PERPETUAL"), True, 8),
        (listed("SOLUSDT", "SOL"), True, 4),
        (listed("BTCUSDT_261225", "BTC", contractType="NEXT_QUARTER"), False, None),
    ],
)
def test_a_perpetual_has_an_interval_once_funding_info_is_known(
    row: dict[str, Any], perpetual: bool, hours: float | None
) -> None:
    binance = Binance()
    binance.normalize(frame([{"symbol": "SOLUSDT", "fundingIntervalHours": 4}], FAPI + "fundingInfo"))
    (instrument,) = binance.normalize(info(row))
    assert isinstance(instrument, Instrument)
    assert (instrument.is_perpetual, instrument.funding_interval_hours) == (perpetual, hours)
    assert instrument.kind is ContractKind.LINEAR


@pytest.mark.parametrize(
    ("channel", "stream"),
    [
        ("!forceOrder@arr", "liquidations"),
        ("btcusdt@forceOrder", "liquidations"),
        ("forceOrder", "liquidations"),
        ("!markPrice@arr@1s", "quotes"),
        ("btcusd_perp@markPrice@1s", "quotes"),
        ("!miniTicker@arr", "quotes"),
        ("币安人生usdt@aggTrade", "trades"),
        ("fapi/v1/openInterest", "open-interest"),
        ("dapi/v1/fundingInfo", "funding"),
        ("!contractInfo", ""),
        ("", ""),
    ],
)
def test_a_channel_carries_one_stream(channel: str, stream: str) -> None:
    assert Binance().stream_of(channel) == stream


def test_a_bad_frame_names_its_channel_as_far_as_it_tells() -> None:
    frames = [
        pushed("btcusdt@aggTrade", None),
        frame({"e": "markPriceUpdate", "E": T}),
        frame({"openInterest": "x"}, FAPI + "openInterest?symbol=BTCUSDT"),
        frame("nothing"),
    ]
    channels = []
    for each in frames:
        with pytest.raises(BadFrame) as bad:
            Binance().normalize(each)
        channels.append(bad.value.channel)
    assert channels == ["aggTrade", "markPriceUpdate", "fapi/v1/openInterest", ""]

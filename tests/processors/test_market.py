from __future__ import annotations

from processors.large import ENOUGH
from processors.market import Market
from processors.normalize.facts import Quote, Trade
from processors.part import Part
from processors.pieces import pack, unpack
from schemas.partition import partition_of
from schemas.records import FundingKind, MarketEntry, MarketSlice

from .tiny import T0, at, funding, open_interest, quote, trade


def market(*facts: Quote | Trade, partitions: int = 1) -> Market:
    """Return a market that has seen these facts, each received 20 ms after its event."""
    seen = Market("tiny", partitions)
    for fact in facts:
        seen.received_ms = fact.event_ms + 20
        if isinstance(fact, Quote):
            seen.quote(fact)
        else:
            seen.trade(fact)
    return seen


def the_slice(seen: Market) -> MarketSlice:
    slices, _ = seen.close(T0, with_empty=False)
    return slices[0]


def entry(event_s: float, **changes: float | None) -> MarketEntry:
    return MarketEntry(symbol="BTCUSDT", asset="BTC", event_ms=at(event_s), **changes)  # type: ignore[arg-type]  # each has the type of its field


def test_a_slice_has_the_last_prices_of_what_changed() -> None:
    seen = market(
        quote(0.1, 50.0),
        quote(0.2, 51.0),
        Quote("BTCUSDT", "BTC", at(0.3), None, 52.0, 53.0),
        Quote("BTCUSDT", "BTC", at(0.25), None, None, None),
    )
    assert the_slice(seen) == MarketSlice(
        exchange="tiny", second_ms=T0, received_ms=at(0.27), entries=(entry(0.3, mark=51.0, index=52.0, last=53.0),)
    )


def test_a_slice_adds_up_the_flow_of_takers() -> None:
    seen = market(
        trade(0.1, 2, price=50), trade(0.2, 1, price=60), trade(0.3, 4, price=40, is_buy=False), trade(0.4, 1, price=45)
    )
    assert the_slice(seen).entries == (
        entry(
            0.4,
            last=45.0,
            trades=4,
            taker_buy_base=4.0,
            taker_sell_base=4.0,
            taker_buy_usd=205.0,
            taker_sell_usd=160.0,
            high=60.0,
            low=40.0,
            large_sell_base=None,  # too few orders to know
        ),
    )


def test_dollars_are_null_as_soon_as_one_trade_is_not_proven() -> None:
    [found] = the_slice(market(trade(0.1, 2), trade(0.2, 1, usd=None), trade(0.3, 1, is_buy=False))).entries
    assert (found.taker_buy_base, found.taker_buy_usd, found.taker_sell_usd) == (3.0, None, 50.0)


def test_prints_of_one_taker_order_are_one_trade_in_size() -> None:
    seen = market(*(trade(0.1, 1) for _ in range(ENOUGH)))
    seen.close(T0, with_empty=False)
    for order in ("a", "a", "a", "b", "", ""):
        seen.trade(trade(1.1, 1, order=order))
    seen.trade(trade(1.2, 2, order="c", is_buy=False))
    [found] = the_slice(seen).entries
    assert (found.taker_buy_base, found.large_buy_base) == (6.0, 3.0)
    assert (found.taker_sell_base, found.large_sell_base) == (2.0, 2.0)


def test_slices_are_cut_by_asset_and_the_empty_ones_are_the_heartbeat() -> None:
    facts = [quote(0.1, 1.0, symbol=f"{asset}USDT", asset=asset) for asset in ("BTC", "ETH", "SOL", "XRP", "DOGE")]
    only_changed, _ = market(*facts, partitions=12).close(T0, with_empty=False)
    with_empty, _ = market(*facts, partitions=12).close(T0, with_empty=True)
    assert {n: {e.asset for e in part.entries} for n, part in only_changed.items()} == {
        n: {fact.asset for fact in facts if partition_of(fact.asset, 12) == n}
        for n in {partition_of(fact.asset, 12) for fact in facts}
    }
    assert sorted(with_empty) == list(range(12))
    assert {n: part for n, part in with_empty.items() if part.entries} == only_changed


def test_a_closed_second_leaves_nothing() -> None:
    seen = market(quote(0.1, 50.0))
    seen.close(T0, with_empty=False)
    assert seen.close(T0 + 1_000, with_empty=False) == ({}, [])


def test_a_second_that_spans_two_minutes_of_the_exchange_is_one_slice_and_two_parts() -> None:
    seen = market(quote(59.9, 50.0), trade(59.95, 1), trade(60.05, 2, price=70), quote(60.1, 49.0))
    slices, parts = seen.close(at(60), with_empty=False)
    [found] = slices[0].entries
    assert (found.mark, found.trades, found.taker_buy_base, found.high) == (49.0, 2, 3.0, 70.0)
    assert [(part.minute_ms, part.mark, part.trades, part.buy_base) for part in parts] == [
        (T0, 50.0, 1, 1.0),
        (T0 + 60_000, 49.0, 1, 2.0),
    ]


def test_open_interest_and_predicted_funding_belong_to_the_minute_only() -> None:
    seen = Market("tiny", 1)
    seen.open_interest(open_interest(1, 10, usd=500.0))
    seen.funding(funding(2, 0.1))
    seen.funding(funding(3, 0.2, FundingKind.SETTLED))
    assert seen.close(T0, with_empty=False) == (
        {},
        [
            Part(
                T0,
                "BTCUSDT",
                "BTC",
                observations=2,
                open_interest_base=10,
                open_interest_usd=500.0,
                funding_rate=0.1,
                open_interest_ms=at(1),
            )
        ],
    )


def test_a_restart_anywhere_changes_nothing() -> None:
    facts: list[Quote | Trade] = []
    for number in range(60):
        facts += [quote(number / 10, float(number)), trade(number / 10, number + 1.0, order=str(number // 4))]
    steady, broken = market(), market()
    for number, fact in enumerate(facts):
        copy = Market("tiny", 1)
        copy.load(unpack(pack(broken.tables())))
        broken = copy
        for seen in (steady, broken):
            seen.received_ms = fact.event_ms
            if isinstance(fact, Quote):
                seen.quote(fact)
            else:
                seen.trade(fact)
        if number % 7 == 0:
            assert repr(broken.close(T0 + number, with_empty=True)) == repr(steady.close(T0 + number, with_empty=True))
    assert pack(broken.tables()) == pack(steady.tables())


def test_a_trade_whose_coins_are_not_proven_makes_the_flow_of_its_second_unknown() -> None:
    unproven = Trade("BTCUSDT", "BTC", at(0.2), True, 60.0, None, None, "")
    assert the_slice(market(trade(0.1, 2, price=50), unproven)).entries == (
        entry(
            0.2,
            last=60.0,
            trades=2,
            taker_buy_base=None,
            taker_sell_base=0.0,
            taker_sell_usd=0.0,
            high=60.0,
            low=50.0,
            large_sell_base=0.0,
        ),
    )

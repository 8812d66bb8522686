from __future__ import annotations

import pytest

from schemas.records import ContractKind, Position
from simulator.contracts import Contract
from simulator.events import Liquidation, Quote, Trade
from simulator.exchanges.binance.printing import (
    agg_trades,
    force_order,
    instrument,
    listed,
    mark_price,
    open_interest,
)
from simulator.truth import known

LINEAR, INVERSE = ContractKind.LINEAR, ContractKind.INVERSE
MARCH_MS = 1_806_048_000_000  # 26 March 2027, 08:00 UTC
NOW_MS = 1_795_000_000_000
NEXT_MS = 1_795_017_600_000


def quote(contract: Contract, *, price: float, open_interest: float = 0.0) -> Quote:
    rate, next_ms = (-0.00012, NEXT_MS) if contract.expiry_ms is None else (None, None)
    return Quote(contract, price, price, price, open_interest, rate, next_ms, NOW_MS)


@pytest.mark.parametrize(
    ("contract", "category", "symbol", "base", "scale"),
    [
        (Contract("BTC", "USDT", LINEAR), "um", "BTCUSDT", "BTC", 1),
        (Contract("BTC", "USDC", LINEAR), "um", "BTCUSDC", "BTC", 1),
        (Contract("PEPE", "USDT", LINEAR), "um", "1000PEPEUSDT", "1000PEPE", 1000),
        (Contract("BTC", "USDT", LINEAR, MARCH_MS), "um", "BTCUSDT_270326", "BTC", 1),
        (Contract("BTC", "USD", INVERSE), "cm", "BTCUSD_PERP", "BTC", 1),
        (Contract("BTC", "USD", INVERSE, MARCH_MS), "cm", "BTCUSD_270326", "BTC", 1),
    ],
)
def test_a_contract_has_the_symbol_that_the_exchange_gives_it(
    contract: Contract, category: str, symbol: str, base: str, scale: int
) -> None:
    this = listed(contract)
    assert (this.category, this.symbol, this.base, this.scale) == (category, symbol, base, scale)


def test_quantities_are_base_coins_in_steps_and_contracts_of_coin_m_at_least_one() -> None:
    bitcoin, pepe = listed(Contract("BTC", "USDT", LINEAR)), listed(Contract("PEPE", "USDT", LINEAR))
    inverse, ripple = listed(Contract("BTC", "USD", INVERSE)), listed(Contract("XRP", "USD", INVERSE))
    assert (bitcoin.price(94_123.456), bitcoin.quantity(0.12345, 94_123.456)) == ("94123.5", "0.1234")
    assert (pepe.price(0.0000061234), pepe.quantity(40_123_456, 0.0000061234)) == ("0.00612340", "40000")
    assert (inverse.quantity(0.1, 94_000), ripple.quantity(100, 2.0)) == ("94", "20")
    assert (inverse.quantity(1e-9, 94_000), bitcoin.quantity(1e-9, 94_000)) == ("1", "0.0001")


def test_a_liquidated_long_was_sold_below_by_an_order_whose_limit_was_lower_still() -> None:
    contract = Contract("BTC", "USDT", LINEAR)
    this = listed(contract)
    one = known("binance", this, Liquidation(contract, Position.LONG, 94_000.0, 0.25, NOW_MS), 7)
    assert force_order(this, one, NOW_MS + 1_005) == {
        "e": "forceOrder",
        "E": NOW_MS + 1_005,
        "o": {
            "s": "BTCUSDT",
            "S": "SELL",
            "o": "LIMIT",
            "f": "IOC",
            "q": "0.2500",
            "p": "92872.0",
            "ap": "94000.0",
            "X": "FILLED",
            "l": "0.1250",
            "z": "0.2500",
            "T": NOW_MS,
            "ps": "BTCUSDT",
            "st": 1,
        },
    }


@pytest.mark.parametrize(
    ("contract", "price", "coins", "printed", "base", "usd"),
    [
        (Contract("BTC", "USDT", LINEAR), 94_000.0, 0.25, "0.2500", 0.25, 23_500),
        (Contract("PEPE", "USDC", LINEAR), 0.000006, 40_000_000, "40000", 40_000_000, 240),
        (Contract("BTC", "USD", INVERSE), 80_000.0, 0.5, "400", 0.5, 40_000),
        (Contract("XRP", "USD", INVERSE, MARCH_MS), 2.0, 100, "20", 100, 200),
    ],
)
def test_the_truth_says_coins_and_dollars_of_what_was_printed(
    contract: Contract, price: float, coins: float, printed: str, base: float, usd: float
) -> None:
    one = known(
        "binance", listed(contract), Liquidation(contract, Position.SHORT, price, coins, NOW_MS), 0, withheld=True
    )
    assert (one.quantity, one.withheld, one.sent_ns) == (printed, True, 0)
    assert [one.quantity_base, one.notional_usd] == pytest.approx([base, usd])


@pytest.mark.parametrize(
    ("contract", "rate", "next_ms", "book"),
    [
        (Contract("BTC", "USDT", LINEAR), "-0.00012000", NEXT_MS, 1),
        (Contract("BTC", "USDT", LINEAR, MARCH_MS), "0.00000000", 0, 1),
        (Contract("BTC", "USD", INVERSE), "-0.00012000", NEXT_MS, 2),
        (Contract("BTC", "USD", INVERSE, MARCH_MS), "", 0, 2),
    ],
)
def test_a_dated_future_has_no_next_funding(contract: Contract, rate: str, next_ms: int, book: int) -> None:
    printed = mark_price(listed(contract), quote(contract, price=94_000.0), NOW_MS)
    assert (printed["p"], printed["r"], printed["T"], printed["st"]) == ("94000.0", rate, next_ms, book)


def test_open_interest_is_in_base_coins_or_in_contracts() -> None:
    pepe, bitcoin = Contract("PEPE", "USDT", LINEAR), Contract("BTC", "USD", INVERSE)
    scaled = open_interest(listed(pepe), quote(pepe, price=0.000006, open_interest=5e12))
    contracts = open_interest(listed(bitcoin), quote(bitcoin, price=94_000.0, open_interest=1e6))
    assert scaled == {"symbol": "1000PEPEUSDT", "openInterest": "5000000000", "time": NOW_MS}
    assert contracts == {"symbol": "BTCUSD_PERP", "openInterest": "10000", "time": NOW_MS, "pair": "BTCUSD"}


def test_a_taker_that_sold_met_buyers_who_were_makers_one_print_for_each_price() -> None:
    contract = Contract("BTC", "USDT", LINEAR)
    trade = Trade(contract, False, ((94_000.0, 0.1), (93_998.0, 0.2)), NOW_MS)
    first, second = agg_trades(listed(contract), trade, 7, NOW_MS + 5)
    assert [first["a"], second["a"]] == [7, 8]
    assert [(each["p"], each["q"], each["m"], each["T"], each["E"]) for each in (first, second)] == [
        ("94000.0", "0.1000", True, NOW_MS, NOW_MS + 5),
        ("93998.0", "0.2000", True, NOW_MS, NOW_MS + 5),
    ]


def test_only_an_instrument_of_coin_m_has_a_size_and_calls_its_status_otherwise() -> None:
    linear = instrument(listed(Contract("BTC", "USDC", LINEAR, MARCH_MS)))
    inverse = instrument(listed(Contract("BTC", "USD", INVERSE)))
    fields = ("contractType", "deliveryDate", "quoteAsset", "marginAsset")
    assert tuple(linear[field] for field in fields) == ("CURRENT_QUARTER", MARCH_MS, "USDC", "USDC")
    assert tuple(inverse[field] for field in fields) == ("PERPETUAL", 4_133_404_800_000, "USD", "BTC")
    assert (linear["status"], "contractSize" in linear) == ("TRADING", False)
    assert (inverse["contractStatus"], inverse["contractSize"], "status" in inverse) == ("TRADING", 100, False)

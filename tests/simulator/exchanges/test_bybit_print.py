from __future__ import annotations

import pytest

from schemas.records import ContractKind
from simulator.contracts import Contract
from simulator.events import Quote
from simulator.exchanges.bybit.printing import delivery, instrument, listed, standing

LINEAR, INVERSE = ContractKind.LINEAR, ContractKind.INVERSE
MARCH_MS = 1_806_048_000_000  # 26 March 2027, 08:00 UTC


def quote(contract: Contract, *, price: float, open_interest: float) -> Quote:
    perpetual = contract.expiry_ms is None
    return Quote(
        contract,
        mark=price,
        index=price,
        last=price,
        open_interest=open_interest,
        funding_rate=-0.00012 if perpetual else None,
        next_funding_ms=1_795_017_600_000 if perpetual else None,
        event_ms=1_795_000_000_000,
    )


@pytest.mark.parametrize(
    ("contract", "category", "symbol", "base", "scale"),
    [
        (Contract("BTC", "USDT", LINEAR), "linear", "BTCUSDT", "BTC", 1),
        (Contract("BTC", "USDC", LINEAR), "linear", "BTCPERP", "BTC", 1),
        (Contract("PEPE", "USDT", LINEAR), "linear", "1000PEPEUSDT", "1000PEPE", 1000),
        (Contract("SHIB", "USDT", LINEAR), "linear", "SHIB1000USDT", "SHIB1000", 1000),
        (Contract("BTC", "USDT", LINEAR, MARCH_MS), "linear", "BTCUSDT-26MAR27", "BTC", 1),
        (Contract("ETH", "USDC", LINEAR, MARCH_MS), "linear", "ETH-26MAR27", "ETH", 1),
        (Contract("BTC", "USD", INVERSE), "inverse", "BTCUSD", "BTC", 1),
        (Contract("BTC", "USD", INVERSE, MARCH_MS), "inverse", "BTCUSDH27", "BTC", 1),
    ],
)
def test_a_contract_has_the_symbol_that_the_exchange_gives_it(
    contract: Contract, category: str, symbol: str, base: str, scale: int
) -> None:
    this = listed(contract)

    assert (this.category, this.symbol, this.base, this.scale) == (category, symbol, base, scale)


def test_prices_and_quantities_are_printed_in_ticks_and_steps() -> None:
    bitcoin = listed(Contract("BTC", "USDT", LINEAR))
    pepe = listed(Contract("PEPE", "USDT", LINEAR))
    inverse = listed(Contract("BTC", "USD", INVERSE))

    assert (bitcoin.price(94_123.456), bitcoin.quantity(0.12345, 94_123.456)) == ("94123.5", "0.1234")
    assert (pepe.price(0.0000061234), pepe.quantity(40_123_456, 0.0000061234)) == ("0.00612340", "40000")
    assert (inverse.price(94_123.456), inverse.quantity(0.02, 94_000)) == ("94123.5", "1880")


def test_a_quantity_is_at_least_one_step() -> None:
    assert listed(Contract("BTC", "USDT", LINEAR)).quantity(1e-9, 94_000) == "0.0001"
    assert listed(Contract("BTC", "USD", INVERSE)).quantity(1e-9, 94_000) == "1"


def test_open_interest_of_a_linear_contract_is_in_coins_of_both_sides_and_of_one() -> None:
    contract = Contract("BTC", "USDT", LINEAR)

    assert standing(listed(contract), quote(contract, price=94_000, open_interest=30_000)) == {
        "lastPrice": "94000.0",
        "markPrice": "94000.0",
        "indexPrice": "94000.0",
        "bid1Price": "94000.0",
        "ask1Price": "94000.1",
        "fundingRate": "-0.00012000",
        "nextFundingTime": "1795017600000",
        "openInterest": "60000.0000",
        "openInterestValue": "5640000000.00",
        "singleOpenInterest": "30000.0000",
        "singleOpenInterestValue": "2820000000.00",
    }


def test_open_interest_of_an_inverse_future_is_in_dollars_and_its_value_in_coins() -> None:
    contract = Contract("BTC", "USD", INVERSE, MARCH_MS)

    assert standing(listed(contract), quote(contract, price=100_000, open_interest=1_000_000)) == {
        "lastPrice": "100000.0",
        "markPrice": "100000.0",
        "indexPrice": "100000.0",
        "bid1Price": "100000.0",
        "ask1Price": "100000.1",
        "fundingRate": "",
        "nextFundingTime": "",
        "openInterest": "2000000",
        "openInterestValue": "20.00",
        "singleOpenInterest": "1000000",
        "singleOpenInterestValue": "10.00",
    }


def test_open_interest_of_a_scaled_contract_is_in_thousands_of_coins() -> None:
    contract = Contract("PEPE", "USDT", LINEAR)
    printed = standing(listed(contract), quote(contract, price=0.000006, open_interest=5e12))

    assert (printed["markPrice"], printed["singleOpenInterest"], printed["openInterest"]) == (
        "0.00600000",
        "5000000000",
        "10000000000",
    )


@pytest.mark.parametrize(
    ("contract", "facts"),
    [
        (Contract("BTC", "USDT", LINEAR), ("LinearPerpetual", "BTC", "USDT", "USDT", "0", 480)),
        (Contract("PEPE", "USDC", LINEAR), ("LinearPerpetual", "1000PEPE", "USDC", "USDC", "0", 480)),
        (Contract("BTC", "USDT", LINEAR, MARCH_MS), ("LinearFutures", "BTC", "USDT", "USDT", str(MARCH_MS), 0)),
        (Contract("ETH", "USD", INVERSE), ("InversePerpetual", "ETH", "USD", "ETH", "0", 480)),
        (Contract("ETH", "USD", INVERSE, MARCH_MS), ("InverseFutures", "ETH", "USD", "ETH", str(MARCH_MS), 0)),
    ],
)
def test_an_instrument_says_what_it_is(contract: Contract, facts: tuple[object, ...]) -> None:
    printed = instrument(listed(contract))
    fields = ("contractType", "baseCoin", "quoteCoin", "settleCoin", "deliveryTime", "fundingInterval")

    assert tuple(printed[field] for field in fields) == facts


def test_a_delivery_is_text_on_the_socket_and_milliseconds_over_rest() -> None:
    future, perpetual = listed(Contract("BTC", "USD", INVERSE, MARCH_MS)), listed(Contract("BTC", "USD", INVERSE))

    assert delivery(future, rest=False) == {"deliveryTime": "2027-03-26T08:00:00Z"}
    assert delivery(future, rest=True) == {"deliveryTime": str(MARCH_MS)}
    assert (delivery(perpetual, rest=False), delivery(perpetual, rest=True)) == ({}, {"deliveryTime": "0"})

from __future__ import annotations

import pytest

from schemas.records import ContractKind
from simulator.contracts import Contract
from simulator.events import Quote, Trade
from simulator.exchanges.okx.printing import Listed, fills, funding_rate, instrument, listed, open_interest

LINEAR, INVERSE = ContractKind.LINEAR, ContractKind.INVERSE
MARCH_MS = 1_806_048_000_000  # 26 March 2027, 08:00 UTC
NOW_MS = 1_795_000_000_000


def quote(contract: Contract, *, price: float, open_interest: float) -> Quote:
    return Quote(
        contract,
        mark=price,
        index=price,
        last=price,
        open_interest=open_interest,
        funding_rate=-0.00012,
        next_funding_ms=1_795_017_600_000,
        event_ms=NOW_MS,
    )


@pytest.mark.parametrize(
    ("contract", "category", "symbol", "family", "value"),
    [
        (Contract("BTC", "USDT", LINEAR), "SWAP", "BTC-USDT-SWAP", "BTC-USDT", "0.01"),
        (Contract("BTC", "USDC", LINEAR), "SWAP", "BTC-USDC-SWAP", "BTC-USDC", "0.01"),
        (Contract("DOGE", "USDT", LINEAR), "SWAP", "DOGE-USDT-SWAP", "DOGE-USDT", "1000"),
        (Contract("SHIB", "USDT", LINEAR), "SWAP", "SHIB-USDT-SWAP", "SHIB-USDT", "1000000"),
        (Contract("PEPE", "USDT", LINEAR), "SWAP", "PEPE-USDT-SWAP", "PEPE-USDT", "10000000"),
        (Contract("AAVE", "USDT", LINEAR), "SWAP", "AAVE-USDT-SWAP", "AAVE-USDT", "0.1"),
        (Contract("BTC", "USDT", LINEAR, MARCH_MS), "FUTURES", "BTC-USDT-270326", "BTC-USDT", "0.01"),
        (Contract("BTC", "USD", INVERSE), "SWAP", "BTC-USD-SWAP", "BTC-USD", "100"),
        (Contract("ETH", "USD", INVERSE, MARCH_MS), "FUTURES", "ETH-USD-270326", "ETH-USD", "10"),
    ],
)
def test_a_contract_has_the_id_and_the_value_that_the_exchange_gives_it(
    contract: Contract, category: str, symbol: str, family: str, value: str
) -> None:
    this = listed(contract)
    assert (this.category, this.symbol, this.family, this.value) == (category, symbol, family, value)


@pytest.mark.parametrize(
    ("this", "coins", "price", "printed", "worth"),
    [
        (listed(Contract("BTC", "USDT", LINEAR)), 2.4627, 63_446.2, "246.27", (2.4627, 156_248.95674)),
        (listed(Contract("BTC", "USDT", LINEAR)), 1e-9, 64_000.0, "0.01", (0.0001, 6.4)),
        (listed(Contract("DOGE", "USDT", LINEAR)), 86_000.0, 0.125, "86", (86_000, 10_750)),
        (listed(Contract("SHIB", "USDT", LINEAR)), 12_500_000.0, 0.000008, "12.5", (12_500_000, 100)),
        (listed(Contract("BTC", "USD", INVERSE)), 0.02896, 62_500.0, "18.1", (0.02896, 1_810)),
        (listed(Contract("BTC", "USD", INVERSE)), 1e-9, 64_000.0, "0.1", (10 / 64_000, 10)),
    ],
)
def test_a_quantity_is_a_number_of_contracts_in_lots_and_worth_coins_and_dollars(
    this: Listed, coins: float, price: float, printed: str, worth: tuple[float, float]
) -> None:
    assert this.quantity(coins, price) == printed
    assert this.worth(printed, str(price)) == pytest.approx(worth)


def test_prices_are_printed_in_ticks() -> None:
    assert listed(Contract("BTC", "USDT", LINEAR)).price(94_123.456) == "94123.5"
    assert listed(Contract("PEPE", "USDT", LINEAR)).price(0.0000061234) == "0.00000612340"


@pytest.mark.parametrize(
    ("contract", "facts"),
    [
        (Contract("DOGE", "USDT", LINEAR), ("linear", "1000", "DOGE", "USDT", "DOGE-USDT", "")),
        (Contract("BTC", "USDC", LINEAR), ("linear", "0.01", "BTC", "USDC", "BTC-USDC", "")),
        (Contract("BTC", "USD", INVERSE, MARCH_MS), ("inverse", "100", "USD", "BTC", "BTC-USD", str(MARCH_MS))),
    ],
)
def test_an_instrument_says_what_a_contract_is_worth_and_blanks_its_currencies(
    contract: Contract, facts: tuple[str, ...]
) -> None:
    row = instrument(listed(contract))
    assert tuple(row[field] for field in ("ctType", "ctVal", "ctValCcy", "settleCcy", "uly", "expTime")) == facts
    assert (row["baseCcy"], row["quoteCcy"], row["ctMult"], row["state"]) == ("", "", "1", "live")


def test_open_interest_is_contracts_of_one_side() -> None:
    linear, inverse = Contract("BTC", "USDT", LINEAR), Contract("BTC", "USD", INVERSE)
    assert open_interest(listed(linear), quote(linear, price=100_000, open_interest=30), NOW_MS) == {
        "instId": "BTC-USDT-SWAP",
        "instType": "SWAP",
        "oi": "3000.00000000000000",
        "oiCcy": "30.00000000000000",
        "oiUsd": "3000000.00000000000000",
        "ts": str(NOW_MS),
    }
    row = open_interest(listed(inverse), quote(inverse, price=100_000, open_interest=1_000_000), NOW_MS)
    assert [float(row[field]) for field in ("oi", "oiCcy", "oiUsd")] == [10_000, 10, 1_000_000]


def test_funding_names_the_next_payment_and_the_one_after_it() -> None:
    contract = Contract("BTC", "USDT", LINEAR)
    row = funding_rate(listed(contract), quote(contract, price=1, open_interest=1), NOW_MS)
    assert (row["fundingRate"], row["nextFundingRate"]) == ("-0.0001200000000000", "")
    assert int(row["nextFundingTime"]) - int(row["fundingTime"]) == 8 * 3_600_000


def test_each_price_of_an_order_is_a_print_of_its_own() -> None:
    contract = Contract("BTC", "USDT", LINEAR)
    rows = fills(listed(contract), Trade(contract, False, ((64_000.0, 0.02), (63_999.0, 0.5)), NOW_MS), 7)
    assert [(row["tradeId"], row["px"], row["sz"], row["side"]) for row in rows] == [
        ("7", "64000.0", "2", "sell"),
        ("8", "63999.0", "50", "sell"),
    ]

from __future__ import annotations

from schemas.records import ContractKind, Position
from simulator.contracts import Contract
from simulator.events import Liquidation
from simulator.exchanges.binance.throttle import Throttle, shown

T = 1_790_000_000_000
BTC = Contract("BTC", "USDT", ContractKind.LINEAR)
ETH = Contract("ETH", "USDT", ContractKind.LINEAR)


def liquidation(at_ms: int, coins: float = 1.0, contract: Contract = BTC, price: float = 100.0) -> Liquidation:
    return Liquidation(contract, Position.LONG, price, coins, T + at_ms)


def test_a_second_begins_with_a_liquidation_and_ends_a_second_later() -> None:
    throttle = Throttle()
    first, second = liquidation(190), liquidation(1_190)
    throttle.add(first, T + 200)
    throttle.add(second, T + 1_199)
    assert throttle.take(T + 1_199) == []
    assert throttle.take(T + 1_200) == [[first, second]]
    assert throttle.take(T + 9_000) == []


def test_what_comes_after_a_second_begins_another_one() -> None:
    throttle = Throttle()
    early, late = liquidation(0), liquidation(990)
    throttle.add(early, T)
    assert throttle.take(T + 1_000) == [[early]]
    throttle.add(late, T + 1_000)
    assert throttle.take(T + 1_999) == []
    assert throttle.take(T + 2_000) == [[late]]


def test_each_contract_has_seconds_of_its_own() -> None:
    throttle = Throttle()
    bitcoin, ether = liquidation(0), liquidation(500, contract=ETH)
    throttle.add(bitcoin, T)
    throttle.add(ether, T + 500)
    assert throttle.take(T + 1_000) == [[bitcoin]]
    assert throttle.take(T + 1_500) == [[ether]]


def test_the_largest_in_money_is_shown_and_of_equals_the_first() -> None:
    assert shown([liquidation(0, 1.0), liquidation(1, 3.0), liquidation(2, 2.0)]) == 1
    assert shown([liquidation(0, 1.0, price=300.0), liquidation(1, 2.0)]) == 0
    assert shown([liquidation(0), liquidation(1)]) == 0

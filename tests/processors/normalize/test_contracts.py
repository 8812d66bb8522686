"""What a printed quantity is worth, computed by hand for each kind of contract."""

from __future__ import annotations

import pytest

from processors.normalize.bounded import SYMBOLS_MAX
from processors.normalize.contracts import Contract, Instruments, proven
from schemas.records import ContractKind, Instrument, NativeUnit

T0 = 1_789_670_100_000


def contract(**changes: object) -> Contract:
    facts: dict[str, object] = {
        "exchange": "tiny",
        "category": "linear",
        "symbol": "BTCUSDT",
        "asset": "BTC",
        "scale": 1,
        "is_inverse": False,
        "unit": NativeUnit.BASE,
        "multiplier": 1.0,
        "is_usd_quoted": True,
        "interval_hours": None,
    }
    return Contract(**{**facts, **changes})  # type: ignore[arg-type]  # each has the type of its field


def instrument(symbol: str = "BTCUSDT", event_ms: int = T0, **changes: object) -> Instrument:
    facts: dict[str, object] = {
        "kind": ContractKind.LINEAR,
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "scale": 1,
        "multiplier": 1.0,
        "multiplier_unit": NativeUnit.BASE,
        "is_perpetual": True,
        "status": "Trading",
        "valid_from_ms": event_ms,
        "event_ms": event_ms,
        "received_ms": event_ms + 5,
    }
    return Instrument(exchange="tiny", symbol=symbol, asset="BTC", **{**facts, **changes})  # type: ignore[arg-type]  # each has the type of its field


def of(described: Instrument) -> Contract:
    return proven(described, "linear", NativeUnit.BASE)


@pytest.mark.parametrize(
    ("kind", "quantity", "price", "amounts"),
    [
        pytest.param(contract(), 0.5, 80_000.0, (0.5, 40_000.0), id="base coins: 0.5 x 80,000"),
        pytest.param(contract(scale=1000), 3.0, 0.006, (3_000.0, 0.018), id="1000PEPE: 3 x 1000 coins, 3 x 0.006"),
        pytest.param(contract(multiplier=0.01), 86.0, 50_000.0, (0.86, 43_000.0), id="contracts of 0.01 coins"),
        pytest.param(contract(is_inverse=True), 500.0, 50_000.0, (0.01, 500.0), id="inverse, quantity in dollars"),
        pytest.param(
            contract(is_inverse=True, multiplier=100.0), 2_304.0, 80_000.0, (2.88, 230_400.0), id="contracts of 100 USD"
        ),
        pytest.param(contract(is_usd_quoted=False), 0.5, 0.05, (0.5, None), id="quoted in a coin: no dollars"),
        pytest.param(contract(multiplier=None), 13.0, 5.0, (None, None), id="contracts of unknown size"),
        pytest.param(contract(), 7.0, None, (7.0, None), id="linear without a price"),
        pytest.param(contract(is_inverse=True), 7.0, None, (None, 7.0), id="inverse without a price"),
    ],
)
def test_amounts_are_coins_and_dollars(
    kind: Contract, quantity: float, price: float | None, amounts: tuple[float | None, float | None]
) -> None:
    assert kind.amounts(quantity, price) == pytest.approx(amounts)


def test_an_instrument_proves_its_contract() -> None:
    described = instrument(quote="USDC", funding_interval_hours=4.0, multiplier=10.0, kind=ContractKind.INVERSE)
    assert proven(described, "cm", NativeUnit.CONTRACTS) == contract(
        category="cm", unit=NativeUnit.CONTRACTS, is_inverse=True, multiplier=10.0, interval_hours=4.0
    )


def test_only_an_instrument_that_changed_in_more_than_its_times_is_news() -> None:
    known = Instruments(of)
    assert known.learn([instrument()]) == [instrument()]
    assert known.learn([instrument(event_ms=T0 + 1)]) == []
    dearer = instrument(event_ms=T0 + 2, multiplier=2.0)
    assert known.learn([dearer]) == [dearer]
    assert known.contract("linear", "BTCUSDT") == contract(multiplier=2.0)


def test_the_instrument_first_seen_leaves_when_there_are_too_many() -> None:
    known = Instruments(of)
    known.learn(instrument(f"A{number}") for number in range(SYMBOLS_MAX + 1))
    assert known.contract("linear", "A0") is None
    assert known.contract("linear", "A1") == contract(symbol="A1")


def test_instruments_continue_from_their_state() -> None:
    known, again = Instruments(of), Instruments(of)
    known.learn([instrument()])
    again.load(known.state())
    assert again.contract("linear", "BTCUSDT") == contract()
    assert again.learn([instrument(event_ms=T0 + 1)]) == []

"""The same market means the same, printed by Binance as by the market itself and by Bybit."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from processors.normalize.binance import Binance
from processors.normalize.facts import Frame
from schemas.raw import SourceKind
from schemas.records import Liquidation
from simulator.events import Liquidation as Event
from simulator.exchanges.binance.printing import Listed, force_order, instrument, listed
from simulator.exchanges.bybit import printing as bybit_print
from simulator.market import Market
from simulator.truth import known

T = 1_790_000_000_000
LISTINGS = {
    "um": "GET https://fapi.binance.com/fapi/v1/exchangeInfo",
    "cm": "GET https://dapi.binance.com/dapi/v1/exchangeInfo",
}


def frame(message: Any, url: str) -> Frame:
    kind = SourceKind.REST if url.startswith("GET ") else SourceKind.FRAME
    return Frame(orjson.dumps(message), T + 600_000, kind, url, "socket", 0, 0, 0)


def understood(binance: Binance, event: Event) -> Liquidation:
    """Return what the normalizer makes of an event as it is printed; it is what the truth says of it."""
    this = listed(event.contract)
    true = known("binance", this, event, 0)
    told = {"stream": "!forceOrder@arr", "data": force_order(this, true, T)}
    [fact] = binance.normalize(frame(told, "wss://fstream.binance.com/market/stream"))
    assert isinstance(fact, Liquidation)
    assert (fact.symbol, fact.asset, fact.position, fact.event_ms) == (
        true.symbol,
        true.asset,
        true.position,
        true.event_ms,
    )
    assert [fact.quantity_base, fact.notional_usd] == pytest.approx([true.quantity_base, true.notional_usd])
    return fact


def step_usd(this: Listed, price: float) -> float:
    """Return the most that rounding to steps may change: up to one, since a quantity is never less than that."""
    return this.contract_usd or this.step * this.scale * price


def test_a_liquidation_has_one_position_asset_coins_and_dollars_up_to_rounding() -> None:
    market = Market(seed=5, opened_ms=T, rate=1, liquidations_per_second=200)
    binance = Binance()
    for category, url in LISTINGS.items():
        rows = [instrument(this) for this in map(listed, market.contracts) if this.category == category]
        binance.normalize(frame({"serverTime": T, "symbols": rows}, url))
    events = [event for event in market.step(T + 5_000) if isinstance(event, Event)]
    for event in events:
        fact = understood(binance, event)
        price, usd = event.price, event.quantity_base * event.price
        assert (fact.position, fact.asset) == (event.position, event.contract.asset)
        assert fact.price == pytest.approx(price, rel=1e-5)
        assert fact.notional_usd is not None
        assert fact.quantity_base is not None
        slack = step_usd(listed(event.contract), price) + usd * 1e-5
        assert abs(fact.notional_usd - usd) <= slack
        assert abs(fact.quantity_base * price - usd) <= slack

        other = bybit_print.listed(event.contract)
        quantity = float(other.quantity(event.quantity_base, price))
        other_usd = quantity if other.category == "inverse" else quantity * float(other.price(price))
        other_step_usd = other.step if other.category == "inverse" else other.step * other.scale * price
        assert abs(fact.notional_usd - other_usd) <= slack + other_step_usd + usd * 1e-5
    assert {listed(event.contract).category for event in events} == {"um", "cm"}
    assert len(events) > 500

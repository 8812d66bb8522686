"""The same market, printed by two exchanges in their own words, has one meaning."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest

from processors.normalize.bybit import Bybit
from processors.normalize.facts import Fact, Frame, Normalizer
from processors.normalize.okx import Okx
from schemas.raw import SourceKind
from schemas.records import Liquidation
from simulator.events import Liquidation as Event
from simulator.exchanges.bybit import printing as bybit_print
from simulator.exchanges.okx import printing as okx_print
from simulator.exchanges.okx.liquidations import printed
from simulator.market import Market
from simulator.truth import known

T = 1_790_000_000_000
SIDES = {"LONG": "Buy", "SHORT": "Sell"}


def frame(message: object, url: str) -> Frame:
    kind = SourceKind.REST if url.startswith("GET ") else SourceKind.FRAME
    return Frame(orjson.dumps(message), T + 600_000, kind, url, "socket", 0, 0, 0)


def one(facts: Sequence[Fact]) -> Liquidation:
    [fact] = facts
    assert isinstance(fact, Liquidation)
    return fact


def by_bybit(normalizer: Normalizer, event: Event) -> Liquidation:
    this = bybit_print.listed(event.contract)
    url = f"wss://stream.bybit.com/v5/public/{this.category}"
    item = {
        "T": event.event_ms,
        "s": this.symbol,
        "S": SIDES[event.position],
        "v": this.quantity(event.quantity_base, event.price),
        "p": this.price(event.price),
    }
    return one(normalizer.normalize(frame({"topic": f"allLiquidation.{this.symbol}", "data": [item]}, url)))


def by_okx(normalizer: Normalizer, event: Event) -> Liquidation:
    this = okx_print.listed(event.contract)
    true = known("okx", this, event, 0)
    row = {"instId": this.symbol, "instType": this.category, "details": [printed(true)]}
    arg = {"channel": "liquidation-orders", "instType": this.category}
    told = one(normalizer.normalize(frame({"arg": arg, "data": [row]}, "wss://ws.okx.com:8443/ws/v5/public")))
    assert (told.asset, told.position) == (true.asset, true.position)
    assert [told.quantity_base, told.notional_usd] == pytest.approx([true.quantity_base, true.notional_usd])
    return told


def knowing(market: Market) -> tuple[Bybit, Okx]:
    """Return normalizers that know every instrument of the market."""
    bybit, okx = Bybit(), Okx()
    for contract in market.contracts:
        this = bybit_print.listed(contract)
        url = f"GET https://api.bybit.com/v5/market/instruments-info?category={this.category}"
        result = {"category": this.category, "list": [bybit_print.instrument(this)]}
        bybit.normalize(frame({"retCode": 0, "result": result, "time": T}, url))
    for kind in ("SWAP", "FUTURES"):
        listed = [this for this in map(okx_print.listed, market.contracts) if this.category == kind]
        url = f"GET https://openapi.okx.com/api/v5/public/instruments?instType={kind}"
        okx.normalize(frame({"code": "0", "data": [okx_print.instrument(this) for this in listed]}, url))
    return bybit, okx


def test_a_liquidation_means_the_same_whichever_exchange_prints_it() -> None:
    market = Market(seed=7, opened_ms=T, rate=1, liquidations_per_second=20)
    bybit, okx = knowing(market)
    events = [event for event in market.step(T + 10_000) if isinstance(event, Event)]
    kinds = set()
    for event in events:
        theirs, ours = by_bybit(bybit, event), by_okx(okx, event)
        kinds.add((event.contract.kind, event.contract.quote, event.contract.expiry_ms is None))
        assert (ours.asset, ours.position, ours.event_ms) == (theirs.asset, theirs.position, theirs.event_ms)
        assert ours.price == pytest.approx(theirs.price, rel=1e-4)
        assert ours.quantity_base == pytest.approx(theirs.quantity_base, abs=rounding(event))
        assert ours.notional_usd == pytest.approx(theirs.notional_usd, rel=1e-4, abs=rounding(event) * event.price)
    assert len(events) > 50
    assert len(kinds) > 3


def rounding(event: Event) -> float:
    """Return by how many coins two exchanges may differ: a step of each."""
    this, other = okx_print.listed(event.contract), bybit_print.listed(event.contract)
    amounts = (float(this.lot) * float(this.value), other.step * other.scale)
    coins = [amount / event.price if this.is_inverse else amount for amount in amounts]
    return sum(coins)

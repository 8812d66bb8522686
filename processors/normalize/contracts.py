"""Which contract a symbol names, and what its numbers count: proven by its instrument, or a rule of the exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from processors.normalize.bounded import keep
from schemas.assets import counts_as_usd
from schemas.records import ContractKind, Instrument, NativeUnit


class Contract(NamedTuple):
    """What a mapping needs to know of a contract."""

    exchange: str
    category: str  # the exchange's own word for the market, part of a liquidation's identity
    symbol: str
    asset: str
    scale: int  # coins of the asset in one base coin
    is_inverse: bool  # its quantities count US dollars, and its profit is paid in coins
    unit: NativeUnit  # of a printed quantity
    multiplier: float | None  # base coins in one unit, of an inverse contract US dollars; None where it is not proven
    is_usd_quoted: bool  # proven
    interval_hours: float | None  # between two funding payments; None where it is not proven

    def amounts(self, quantity: float, price_native: float | None) -> tuple[float | None, float | None]:
        """Return coins of the asset and US dollars, None where not proven; both arguments are as printed."""
        if self.multiplier is None:
            return None, None
        value = quantity * self.multiplier
        if self.is_inverse:
            return value / price_native * self.scale if price_native else None, value
        return value * self.scale, value * price_native if price_native and self.is_usd_quoted else None


def proven(instrument: Instrument, category: str, unit: NativeUnit) -> Contract:
    """Return the contract of an instrument; `unit` is what the exchange's quantities count."""
    return Contract(
        instrument.exchange,
        category,
        instrument.symbol,
        instrument.asset,
        instrument.scale,
        instrument.kind is ContractKind.INVERSE,
        unit,
        instrument.multiplier,
        counts_as_usd(instrument.quote),
        instrument.funding_interval_hours,
    )


class Instruments:
    """The instruments that an exchange has described, by category and symbol."""

    def __init__(self, contract_of: Callable[[Instrument], Contract]) -> None:
        """`contract_of` an instrument: the exchange's way to `proven`."""
        self._contract_of = contract_of
        self._known: dict[tuple[str, str], Instrument] = {}
        self._contracts: dict[tuple[str, str], Contract] = {}

    def contract(self, category: str, symbol: str) -> Contract | None:
        """Return what is proven of a symbol."""
        return self._contracts.get((category, symbol))

    def of(self, category: str) -> list[Instrument]:
        """Return what is known of a category."""
        return [instrument for key, instrument in self._known.items() if key[0] == category]

    def learn(self, described: Iterable[Instrument]) -> list[Instrument]:
        """Keep instruments; return those that are new, or other than they were."""
        changed = []
        for instrument in described:
            contract = self._contract_of(instrument)
            key = contract.category, contract.symbol
            if _differ(self._known.get(key), instrument):
                changed.append(instrument)
                keep(self._known, key, instrument)
                keep(self._contracts, key, contract)
        return changed

    def state(self) -> list[object]:
        """Return the instruments as plain values."""
        return [msgspec.to_builtins(instrument) for instrument in self._known.values()]

    def load(self, state: object) -> None:
        """Continue from `state()`."""
        self._known, self._contracts = {}, {}
        self.learn(msgspec.convert(state, list[Instrument]))


def _differ(known: Instrument | None, now: Instrument) -> bool:
    """Say whether an instrument is new in more than its times."""
    if known is None:
        return True
    times = {"event_ms": known.event_ms, "received_ms": known.received_ms, "valid_from_ms": known.valid_from_ms}
    return msgspec.structs.replace(now, **times) != known

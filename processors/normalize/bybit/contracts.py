"""Which contract a Bybit symbol names: proven by its instrument, else as much as its grammar tells."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from processors.normalize.bybit.wire import InstrumentRow
from processors.normalize.contracts import Contract, proven
from schemas.assets import asset_of
from schemas.records import ContractKind, Instrument, NativeUnit

EXCHANGE = "bybit"
Category = Literal["linear", "inverse"]

# BTCUSDT, BTCUSDT-21FEB25, and in USDC BTCPERP, BTC-24MAR23
LINEAR = re.compile(r"(\w+?)(?:(?:USDT|PERP)|(?:USDT)?-\d{1,2}[A-Z]{3}\d{2})")
# BTCUSD, BTCUSDH23
INVERSE = re.compile(r"(\w+?)USD(?:[HMUZ]\d{2})?")
GRAMMAR: dict[Category, re.Pattern[str]] = {"linear": LINEAR, "inverse": INVERSE}
EXAMPLES: dict[Category, str] = {"linear": "BTCUSDT, BTCPERP, BTC-24MAR23", "inverse": "BTCUSD, BTCUSDH23"}
UNITS: dict[Category, NativeUnit] = {"linear": NativeUnit.BASE, "inverse": NativeUnit.USD}
KINDS: dict[Category, ContractKind] = {"linear": ContractKind.LINEAR, "inverse": ContractKind.INVERSE}


@lru_cache(1_024)
def category_of(url: str) -> Category | None:
    """Return what the path of a socket or the query of a request says; the host says nothing."""
    parts = urlsplit(url.removeprefix("GET "))
    _, public, said = parts.path.rpartition("/v5/public/")
    if not public:
        said = parse_qs(parts.query).get("category", [""])[0]
    return checked_category(said) if said else None


def checked_category(said: str) -> Category:
    """Return the category, or raise ValueError for one that is none of derivatives."""
    if said not in GRAMMAR:
        raise ValueError(f"category is {said!r}, expected 'linear' or 'inverse'")
    return said


@lru_cache(16_384)
def guessed(category: Category | None, symbol: str) -> Contract:
    """Return what the grammar of symbols tells, or raise ValueError."""
    for possible in [category] if category else GRAMMAR:
        if found := GRAMMAR[possible].fullmatch(symbol):
            asset, scale = asset_of(found[1])
            return Contract(
                exchange=EXCHANGE,
                category=possible,
                symbol=symbol,
                asset=asset,
                scale=scale,
                is_inverse=possible == "inverse",
                unit=UNITS[possible],
                multiplier=1.0,
                is_usd_quoted=False,
                interval_hours=None,
            )
    like = [EXAMPLES[category]] if category else list(EXAMPLES.values())
    raise ValueError(f"symbol is {symbol!r}, expected its instrument before it, or one like {', '.join(like)}")


def contract_of(instrument: Instrument) -> Contract:
    """Return what an instrument proves."""
    category: Category = "inverse" if instrument.kind is ContractKind.INVERSE else "linear"
    return proven(instrument, category, instrument.multiplier_unit)


def instrument_of(row: InstrumentRow, event_ms: int, received_ms: int) -> Instrument:
    """Return the facts of a contract. Bybit has no multiplier: quantities count base coins, or dollars if inverse."""
    category: Category = "inverse" if row.contractType.startswith("Inverse") else "linear"
    asset, scale = asset_of(row.baseCoin)
    return Instrument(
        exchange=EXCHANGE,
        symbol=row.symbol,
        asset=asset,
        event_ms=event_ms,
        received_ms=received_ms,
        kind=KINDS[category],
        base=row.baseCoin,
        quote=row.quoteCoin,
        settle=row.settleCoin,
        scale=scale,
        multiplier=1.0,
        multiplier_unit=UNITS[category],
        is_perpetual=row.contractType.endswith("Perpetual"),
        expiry_ms=row.deliveryTime or None,
        tick_size=row.priceFilter.tickSize if row.priceFilter else None,
        quantity_step=row.lotSizeFilter.qtyStep if row.lotSizeFilter else None,
        max_leverage=row.leverageFilter.maxLeverage if row.leverageFilter else None,
        funding_interval_hours=row.fundingInterval / 60 or None,
        status=row.status,
        valid_from_ms=event_ms,
    )

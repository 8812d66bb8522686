"""Which contract a Binance symbol names: proven by its instrument, else as much as its grammar tells."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from msgspec import UNSET

from processors.normalize.binance.wire import NO_EXPIRY, Book, Listed
from processors.normalize.contracts import Contract, proven
from schemas.assets import USD_COINS, asset_of
from schemas.records import ContractKind, Instrument, NativeUnit

EXCHANGE = "binance"
Category = Literal["um", "cm"]
COIN_MARGINED: Book = 2  # what `st` says of COIN-M

# BTCUSD_PERP, BTCUSD_261225. An underscore alone does not make a symbol one of COIN-M: BTCUSDT_261225 is USD-M.
CM = re.compile(r"(\w+?)USD_(?:PERP|\d{6})")
# BTCUSDT, BTCUSDC, ETHBTC, BTCUSDT_261225
QUOTES = "|".join(sorted({*USD_COINS, "BUSD", "BTC", "ETH", "BNB"}))
UM = re.compile(rf"(\w+?)(?:{QUOTES})(?:_\d{{6}})?")


@lru_cache(16_384)
def guessed(symbol: str, book: Book) -> Contract:
    """Return what the grammar of symbols tells, or raise ValueError. What a contract is worth only its listing says."""
    if found := CM.fullmatch(symbol):
        return _unproven("cm", symbol, found[1])
    found = UM.fullmatch(symbol)
    if book == COIN_MARGINED or not found:
        like = "BTCUSD_PERP, BTCUSD_261225" if book == COIN_MARGINED else "BTCUSDT, BTCUSDC, BTCUSDT_261225"
        raise ValueError(f"symbol is {symbol!r}, expected its instrument before it, or one like {like}")
    return _unproven("um", symbol, found[1])


def _unproven(category: Category, symbol: str, base: str) -> Contract:
    asset, scale = asset_of(base)
    is_inverse = category == "cm"
    return Contract(
        exchange=EXCHANGE,
        category=category,
        symbol=symbol,
        asset=asset,
        scale=scale,
        is_inverse=is_inverse,
        unit=NativeUnit.CONTRACTS if is_inverse else NativeUnit.BASE,
        multiplier=None if is_inverse else 1.0,
        is_usd_quoted=False,
        interval_hours=None,
    )


def contract_of(instrument: Instrument) -> Contract:
    """Return what an instrument proves."""
    if instrument.kind is ContractKind.INVERSE:
        return proven(instrument, "cm", NativeUnit.CONTRACTS)
    return proven(instrument, "um", NativeUnit.BASE)


def category_of(path: str) -> Category:
    """Return the market that answers at a path."""
    return "cm" if path.startswith("/dapi/") else "um"


def instrument_of(row: Listed, category: Category, interval_hours: float | None, received_ms: int) -> Instrument:
    """Return the facts of a contract, or raise ValueError where its row is none of `category`.

    `interval_hours` lie between two payments of funding, None where not proven.
    """
    is_linear = row.contractSize is UNSET
    if is_linear != (category == "um"):  # taken at its word, the row would turn all that is printed of its symbol
        shown = "no contractSize" if is_linear else f"a contractSize of {row.contractSize}"
        raise ValueError(f"{row.symbol!r} has {shown}, which is not how {category} lists contracts")
    asset, scale = asset_of(row.baseAsset)
    is_perpetual = "PERPETUAL" in row.contractType  # TRADIFI_PERPETUAL, PERPETUAL DELIVERING
    return Instrument(
        exchange=EXCHANGE,
        symbol=row.symbol,
        asset=asset,
        event_ms=received_ms,
        received_ms=received_ms,
        kind=ContractKind.LINEAR if is_linear else ContractKind.INVERSE,
        base=row.baseAsset,
        quote=row.quoteAsset,
        settle=row.marginAsset,
        scale=scale,
        multiplier=1.0 if row.contractSize is UNSET else row.contractSize,
        multiplier_unit=NativeUnit.BASE if is_linear else NativeUnit.USD,
        is_perpetual=is_perpetual,
        expiry_ms=row.deliveryDate if 0 < row.deliveryDate < NO_EXPIRY else None,
        tick_size=next((rule.tickSize for rule in row.filters if rule.filterType == "PRICE_FILTER"), 0) or None,
        quantity_step=next((rule.stepSize for rule in row.filters if rule.filterType == "LOT_SIZE"), 0) or None,
        funding_interval_hours=interval_hours if is_perpetual else None,
        status=row.contractStatus or row.status,
        valid_from_ms=received_ms,
    )

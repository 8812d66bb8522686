"""Which contract an OKX id names, and what one contract is worth: proven by its instrument alone."""

from __future__ import annotations

import re
from functools import lru_cache

from processors.normalize.contracts import Contract, proven
from processors.normalize.okx.wire import InstrumentRow
from schemas.assets import asset_of
from schemas.records import ContractKind, Instrument, NativeUnit

EXCHANGE = "okx"
TYPES = frozenset({"SWAP", "FUTURES"})

# BTC-USDT-SWAP, BTC-USD-261225, BTC-USD_UM_XPERP-310404
SYMBOL = re.compile(r"([^\W_]+)-([^\W_]+)(?:_\w+)?-(?:SWAP|\d{6})")


def type_of(symbol: str) -> str:
    """Return the `instType` of a contract."""
    return "SWAP" if symbol.endswith("-SWAP") else "FUTURES"


@lru_cache(16_384)
def guessed(symbol: str) -> Contract:
    """Return what the grammar of ids tells, which is no more than the coin; raise ValueError for other ids."""
    found = SYMBOL.fullmatch(symbol)
    if not found:
        raise ValueError(
            f"instId is {symbol!r}, expected its instrument before it, or one like BTC-USDT-SWAP, BTC-USD-261225"
        )
    asset, scale = asset_of(found[1])
    return Contract(
        exchange=EXCHANGE,
        category=type_of(symbol),
        symbol=symbol,
        asset=asset,
        scale=scale,
        is_inverse=False,
        unit=NativeUnit.CONTRACTS,
        multiplier=None,
        is_usd_quoted=False,
        interval_hours=None,
    )


def contract_of(instrument: Instrument) -> Contract:
    """Return what an instrument proves."""
    return proven(instrument, type_of(instrument.symbol), NativeUnit.CONTRACTS)


def index_of(row: InstrumentRow) -> str:
    """Return the index that a contract follows, BTC-USD for BTC-USD_UM_XPERP-310404 too."""
    return row.uly.removesuffix("_UM")


def instrument_of(row: InstrumentRow, received_ms: int) -> Instrument | None:
    """Return the facts of a contract; None for rows that do not say how many coins or US dollars a contract is.

    `baseCcy` and `quoteCcy` are blank for contracts: the quote is in the underlying, which may have an older name of
    the base. The answer has no time.
    """
    quote, is_inverse = index_of(row).rpartition("-")[2], row.ctType == "inverse"
    base = row.settleCcy if is_inverse else row.ctValCcy
    if row.instType not in TYPES or not row.ctType or not row.ctVal:
        return None
    if not base or not quote or (row.ctValCcy != "USD" if is_inverse else base == quote):
        return None
    asset, scale = asset_of(base)
    return Instrument(
        exchange=EXCHANGE,
        symbol=row.instId,
        asset=asset,
        event_ms=received_ms,
        received_ms=received_ms,
        kind=ContractKind.INVERSE if is_inverse else ContractKind.LINEAR,
        base=base,
        quote=quote,
        settle=row.settleCcy,
        scale=scale,
        multiplier=row.ctVal * (row.ctMult or 1.0),
        multiplier_unit=NativeUnit.USD if is_inverse else NativeUnit.BASE,
        is_perpetual=row.instType == "SWAP" or row.ruleType == "xperp",
        expiry_ms=row.expTime or None,
        tick_size=row.tickSz or None,
        quantity_step=row.lotSz or None,
        max_leverage=row.lever or None,
        status=row.state,
        valid_from_ms=received_ms,
    )

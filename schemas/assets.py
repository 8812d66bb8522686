"""Which coin a contract is about, and how many of it one unit of the exchange's base coin stands for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class Asset(NamedTuple):
    """A coin and a scale: one `1000PEPE` is 1000 PEPE."""

    name: str
    scale: int


# Where digits belong to the name, or the scale is written otherwise.
EXCEPTIONS = {"1MBABYDOGE": Asset("BABYDOGE", 1_000_000)}
LEADING = re.compile(r"(10{3,})([A-Z]\w*)")
TRAILING = re.compile(r"(\w*[A-Z])(10{3,})")


@lru_cache(16_384)
def asset_of(base_coin: str) -> Asset:
    """Return the asset of a base coin: a leading or trailing power of ten of 1000 and more is a scale."""
    coin = base_coin.upper()
    if coin in EXCEPTIONS:
        return EXCEPTIONS[coin]
    if found := LEADING.fullmatch(coin):
        return Asset(found[2], int(found[1]))
    if found := TRAILING.fullmatch(coin):
        return Asset(found[1], int(found[2]))
    return Asset(coin, 1)


USD_COINS = frozenset({"USD", "USDT", "USDC", "FDUSD", "USDE", "USD1", "USDH", "DAI", "PYUSD", "RLUSD", "TUSD"})


def counts_as_usd(quote: str) -> bool:
    """Say whether one unit of the quote currency counts as one US dollar."""
    return quote.upper() in USD_COINS

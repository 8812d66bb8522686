"""What is traded: contracts in words that belong to no exchange."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from string import ascii_uppercase

import msgspec

from schemas.records import ContractKind

COINS = {  # US dollars per coin when the market opens, the most traded first
    "BTC": 94_000.0,
    "ETH": 3_150.0,
    "SOL": 142.0,
    "XRP": 2.21,
    "DOGE": 0.162,
    "PEPE": 0.0000061,
    "BNB": 905.0,
    "SUI": 1.74,
    "ADA": 0.512,
    "LINK": 14.2,
    "SHIB": 0.0000092,
    "LTC": 97.0,
    "AVAX": 15.8,
    "DOT": 2.9,
    "BONK": 0.0000107,
    "NEAR": 2.35,
    "AAVE": 178.0,
    "UNI": 7.4,
    "ARB": 0.236,
    "OP": 0.371,
    "APT": 2.98,
    "FIL": 1.96,
    "ATOM": 2.81,
    "TRX": 0.289,
    "TON": 1.83,
}
OTHER_COIN_USD = 1.0
USDC_COINS = 17  # so many of the most traded coins also have a USDC perpetual
INVERSE_COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "ADA", "LINK", "LTC", "AVAX", "DOT", "UNI", "ATOM", "FIL")
TIME_TO_DELIVERY = timedelta(days=30)  # at least, so that no future expires while somebody watches


class Contract(msgspec.Struct, frozen=True, gc=False):
    """A perpetual, or a future when it expires; an inverse contract is quoted in USD and settled in its coin."""

    asset: str
    quote: str
    kind: ContractKind
    expiry_ms: int | None = None


def listing(opened_ms: int, coins: int = len(COINS)) -> list[Contract]:
    """Return the contracts of a market that opens at this time, the most traded coins first.

    Coins beyond the known ones are called SIMAA, SIMAB, ... to SIMZZ.
    """
    assets = _assets(coins)
    expiry_ms = _next_quarter_ms(opened_ms)
    return [
        *(Contract(asset, "USDT", ContractKind.LINEAR) for asset in assets),
        *(Contract(asset, "USDC", ContractKind.LINEAR) for asset in assets[:USDC_COINS]),
        *(Contract(asset, "USD", ContractKind.INVERSE) for asset in INVERSE_COINS),
        Contract("BTC", "USDT", ContractKind.LINEAR, expiry_ms),
        Contract("ETH", "USDC", ContractKind.LINEAR, expiry_ms),
        Contract("BTC", "USD", ContractKind.INVERSE, expiry_ms),
        Contract("ETH", "USD", ContractKind.INVERSE, expiry_ms),
    ]


def _assets(coins: int) -> list[str]:
    others = (f"SIM{first}{second}" for first in ascii_uppercase for second in ascii_uppercase)
    return [*COINS, *others][:coins]


def _next_quarter_ms(opened_ms: int) -> int:
    """Return when the next quarterly futures expire: the last Friday of a quarter, 08:00 UTC."""
    day = datetime.fromtimestamp(opened_ms / 1000, UTC).replace(hour=8, minute=0, second=0, microsecond=0)
    day += TIME_TO_DELIVERY
    while not (day.month % 3 == 0 and day.weekday() == 4 and (day + timedelta(days=7)).month != day.month):
        day += timedelta(days=1)
    return int(day.timestamp()) * 1000

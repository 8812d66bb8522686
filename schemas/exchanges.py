"""The exchanges, and the one raw partition in which each one's frames stay in order, for ever."""

from __future__ import annotations

RAW_PARTITIONS = 32

# A number is never given to another exchange: old frames lie there.
RAW_PARTITION = {
    "binance": 0,
    "bybit": 1,
    "okx": 2,
    "gate": 3,
    "bitget": 4,
    "bitfinex": 5,
    "bitmex": 6,
    "deribit": 7,
    "aster": 8,
    "htx": 9,
    "kraken-futures": 10,
    "dydx-v4": 11,
    "lighter": 12,
    "hyperliquid": 13,
}

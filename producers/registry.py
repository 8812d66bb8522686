"""The exchanges that can be collected."""

from __future__ import annotations

from .binance import BINANCE
from .bybit import BYBIT
from .exchange import Exchange
from .okx import OKX

LISTED = (
    BINANCE,
    BYBIT,
    OKX,
)
EXCHANGES: dict[str, Exchange] = {exchange.name: exchange for exchange in LISTED}

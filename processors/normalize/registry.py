"""Which exchanges we understand, and by which revision of the mapping."""

from __future__ import annotations

from processors.normalize import binance, bybit, okx
from processors.normalize.facts import Normalizer

NORMALIZERS: dict[str, type[Normalizer]] = {
    binance.EXCHANGE: binance.Binance,
    bybit.EXCHANGE: bybit.Bybit,
    okx.EXCHANGE: okx.Okx,
}
REVISIONS: dict[str, int] = {
    binance.EXCHANGE: binance.REVISION,
    bybit.EXCHANGE: bybit.REVISION,
    okx.EXCHANGE: okx.REVISION,
}

"""Which exchanges we understand, and by which revision of the mapping."""

from __future__ import annotations

from processors.normalize import binance, bybit, okx
from processors.normalize.facts import Normalizer

MAPPINGS: dict[str, tuple[type[Normalizer], int]] = {
    binance.EXCHANGE: (binance.Binance, binance.REVISION),
    bybit.EXCHANGE: (bybit.Bybit, bybit.REVISION),
    okx.EXCHANGE: (okx.Okx, okx.REVISION),
}
NORMALIZERS = {exchange: normalizer for exchange, (normalizer, _) in MAPPINGS.items()}
REVISIONS = {exchange: revision for exchange, (_, revision) in MAPPINGS.items()}

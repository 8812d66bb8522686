"""Which exchanges we understand, and by which revision of the mapping."""

from __future__ import annotations

from processors.normalize import bybit, okx
from processors.normalize.facts import Normalizer

NORMALIZERS: dict[str, type[Normalizer]] = {bybit.EXCHANGE: bybit.Bybit, okx.EXCHANGE: okx.Okx}
REVISIONS: dict[str, int] = {bybit.EXCHANGE: bybit.REVISION, okx.EXCHANGE: okx.REVISION}

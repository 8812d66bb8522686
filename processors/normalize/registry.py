"""Which exchanges we understand, and by which revision of the mapping."""

from __future__ import annotations

from processors.normalize import bybit
from processors.normalize.facts import Normalizer

NORMALIZERS: dict[str, type[Normalizer]] = {bybit.EXCHANGE: bybit.Bybit}
REVISIONS: dict[str, int] = {bybit.EXCHANGE: bybit.REVISION}

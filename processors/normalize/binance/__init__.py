"""Binance futures, USD-M and COIN-M: frames in, facts out. Evidence: tests/fixtures/binance/SOURCES.md."""

from .mapping import EXCHANGE, REVISION, Binance

__all__ = ["EXCHANGE", "REVISION", "Binance"]

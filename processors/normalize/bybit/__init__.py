"""Bybit derivatives, linear and inverse: frames in, facts out. Evidence: tests/fixtures/bybit/SOURCES.md."""

from .mapping import EXCHANGE, REVISION, Bybit

__all__ = ["EXCHANGE", "REVISION", "Bybit"]

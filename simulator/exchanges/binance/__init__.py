"""Binance, simulated."""

from .server import Binance

__all__ = ["Binance"]

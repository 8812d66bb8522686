"""Bybit, simulated."""

from .server import Bybit

__all__ = ["Bybit"]

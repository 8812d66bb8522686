"""OKX, simulated."""

from .server import Okx

__all__ = ["Okx"]

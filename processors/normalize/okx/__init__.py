"""OKX swaps and futures: frames in, facts out. Evidence: tests/fixtures/okx/SOURCES.md."""

from .mapping import EXCHANGE, REVISION, Okx

__all__ = ["EXCHANGE", "REVISION", "Okx"]

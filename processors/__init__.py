"""Deterministic processors, and the one Faust shell that runs them."""

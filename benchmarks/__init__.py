"""Benchmarks: each prints what it measured beside the bar it has to meet."""

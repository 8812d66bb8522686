"""The knobs of the shell, each with the value that was soaked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """How often, how much, how long; tests choose shorter times."""

    commit_interval_s: float = 0.5  # what a crash repeats
    session_timeout_s: float = 15.0  # how long a dead worker keeps its partitions
    snapshot_shortest_s: float = 5.0
    snapshot_longest_s: float = 30.0
    rebuild_us: float = 1_000_000  # of estimated work not yet in a snapshot, in all lanes: snapshot before the longest
    rest_at: int = 2000  # records of one input that wait for the other inputs of the merge
    in_flight: int = 10_000  # outputs that the broker has not acknowledged
    patience_s: float = 60.0  # without progress, before the health file goes stale
    drain_patch: bool = True  # see drain.py

"""Which connection of a feed carries which channel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .exchange import Limits


def assign(channels: Iterable[str], shards: Sequence[set[str]], limits: Limits) -> list[set[str]]:
    """Return the shards with exactly these channels: each stays where it is, new ones go where there is room."""
    wanted = set(channels)
    assigned = [shard & wanted for shard in shards]
    for channel in sorted(wanted.difference(*assigned)):
        room = limits.characters_per_connection - _characters([channel], limits)
        shard = next((shard for shard in assigned if _characters(shard, limits) <= room), None)
        if shard is None:
            assigned.append(shard := set())
        shard.add(channel)
    return assigned


def _characters(channels: Iterable[str], limits: Limits) -> int:
    return sum(len(channel) + limits.characters_per_channel for channel in channels)

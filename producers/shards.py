"""Which connection of a feed carries which channel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .exchange import Limits


def assign(channels: Iterable[str], shards: Sequence[set[str]], limits: Limits) -> list[set[str]]:
    """Return the shards with exactly these channels: each stays where it is, new ones fill the room in order."""
    wanted = dict.fromkeys(channels)
    assigned = [shard & wanted.keys() for shard in shards]
    used = [sum(len(channel) + limits.characters_per_channel for channel in shard) for shard in assigned]
    carried = set[str]().union(*assigned)
    for channel in (channel for channel in wanted if channel not in carried):
        cost = len(channel) + limits.characters_per_channel
        number = next((n for n in range(len(used)) if _fits(assigned[n], used[n] + cost, limits)), len(used))
        if number == len(used):
            assigned.append(set())
            used.append(0)
        assigned[number].add(channel)
        used[number] += cost
    return assigned


def _fits(shard: set[str], characters: int, limits: Limits) -> bool:
    return characters <= limits.characters_per_connection and len(shard) < limits.channels_per_connection

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
        number = next(
            (n for n, taken in enumerate(used) if taken + cost <= limits.characters_per_connection), len(used)
        )
        if number == len(used):
            assigned.append(set())
            used.append(0)
        assigned[number].add(channel)
        used[number] += cost
    return assigned

"""Channels onto connections."""

from __future__ import annotations

from dataclasses import replace

from producers.exchange import Limits
from producers.shards import assign

LIMITS = Limits(characters_per_connection=18_000, characters_per_channel=3, channels_per_message=100)
NARROW = Limits(characters_per_connection=10, characters_per_channel=3, channels_per_message=100)


def test_no_connection_exceeds_its_characters_and_no_channel_is_left_out() -> None:
    channels = [f"allLiquidation.SYMBOL{number}USDT" for number in range(2_000)]
    shards = assign(channels, [], LIMITS)
    assert set().union(*shards) == set(channels)
    assert sum(map(len, shards)) == 2_000
    assert max(sum(len(channel) + 3 for channel in shard) for shard in shards) <= 18_000
    assert len(shards) == 4


def test_channels_stay_where_they_are_and_new_ones_fill_the_room_of_those_gone() -> None:
    assert assign(["a1", "c3", "d4"], [{"a1", "b2"}, {"c3"}], NARROW) == [{"a1", "d4"}, {"c3"}]


def test_a_connection_keeps_its_place_when_all_its_channels_are_gone() -> None:
    assert assign(["c3"], [{"a1", "b2"}, {"c3"}], NARROW) == [set(), {"c3"}]


def test_no_connection_carries_more_channels_than_it_may() -> None:
    limits = replace(LIMITS, channels_per_connection=2)
    assert assign(["a", "b", "c", "d"], [{"b"}], limits) == [{"a", "b"}, {"c", "d"}]


def test_nothing_wanted_needs_no_connection() -> None:
    assert assign([], [], LIMITS) == []

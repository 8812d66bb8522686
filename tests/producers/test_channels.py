"""Which channels miss frames, and since when."""

from __future__ import annotations

from producers.channels import Channels


def carrying(*names: str, since_ns: int = 100) -> Channels:
    channels = Channels()
    channels.want(names, since_ns)
    return channels


def test_a_channel_misses_frames_until_it_is_subscribed() -> None:
    channels = carrying("a", "b")
    assert channels.gap() == (["a", "b"], 100)
    assert channels.subscribe(["a"]) == (["a"], 100)
    assert channels.gap() == (["b"], 100)


def test_nothing_is_missed_where_nothing_was_before() -> None:
    channels = carrying("a", since_ns=0)
    assert channels.gap() == ([], 0)
    assert channels.subscribe(["a"]) == ([], 0)


def test_a_lost_connection_opens_what_was_subscribed_and_keeps_what_was_open_longer() -> None:
    channels = carrying("a", "b")
    channels.subscribe(["a"])
    channels.lose(since_ns=500)
    assert channels.missing() == ["a", "b"]
    assert channels.gap() == (["a", "b"], 100)
    assert channels.subscribe(["a"]) == (["a"], 500)


def test_a_channel_that_is_not_wanted_any_more_misses_nothing() -> None:
    channels = carrying("a", "b")
    channels.subscribe(["a"])
    channels.want(["c"], since_ns=700)
    assert channels.surplus() == ["a"]
    assert channels.gap() == (["c"], 700)
    channels.lose(since_ns=800)
    assert channels.gap() == (["c"], 700)


def test_context_names_the_messages_without_what_was_unsubscribed() -> None:
    channels = carrying("a", "b", "c")
    channels.subscribe(["a", "b"])
    channels.subscribe(["c"])
    channels.unsubscribe(["b", "c"])
    assert channels.acknowledged == [("a",)]


def test_what_was_refused_is_complete_and_tried_again_when_wanted_again() -> None:
    channels = carrying("a")
    channels.refused.add("a")
    assert (channels.missing(), channels.is_complete()) == ([], True)
    channels.want(["a"], since_ns=900)
    assert (channels.missing(), channels.is_complete()) == (["a"], False)
    assert channels.gap() == (["a"], 100)

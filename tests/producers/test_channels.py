"""Which channels miss frames, and since when."""

from __future__ import annotations

from producers.channels import Channels


def carrying(*names: str, since_ns: int = 100) -> Channels:
    channels = Channels()
    channels.want(names, since_ns)
    return channels


def test_a_channel_misses_frames_until_it_is_subscribed_and_delivers() -> None:
    channels = carrying("a", "b")
    assert channels.gap() == (["a", "b"], 100)
    assert channels.prove() == ([], 0)
    channels.subscribe(["a"])
    assert channels.gap() == (["a", "b"], 100)
    assert channels.prove() == (["a"], 100)
    assert channels.gap() == (["b"], 100)


def test_nothing_is_missed_where_nothing_was_before() -> None:
    channels = carrying("a", since_ns=0)
    assert channels.gap() == ([], 0)
    channels.subscribe(["a"])
    assert channels.prove() == ([], 0)


def test_a_lost_connection_opens_what_was_subscribed_and_keeps_what_was_open_longer() -> None:
    channels = carrying("a", "b")
    channels.subscribe(["a"])
    channels.prove()
    channels.lose(since_ns=500)
    assert channels.missing() == ["a", "b"]
    assert channels.gap() == (["a", "b"], 100)
    channels.subscribe(["a"])
    assert channels.prove() == (["a"], 500)


def test_what_was_acknowledged_and_never_delivered_stays_missed_for_as_long_as_it_was() -> None:
    channels = carrying("a", since_ns=100)
    channels.subscribe(["a"])
    channels.lose(since_ns=500)
    assert channels.gap() == (["a"], 100)


def test_what_was_acknowledged_first_and_never_delivered_is_missed_though_nothing_was_before() -> None:
    channels = carrying("a", since_ns=0)
    channels.subscribe(["a"])
    channels.lose(since_ns=500)
    assert channels.gap() == (["a"], 500)


def succeeding(old: Channels, *acknowledged: str) -> Channels:
    following = old.heir()
    assert following.missing() == sorted(old.wanted)
    following.subscribe(acknowledged)
    return following


def test_what_overlaps_is_not_missed() -> None:
    old = carrying("a", "b")
    old.subscribe(["a", "b"])
    old.prove()
    following = succeeding(old, "a", "b")
    following.take_over(old, until_ns=500, acknowledged_ns=400)
    assert following.gap() == ([], 0)


def test_what_was_acknowledged_too_late_or_not_at_all_is_missed_from_the_end_of_the_old_connection() -> None:
    old = carrying("a", "b")
    old.subscribe(["a", "b"])
    old.prove()
    late, partly = succeeding(old, "a", "b"), succeeding(old, "a")
    late.take_over(old, until_ns=500, acknowledged_ns=600)
    assert late.prove() == (["a", "b"], 500)
    partly.take_over(old, until_ns=500, acknowledged_ns=400)
    assert partly.gap() == (["b"], 500)


def test_what_the_old_connection_missed_already_is_not_forgotten() -> None:
    old = carrying("a", "b", since_ns=100)
    old.subscribe(["a"])
    following = succeeding(old, "a")
    following.take_over(old, until_ns=500, acknowledged_ns=400)
    assert following.gap() == (["a", "b"], 100)


def test_a_channel_that_is_not_wanted_any_more_misses_nothing() -> None:
    channels = carrying("a", "b")
    channels.subscribe(["a"])
    channels.prove()
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

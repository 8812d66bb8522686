"""What comes of one message."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect

from producers.dialogue import Answer, Dialogue, NoReply
from producers.exchange import Reply
from producers.pace import Pace

from .scripted import quick, scripted, until

YES = Reply("1", is_accepted=True)
NO = Reply("1", is_accepted=False, reason="no")
REPEATED = Reply("1", is_accepted=False, reason="again", is_repeated=True)


def answer(*replies: Reply, channels: tuple[str, ...] = ("a", "b", "c")) -> tuple[list[str], dict[str, str], list[str]]:
    """Return what is accepted, refused and left of the channels."""
    whole = Answer(channels)
    for received_ns, reply in enumerate(replies, 1):
        assert not whole.is_whole
        whole.take(reply, received_ns)
    assert whole.is_whole
    assert whole.received_ns == len(replies)
    return whole.accepted, whole.refused, list(whole.left)


def test_one_reply_accepts_a_whole_message() -> None:
    assert answer(YES) == (["a", "b", "c"], {}, [])


def test_one_wrong_channel_voids_a_whole_message() -> None:
    assert answer(NO._replace(refused="b")) == ([], {"b": "no"}, ["a", "c"])


def test_a_message_refused_for_no_channel_leaves_them_all() -> None:
    assert answer(NO) == ([], {}, ["a", "b", "c"])


def test_a_message_of_one_channel_is_refused_by_whatever_refuses_it() -> None:
    assert answer(NO, channels=("a",)) == ([], {"a": "no"}, [])


def test_what_is_subscribed_already_is_accepted_where_it_is_asked_for_alone() -> None:
    assert answer(REPEATED, channels=("a",)) == (["a"], {}, [])
    assert answer(REPEATED) == ([], {}, ["a", "b", "c"])


def test_replies_for_each_channel_are_waited_for() -> None:
    each = [YES._replace(channel="c"), NO._replace(channel="a"), REPEATED._replace(channel="b")]
    assert answer(*each) == (["c", "b"], {"a": "no"}, [])


def test_a_refusal_of_the_rest_ends_the_wait_for_replies_for_each_channel() -> None:
    assert answer(YES._replace(channel="a"), NO) == (["a"], {}, ["b", "c"])


def test_a_reply_about_another_channel_or_one_answered_already_says_nothing() -> None:
    whole = Answer(["a", "b"])
    for reply in (NO._replace(channel="x"), YES._replace(channel="a"), NO._replace(channel="a")):
        whole.take(reply, 1)
    assert (whole.accepted, whole.refused, list(whole.left), whole.is_whole) == (["a"], {}, ["b"], False)


async def ask(*heard: str, patience_s: float = 0.05) -> Answer:
    """Ask for two channels of an exchange that answers each of them, and hear these replies."""

    def reply(frame: bytes) -> Reply:
        number, _, rest = frame.decode().partition(" ")
        word, _, channel = rest.partition(" ")
        return Reply(number, word == "yes", word, channel=channel)

    async with scripted() as server:
        server.acknowledges = False
        async with connect(f"ws://{server.url}/v5/public/linear") as socket:
            dialogue = Dialogue(quick(reply=reply), socket, Pace(0.0), patience_s)
            asking = asyncio.create_task(dialogue.ask("subscribe", ["a", "b"]))
            await until(lambda: dialogue.is_waiting)
            for text in heard:
                dialogue.hear(text.encode(), 7)
            return await asking


async def test_replies_to_another_message_are_not_heard() -> None:
    whole = await ask("2 no a", "1 yes a", "x no b", "1 yes b")
    assert (whole.accepted, whole.refused) == (["a", "b"], {})


async def test_an_error_without_a_number_is_heard_by_its_channel() -> None:
    whole = await ask(" no x", " no a", "1 yes b")
    assert (whole.accepted, whole.refused) == (["b"], {"a": "no"})


async def test_an_error_without_number_and_channel_is_about_the_message_and_nothing_else_without_both_is() -> None:
    whole = await ask(" yes ", " no ")
    assert (whole.accepted, whole.refused, list(whole.left), whole.reason) == ([], {}, ["a", "b"], "no")


async def test_a_missing_reply_is_an_error_that_names_the_channel() -> None:
    with pytest.raises(NoReply, match=r"^no reply to subscribe b within 0\.05 s$"):
        await ask("1 yes a")


async def test_a_missing_reply_beside_a_refusal_leaves_the_channel_to_be_asked_for_alone() -> None:
    whole = await ask("1 no a")
    assert (whole.accepted, whole.refused, list(whole.left)) == ([], {"a": "no"}, ["b"])

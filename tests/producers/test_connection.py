"""Sockets that follow one another, and what is missed between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from producers.connection import Connection
from producers.pace import Pace
from producers.raw import Frames
from schemas.raw import Control, SourceKind

from .connected import LINEAR, Running, running
from .scripted import DEADLINE_S, QUICK, Kept, quick, scripted, stamped, until

START_NS = 1_000


async def test_only_the_difference_is_subscribed_and_unsubscribed() -> None:
    async with running("a", "b", talks=True) as it:
        await until(it.connection.channels.is_complete)
        it.connection.want(["b", "c"], since_ns=START_NS)
        await until(lambda: it.connection.channels.subscribed == {"b", "c"})
        said = [(told.operation, told.channels) for told in it.server.told]
        assert said == [("subscribe", ("a", "b")), ("unsubscribe", ("a",)), ("subscribe", ("c",))]
        await until(lambda: it.sink.controls("gap"))
        [(_, gap)] = it.sink.controls("gap")
        assert (gap.channels, gap.from_ns) == (("c",), START_NS)


async def test_the_first_gap_reaches_from_what_is_stored_to_the_first_frame_that_proves_the_acknowledgement() -> None:
    async with running("a", "b", since_ns=START_NS) as it:
        await until(it.connection.channels.is_complete)
        seen, acknowledged_ns = it.server.pings, time.time_ns()
        await until(lambda: it.server.pings > seen + 2)
        assert it.sink.controls("gap") == []
        await it.server.send(stamped(time.time_ns()))
        await until(lambda: it.sink.controls("gap"))
        [(connection, gap)] = it.sink.controls("gap")
        assert connection == "linear-0#1"
        assert (gap.channels, gap.from_ns) == (("a", "b"), START_NS)
        assert acknowledged_ns < gap.to_ns <= time.time_ns()


async def test_a_cut_socket_leaves_a_gap_that_holds_everything_sent_and_not_read() -> None:
    async with running("a", talks=True) as it:
        await until(it.connection.channels.is_complete)
        before_ns = time.time_ns()
        await until(lambda: it.connection.complete_ns() > before_ns)
        sent_ns = time.time_ns()
        it.server.cut()
        await until(lambda: it.sink.controls("gap"))
        [(connection, gap)] = it.sink.controls("gap")
        assert (connection, gap.channels) == ("linear-0#2", ("a",))
        assert before_ns < gap.from_ns < gap.to_ns
        assert sent_ns < gap.to_ns
        [(lost, said)] = it.sink.controls("disconnected")
        assert lost == "linear-0#1"
        assert said.reason.startswith("ConnectionClosedError")


async def test_what_waits_unread_lies_in_the_gap_however_old_it_is() -> None:
    async with running("a") as it:
        await until(it.connection.channels.is_complete)
        it.sink.room.clear()  # Kafka is away: nothing is read any more
        last_ns = time.time_ns() + 60_000_000_000  # a clock ahead of ours proves nothing
        await it.server.send(stamped(last_ns))
        await until(lambda: stamped(last_ns) in it.sink.payloads())
        sent_ns = time.time_ns()
        await it.server.send("never read")
        seen = it.server.pings
        await until(lambda: it.server.pings > seen + 5)  # the exchange answers, but what it sent before waits unread
        it.server.cut()
        await until(lambda: it.sink.controls("disconnected"))
        it.sink.room.set()
        it.server.talks = True
        await until(lambda: it.sink.controls("gap"))
        [(_, gap)] = it.sink.controls("gap")
        assert gap.from_ns < sent_ns < gap.to_ns


async def test_what_an_exchange_holds_back_while_it_answers_pings_lies_in_the_gap() -> None:
    async with running("a") as it:
        await until(it.connection.channels.is_complete)
        made_ns = time.time_ns() - 5_000_000_000
        await it.server.send(stamped(made_ns))  # all that is newer waits at the exchange
        await until(lambda: len(it.sink.payloads()) == 2)
        seen = it.server.pings
        await until(lambda: it.server.pings > seen + 2)
        it.server.cut()
        await until(lambda: it.sink.controls("disconnected"))
        it.server.talks = True
        await until(lambda: it.sink.controls("gap"))
        assert it.sink.controls("gap")[0][1].from_ns < made_ns


async def test_context_repeats_what_is_subscribed() -> None:
    async with running("a", "b") as it:
        await until(it.connection.channels.is_complete)
        it.connection.repeat_context()
        await until(lambda: len(it.sink.controls("subscribed")) == 2)
        assert it.sink.controls("subscribed") == [("linear-0#1", Control("subscribed", ("a", "b")))] * 2


async def test_an_open_gap_can_be_said_while_it_lasts() -> None:
    async with running("a", since_ns=START_NS, acknowledges=False) as it:
        await until(lambda: it.server.told)
        it.connection.say_open_gap()
        await until(lambda: it.sink.controls("gap"))
        assert it.sink.controls("gap")[0][1].from_ns == START_NS
        await it.server.send('{"success":true,"ret_msg":"","req_id":"1","op":"subscribe"}')
        it.server.talks = True
        await until(lambda: len(it.sink.controls("gap")) == 2)
        it.connection.say_open_gap()
        assert len(it.sink.controls("gap")) == 2


async def test_a_server_that_is_away_is_tried_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    sink = Kept()
    connection = Connection(quick(), LINEAR, "ws://127.0.0.1:1", "linear-0", Frames("bybit", sink), QUICK, Pace(0.0))
    connection.want(["a"], 0)
    task = asyncio.create_task(connection.run())
    await until(lambda: len(caplog.messages) > 2)
    task.cancel()
    assert all(line.startswith("linear-0: ") and "connecting again in" in line for line in caplog.messages)


async def number_until(it: Running, condition: Callable[[], object]) -> list[str]:
    """Send numbered frames on every socket with the channel `a` until a condition holds; return those sent."""
    sent: list[str] = []
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            text = stamped(time.time_ns(), n=len(sent))
            if await it.server.send(text, "a"):
                sent.append(text)
            await asyncio.sleep(0.002)
    return sent


async def test_a_connection_is_replaced_before_its_age_without_a_gap_and_without_a_lost_frame() -> None:
    async with running("a", exchange=quick(life_s=0.2)) as it:
        await until(it.connection.channels.is_complete)
        ends = [(f"linear-0#{n}", Control("disconnected", reason=f"replaced by linear-0#{n + 1}")) for n in (1, 2)]
        # Each is closed on its own, so a later one can be done with it first.
        sent = await number_until(it, lambda: all(end in it.sink.controls("disconnected") for end in ends))
        assert it.sink.controls("gap") == []
        await until(lambda: sent[-1] in it.sink.payloads())
        assert set(sent) - set(it.sink.payloads()) == set()
        names = {name for name, payload, _ in it.sink.frames(SourceKind.FRAME) if payload in sent}
        assert {"linear-0#1", "linear-0#2", "linear-0#3"} <= names


async def test_a_connection_is_replaced_when_the_exchange_announces_its_end() -> None:
    async with running("a", exchange=quick(closing=lambda frame: frame == b"soon"), talks=True) as it:
        await until(it.connection.channels.is_complete)
        await it.server.send("soon")
        await until(lambda: it.sink.controls("disconnected"))
        assert it.sink.controls("disconnected") == [
            ("linear-0#1", Control("disconnected", reason="replaced by linear-0#2"))
        ]
        assert it.sink.controls("gap") == []
        before_ns = time.time_ns()
        await until(lambda: it.connection.complete_ns() > before_ns)


async def test_an_old_connection_goes_on_until_a_successor_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    async with running("a", exchange=quick(life_s=0.1)) as it:
        await until(it.connection.channels.is_complete)
        it.server.accepts = False
        tried = await number_until(it, lambda: caplog.text.count("no successor yet") > 2)
        assert it.sink.controls("disconnected") == []
        it.server.accepts = True
        sent = tried + await number_until(it, lambda: it.sink.controls("disconnected"))
        assert it.sink.controls("gap") == []
        assert it.sink.controls("disconnected")[0][1].reason.startswith("replaced by linear-0#")
        await until(lambda: sent[-1] in it.sink.payloads())
        assert set(sent) - set(it.sink.payloads()) == set()


async def test_an_old_connection_that_ends_too_early_leaves_a_gap_until_its_successor_delivers() -> None:
    patient = replace(QUICK, acknowledge_s=DEADLINE_S)
    async with running("a", exchange=quick(life_s=0.1), timing=patient) as it:
        await until(it.connection.channels.is_complete)
        it.server.acknowledges = False
        await number_until(it, lambda: len(it.server.subscribed()) == 2)
        it.server.cut(1)
        cut_ns = time.time_ns()
        await until(lambda: it.sink.controls("disconnected"))
        it.server.acknowledges = it.server.talks = True
        await it.server.send('{"success":true,"ret_msg":"","req_id":"1","op":"subscribe"}')
        await until(lambda: it.sink.controls("gap"))
        [(connection, gap), *_] = it.sink.controls("gap")
        assert (connection, gap.channels) == ("linear-0#2", ("a",))
        assert gap.from_ns < cut_ns < gap.to_ns


async def test_a_change_of_channels_reaches_the_successor_too() -> None:
    patient = replace(QUICK, acknowledge_s=DEADLINE_S)
    async with running("a", exchange=quick(life_s=0.1), timing=patient, talks=True) as it:
        await until(it.connection.channels.is_complete)
        it.server.acknowledges = False
        await until(lambda: len(it.server.subscribed()) == 2)
        it.connection.want(["a", "b"], START_NS)
        it.server.acknowledges = True
        await it.server.send('{"success":true,"ret_msg":"","req_id":"1","op":"subscribe"}')
        await until(lambda: it.sink.controls("gap"))
        assert {(gap.channels, gap.from_ns) for _, gap in it.sink.controls("gap")} == {(("b",), START_NS)}
        await until(lambda: it.sink.controls("disconnected"))
        assert it.connection.channels.wanted == it.connection.channels.subscribed == {"a", "b"}


async def test_a_silent_path_and_the_other_are_tried_in_turn_and_the_one_that_delivers_is_kept() -> None:
    feed = replace(LINEAR, other_path="/v5/public/inverse")
    async with running("a", exchange=quick(proof_s=0.1), feed=feed) as it:
        await until(lambda: len(it.server.told) > 3)
        paths = [told.path for told in it.server.told[:4]]
        assert paths == ["/v5/public/linear", "/v5/public/inverse"] * 2
        it.server.talks = True
        await until(lambda: it.sink.controls("gap"))
        kept = it.server.told[-1].path
        it.server.told.clear()
        it.server.cut()
        await until(lambda: it.server.told)
        assert it.server.told[0].path == kept


async def test_attempts_to_connect_keep_their_distance_over_all_connections() -> None:
    async with scripted() as server:
        attempts, frames = Pace(600.0), Frames("bybit", Kept())
        connections = [
            Connection(quick(), LINEAR, f"ws://{server.url}", name, frames, QUICK, attempts) for name in ("x", "y")
        ]
        for connection in connections:
            connection.want(["a"], 0)
        tasks = [asyncio.create_task(connection.run()) for connection in connections]
        await until(lambda: server.pings > 10)
        assert len(server.sockets) == 1
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

"""One socket's life against a server that does what the test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import pytest

from producers.bybit import BYBIT
from producers.connection import Connection
from producers.exchange import Exchange, Feed
from producers.pace import Pace
from producers.raw import Frames
from producers.timing import Timing
from schemas.raw import Control

from .scripted import QUICK, Kept, Scripted, quick, scripted, stamped, until

START_NS = 1_000
LINEAR = BYBIT.feeds[0]


@dataclass
class Running:
    """A connection and both its ends."""

    server: Scripted
    sink: Kept
    connection: Connection


@asynccontextmanager
async def running(
    *channels: str,
    exchange: Exchange | None = None,
    feed: Feed = LINEAR,
    timing: Timing = QUICK,
    since_ns: int = 0,
    **server_does: object,
) -> AsyncIterator[Running]:
    """Run a connection that wants these channels."""
    async with scripted() as server:
        for name, value in server_does.items():
            setattr(server, name, value)
        sink = Kept()
        frames = Frames("bybit", sink)
        chosen = exchange or quick()
        connection = Connection(chosen, feed, f"ws://{server.url}", "linear-0", frames, timing, Pace(0.0))
        connection.want(channels, since_ns)
        tasks = [asyncio.create_task(connection.run()), asyncio.create_task(frames.hand_over(0.001))]
        try:
            yield Running(server, sink, connection)
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def test_messages_are_small_and_the_next_one_waits_for_the_acknowledgement() -> None:
    names = [f"tickers.S{number:03}USDT" for number in range(250)]
    async with running(*names, acknowledges=False, timing=replace(QUICK, acknowledge_s=5.0)) as it:
        await until(lambda: it.server.told)
        assert it.server.subscribed() == [tuple(names[:100])]
        it.server.acknowledges = True
        await it.server.send('{"success":true,"ret_msg":"","req_id":"1","op":"subscribe"}')
        await until(it.connection.channels.is_complete)
        assert it.server.subscribed() == [tuple(names[:100]), tuple(names[100:200]), tuple(names[200:])]
        await until(lambda: len(it.sink.controls("subscribed")) == 3)
        assert it.sink.controls("connected") == [("linear-0#1", Control("connected"))]
        assert it.sink.controls("subscribed") == [
            ("linear-0#1", Control("subscribed", channels)) for channels in it.server.subscribed()
        ]


async def test_frames_are_kept_untouched_and_in_order_acknowledgements_too() -> None:
    async with running("a") as it:
        await until(it.connection.channels.is_complete)
        sent = [f'{{"topic": "a",  "n":{number}}}' for number in range(500)] + ["not json at all é"]
        for text in sent:
            await it.server.send(text)
        await until(lambda: len(it.sink.payloads()) == 502)
        assert '"op": "subscribe"' in it.sink.payloads()[0]
        assert it.sink.payloads()[1:] == sent


async def test_a_wrong_channel_is_dropped_and_the_others_are_subscribed_one_by_one() -> None:
    async with running("a", "b", "c", refused={"b"}) as it:
        await until(it.connection.channels.is_complete)
        assert it.server.subscribed() == [("a", "b", "c"), ("a",), ("c",)]
        assert it.connection.channels.subscribed == {"a", "c"}
        assert it.connection.channels.refused == {"b"}


async def test_a_channel_that_is_subscribed_already_counts_as_subscribed() -> None:
    async with running("a", "b", repeated={"a"}) as it:
        await until(it.connection.channels.is_complete)
        assert it.server.subscribed() == [("a", "b"), ("a",), ("b",)]
        assert it.connection.channels.subscribed == {"a", "b"}


async def test_only_the_difference_is_subscribed_and_unsubscribed() -> None:
    async with running("a", "b") as it:
        await until(it.connection.channels.is_complete)
        it.connection.want(["b", "c"], since_ns=START_NS)
        await until(lambda: it.connection.channels.subscribed == {"b", "c"})
        said = [(told.operation, told.channels) for told in it.server.told]
        assert said == [("subscribe", ("a", "b")), ("unsubscribe", ("a",)), ("subscribe", ("c",))]
        await until(lambda: it.sink.controls("gap"))
        [(_, gap)] = it.sink.controls("gap")
        assert (gap.channels, gap.from_ns) == (("c",), START_NS)


async def test_the_first_gap_reaches_from_what_is_stored_to_the_acknowledgement() -> None:
    async with running("a", "b", since_ns=START_NS) as it:
        await until(lambda: it.sink.controls("gap"))
        [(connection, gap)] = it.sink.controls("gap")
        assert connection == "linear-0#1"
        assert (gap.channels, gap.from_ns) == (("a", "b"), START_NS)
        assert START_NS < gap.to_ns <= time.time_ns()


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
        await until(lambda: it.sink.controls("gap"))
        assert it.sink.controls("gap")[0][1].from_ns < made_ns


async def test_nothing_is_dropped_while_kafka_has_no_room() -> None:
    async with running("a") as it:
        await until(it.connection.channels.is_complete)
        it.sink.room.clear()
        for number in range(100):
            await it.server.send(str(number))
        await until(lambda: "0" in it.sink.payloads())
        assert "1" not in it.sink.payloads()
        it.sink.room.set()
        await until(lambda: "99" in it.sink.payloads())
        assert it.sink.payloads()[1:] == [str(number) for number in range(100)]


async def test_a_socket_that_was_not_read_for_too_long_is_given_up() -> None:
    async with running("a", timing=replace(QUICK, stall_s=0.0)) as it:
        await until(it.connection.channels.is_complete)
        it.sink.room.clear()
        await it.server.send("x")
        await until(lambda: "x" in it.sink.payloads())
        it.sink.room.set()
        await until(lambda: it.sink.controls("disconnected"))
        assert it.sink.controls("disconnected")[0][1].reason.startswith("not read for")


async def test_the_exchange_is_pinged_in_its_own_words() -> None:
    async with running("a", exchange=quick(ping_s=0.01)) as it:
        await until(lambda: [told.operation for told in it.server.told].count("ping") > 2)
        await until(lambda: any('"pong"' in payload for payload in it.sink.payloads()))
    assert BYBIT.ping_s == 20.0


async def test_a_silent_socket_is_dead_and_its_gap_begins_at_the_last_frame() -> None:
    async with running("a", exchange=quick(silence_s=0.2)) as it:
        await until(it.connection.channels.is_complete)
        await until(lambda: it.sink.payloads())
        last_ns = time.time_ns()
        await until(lambda: it.sink.controls("gap"))
        assert it.sink.controls("disconnected")[0][1].reason == "silent for 0 s"
        assert it.sink.controls("gap")[0][1].from_ns <= last_ns


async def test_a_message_without_a_reply_ends_the_connection() -> None:
    async with running("a", acknowledges=False, timing=replace(QUICK, acknowledge_s=0.01)) as it:
        await until(lambda: it.sink.controls("disconnected"))
        assert it.sink.controls("disconnected")[0][1].reason == "no reply to subscribe a within 0.01 s"


async def test_context_repeats_what_is_subscribed() -> None:
    async with running("a", "b") as it:
        await until(it.connection.channels.is_complete)
        it.connection.repeat_context()
        await until(lambda: len(it.sink.controls("subscribed")) == 2)
        assert it.sink.controls("subscribed") == [("linear-0#1", Control("subscribed", ("a", "b")))] * 2


async def test_an_open_gap_can_be_said_while_it_lasts() -> None:
    async with running("a", since_ns=START_NS, acknowledges=False, timing=replace(QUICK, acknowledge_s=5.0)) as it:
        await until(lambda: it.server.told)
        it.connection.say_open_gap()
        await until(lambda: it.sink.controls("gap"))
        assert it.sink.controls("gap")[0][1].from_ns == START_NS
        await it.server.send('{"success":true,"ret_msg":"","req_id":"1","op":"subscribe"}')
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

"""One socket: what is asked, what is kept, and when it is given up."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

from producers import metrics
from producers.bybit import BYBIT
from producers.exchange import Reply
from schemas.raw import Control

from .connected import running
from .scripted import QUICK, quick, stamped, until


async def test_messages_are_small_and_the_next_one_waits_for_the_acknowledgement() -> None:
    names = [f"tickers.S{number:03}USDT" for number in range(250)]
    async with running(*names, acknowledges=False) as it:
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


async def test_a_socket_without_any_frame_is_dead() -> None:
    async with running("a", exchange=quick(silence_s=0.2), acknowledges=False) as it:
        await until(lambda: it.sink.controls("disconnected"))
        assert it.sink.controls("disconnected")[0][1].reason == "silent for 0 s"


async def test_a_socket_that_acknowledges_and_never_delivers_is_dead_whatever_else_it_says() -> None:
    silences = metrics.SILENCES.labels("bybit", "linear")
    before = silences._value.get()
    async with running("a", exchange=quick(proof_s=0.3, ping_s=0.01)) as it:
        await until(lambda: it.sink.controls("disconnected"))
        [*_, (connection, said)] = it.sink.controls("disconnected")
        assert connection == "linear-0#1"
        assert said.reason == 'subscribed, but no frame with \'"topic":"tickers.\' for 0 s'
        await until(lambda: it.server.subscribed() == [("a",)] * 3)
    assert silences._value.get() >= before + 2


async def test_a_gap_begins_at_the_last_proven_moment_though_other_channels_go_on() -> None:
    async with running("a", exchange=quick(proof_s=0.5)) as it:
        await until(it.connection.channels.is_complete)
        proven_ns = time.time_ns()
        await it.server.send(stamped(proven_ns))
        while not it.sink.controls("disconnected"):
            await it.server.send(stamped(time.time_ns(), topic="allLiquidation.BTCUSDT"))
            await asyncio.sleep(0.005)
        it.server.talks = True
        await until(lambda: it.sink.controls("gap"))
        [(_, gap)] = it.sink.controls("gap")
        assert gap.from_ns < proven_ns < gap.to_ns


async def test_an_exchange_that_was_silent_for_ever_leaves_one_gap_from_the_first_connection_on() -> None:
    async with running("a", exchange=quick(proof_s=0.1)) as it:
        await until(lambda: it.server.told)
        begin_ns = time.time_ns()
        await until(lambda: len(it.sink.controls("disconnected")) > 2)
        it.server.talks = True
        now_ns = time.time_ns()
        await until(lambda: it.sink.controls("gap"))
        [(_, gap)] = it.sink.controls("gap")
        assert gap.from_ns < begin_ns < now_ns < gap.to_ns


async def test_nothing_subscribed_needs_no_proof() -> None:
    async with running("a", exchange=quick(proof_s=0.01, ping_s=0.01), refused={"a"}) as it:
        await until(lambda: [told.operation for told in it.server.told].count("ping") > 20)
        assert it.sink.controls("disconnected") == []


async def test_channels_that_are_answered_one_by_one_are_refused_one_by_one() -> None:
    def reply(frame: bytes) -> Reply | None:
        said = BYBIT.reply(frame)
        return said and said._replace(channel=json.loads(frame)["channel"])

    async with running("a", "b", "c", exchange=quick(reply=reply), answers_each=True, refused={"b"}) as it:
        await until(it.connection.channels.is_complete)
        assert it.server.subscribed() == [("a", "b", "c")]
        assert it.connection.channels.subscribed == {"a", "c"}
        assert it.connection.channels.refused == {"b"}
        await until(lambda: it.sink.controls("subscribed"))
        assert it.sink.controls("subscribed") == [("linear-0#1", Control("subscribed", ("a", "c")))]


async def test_messages_keep_their_distance_pings_too() -> None:
    limits = replace(BYBIT.limits, message_gap_s=600.0, channels_per_message=1)
    async with running("a", "b", exchange=quick(limits=limits, ping_s=0.0)) as it:
        await until(lambda: it.sink.payloads())
        for _ in range(20):
            await it.server.send(stamped(time.time_ns()))  # time enough for what should not come
        await until(lambda: len(it.sink.payloads()) == 21)
        assert [(told.operation, told.channels) for told in it.server.told] == [("subscribe", ("a",))]
        assert it.server.pings == 0


async def test_a_message_without_a_reply_ends_the_connection() -> None:
    async with running("a", acknowledges=False, timing=replace(QUICK, acknowledge_s=0.01)) as it:
        await until(lambda: it.sink.controls("disconnected"))
        assert it.sink.controls("disconnected")[0][1].reason == "no reply to subscribe a within 0.01 s"

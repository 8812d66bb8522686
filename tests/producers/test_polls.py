"""Requests asked again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from producers import metrics
from producers.exchange import Poll, Request
from producers.polls import Polls
from producers.raw import Frames
from producers.rest import Rest

from .scripted import Kept, Scripted, Status, quick, scripted, until


def path(name: object) -> str:
    return f"/v5/market/{name}"


def poll(*names: object, every_s: float) -> Poll:
    return Poll(tuple(Request("rest", path(name)) for name in names), every_s)


@asynccontextmanager
async def polling() -> AsyncIterator[tuple[Scripted, Polls]]:
    """Poll a server, nothing at first."""
    async with scripted() as server, aiohttp.ClientSession() as session:
        rest = Rest(session, quick(), {"rest": f"http://{server.url}"}, Frames("bybit", Kept()))
        async with asyncio.TaskGroup() as tasks:
            polls = Polls("bybit", rest, tasks)
            yield server, polls
            polls.keep([])


async def test_the_requests_of_a_poll_take_turns_over_its_interval() -> None:
    async with polling() as (server, polls):
        polls.keep([poll(*range(10), every_s=0.5)])
        await until(lambda: len(server.requests) >= 30)
        assert server.requests[:30] == [path(number) for number in range(10)] * 3


async def test_the_second_half_of_a_poll_waits_for_the_second_half_of_its_interval() -> None:
    async with polling() as (server, polls):
        polls.keep([poll("a", "b", every_s=600.0), poll("c", every_s=0.01)])
        await until(lambda: server.requests.count(path("c")) > 5)
        assert {path("a"), path("c")} == set(server.requests)


async def test_in_a_changed_set_what_goes_on_keeps_its_times_and_what_is_new_begins_at_once() -> None:
    async with polling() as (server, polls):
        polls.keep([poll("a", "b", every_s=600.0)])
        await until(lambda: server.requests == [path("a")])
        polls.keep([poll("a", "b", "c", every_s=600.0)])
        await until(lambda: server.requests == [path("a"), path("c")])


async def test_what_is_gone_is_not_asked_for_any_more() -> None:
    async with polling() as (server, polls):
        polls.keep([poll("a", "b", every_s=0.02)])
        await until(lambda: path("b") in server.requests)
        polls.keep([poll("b", every_s=0.02)])
        asked = server.requests.count(path("b"))
        await until(lambda: server.requests.count(path("b")) > asked + 2)  # what was on its way has come
        server.requests.clear()
        await until(lambda: len(server.requests) > 5)
        assert set(server.requests) <= {path("b")}


async def test_failures_are_logged_once_for_each_reason(caplog: pytest.LogCaptureFixture) -> None:
    failed = metrics.FAILED_REQUESTS.labels("bybit")
    before = failed._value.get()
    async with polling() as (server, polls):
        server.answers |= {path(number): Status(500 if number % 2 else 502) for number in range(40)}
        polls.keep([poll(*range(40), every_s=0.1)])
        await until(lambda: failed._value.get() >= before + 80)
    assert sorted(line.rpartition(": ")[2] for line in caplog.messages) == [
        "status 500; silent for 0 s",
        "status 502; silent for 0 s",
    ]

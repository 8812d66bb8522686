"""Requests over REST, and how a producer obeys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import pytest

from producers import rest as rest_module
from producers.exchange import Exchange, Request
from producers.raw import Frames
from producers.rest import Rest, RestFailed
from schemas.raw import SourceKind

from .scripted import Kept, Scripted, Status, quick, scripted, until

PATH = "/v5/market/tickers?category=linear"
TICKERS = Request("rest", PATH)


@asynccontextmanager
async def asking(exchange: Exchange | None = None) -> AsyncIterator[tuple[Scripted, Rest, Frames, Kept]]:
    """Serve, and ask the server."""
    async with scripted() as server, aiohttp.ClientSession() as session:
        sink = Kept()
        frames = Frames("bybit", sink)
        yield server, Rest(session, exchange or quick(), {"rest": f"http://{server.url}"}, frames), frames, sink


async def test_an_answer_is_published_untouched_with_its_request() -> None:
    async with asking() as (server, rest, frames, sink):
        server.answers[PATH] = b'{"retCode":0,  "odd" : 1.50}'
        assert await rest.get(TICKERS) == b'{"retCode":0,  "odd" : 1.50}'
        frames.flush()
        [(source, payload, received_ns)] = sink.frames(SourceKind.REST)
        assert (source, payload) == (f"GET http://{server.url}{PATH}", '{"retCode":0,  "odd" : 1.50}')
        assert received_ns


async def test_a_cursor_is_sent_as_it_came() -> None:
    async with asking() as (server, rest, _, _):
        await rest.get(Request("rest", "/v5/market/x?cursor=a%2Fb%3D1"))
        assert server.requests == ["/v5/market/x?cursor=a%2Fb%3D1"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Status(429), "status 429; silent for 30 s"),
        (Status(429, {"Retry-After": "7"}), "status 429; silent for 7 s"),
        (Status(429, {"Retry-After": "0"}), "status 429; silent for 1 s"),
        (Status(418), "status 418; silent for 600 s"),
        (Status(418, {"Retry-After": "90"}), "status 418; silent for 90 s"),
        (Status(403, {"Retry-After": "1"}), "status 403; silent for 600 s"),
        (Status(451), "status 451; silent for 600 s"),
        (b'{"retCode":10006,"retMsg":"Too many visits!"}', "retCode 10006 Too many visits!; silent for 5 s"),
    ],
)
async def test_a_refusal_is_obeyed_by_every_later_request_and_is_no_frame(answer: bytes | Status, reason: str) -> None:
    async with asking() as (server, rest, frames, sink):
        server.answers[PATH] = answer
        with pytest.raises(RestFailed, match=reason):
            await rest.get(TICKERS)
        later = asyncio.create_task(rest.get(Request("rest", "/v5/market/other")))
        await asyncio.wait([later], timeout=0.1)
        assert not later.done()
        assert server.requests == [PATH]
        later.cancel()
        frames.flush()
        assert sink.batches == []


def half_a_minute(headers: Mapping[str, str]) -> float:
    return 30.0 if headers.get("X-Used-Weight") == "2000" else 0.0


@pytest.mark.parametrize("status", [200, 502])
async def test_headers_may_ask_for_silence_whatever_the_answer(status: int) -> None:
    async with asking(quick(pause_s=half_a_minute)) as (server, rest, _, _):
        server.answers[PATH] = Status(200, {"X-Used-Weight": "1999"}, b'{"retCode":0}')
        assert await rest.get(TICKERS) == b'{"retCode":0}'
        server.answers[PATH] = Status(status, {"X-Used-Weight": "2000"}, b'{"retCode":0}')
        await asyncio.gather(rest.get(TICKERS), return_exceptions=True)
        later = asyncio.create_task(rest.get(TICKERS))
        await asyncio.wait([later], timeout=0.1)
        assert len(server.requests) == 2
        later.cancel()


async def test_a_silence_holds_for_those_who_wait_for_their_turn_already() -> None:
    async with asking(quick(request_gap_s=0.05, requests_at_once=3)) as (server, rest, _, _):
        server.answers[PATH] = Status(429)
        waiting = [asyncio.create_task(rest.get(TICKERS)) for _ in range(3)]
        done, still = await asyncio.wait(waiting, timeout=0.3)
        assert (len(done), len(still), len(server.requests)) == (1, 2, 1)
        assert isinstance(done.pop().exception(), RestFailed)
        for task in still:
            task.cancel()


async def test_no_more_requests_are_under_way_than_the_exchange_allows() -> None:
    async with asking(quick(requests_at_once=3)) as (server, rest, _, _):
        server.answering.clear()
        asked = [asyncio.create_task(rest.get(Request("rest", f"/v5/market/{number}"))) for number in range(8)]
        await until(lambda: len(server.requests) == 3)
        await asyncio.wait(asked, timeout=0.1)
        assert server.requests == ["/v5/market/0", "/v5/market/1", "/v5/market/2"]
        server.answering.set()
        await asyncio.gather(*asked)
        assert len(server.requests) == 8


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Status(502), "status 502"),
        (b'{"retCode":10001,"retMsg":"params error"}', "retCode 10001 params error"),
        (b"<html>", "not an answer of this exchange"),
    ],
)
async def test_an_error_fails_this_request_only(answer: bytes | Status, reason: str) -> None:
    async with asking() as (server, rest, _, _):
        server.answers[PATH] = answer
        with pytest.raises(RestFailed, match=reason):
            await rest.get(TICKERS)
        await rest.get(Request("rest", "/v5/market/other"))
        assert server.requests == [PATH, "/v5/market/other"]


async def test_a_server_that_is_away_fails_the_request() -> None:
    async with aiohttp.ClientSession() as session:
        rest = Rest(session, quick(), {"rest": "http://127.0.0.1:1"}, Frames("bybit", Kept()))
        with pytest.raises(RestFailed, match="ClientConnectorError"):
            await rest.get(TICKERS)


async def test_an_answer_that_fits_into_no_batch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_module, "LARGEST_BODY", 10)
    async with asking() as (server, rest, _, _):
        server.answers[PATH] = b'{"retCode":0}'
        with pytest.raises(RestFailed, match="13 bytes, more than the 10"):
            await rest.get(TICKERS)

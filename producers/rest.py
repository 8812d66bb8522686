"""Requests over REST: one at a time, published as frames, and silent for as long as the exchange asks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

import aiohttp
from yarl import URL

from schemas.raw import Source, SourceKind

from .exchange import Exchange, Refusal, Request
from .raw import Frames

log = logging.getLogger(__name__)

LARGEST_BODY = 1536 << 10  # a batch must stay below Kafka's 2 MiB
TIMEOUT = aiohttp.ClientTimeout(total=20)
# How long to be silent after a status when the answer does not say; 403 is a ban by address.
SILENCE_S = {403: 600.0, 418: 600.0, 429: 30.0}


class RestFailed(Exception):
    """A request without a usable answer; says why."""


class Rest:
    """The requests of one exchange."""

    def __init__(self, session: aiohttp.ClientSession, exchange: Exchange, urls: Mapping[str, str], frames: Frames):
        """`urls`: hosts by the names that requests use, `https://api.bybit.com`."""
        self._session, self._exchange, self._urls, self._frames = session, exchange, urls, frames
        self._turn = asyncio.Lock()
        self._next_s = 0.0  # nothing is asked before, by the monotonic clock

    async def get(self, request: Request) -> bytes:
        """Ask, publish the answer as it is and return it; raise `RestFailed`."""
        url = self._urls[request.host] + request.path
        async with self._turn:
            await asyncio.sleep(max(0.0, self._next_s - time.monotonic()))
            await self._frames.room.wait()
            self._next_s = time.monotonic() + self._exchange.request_gap_s
            body, refusal = await self._ask(url)
            if refusal:
                self._next_s = max(self._next_s, time.monotonic() + refusal.wait_s)
                raise RestFailed(f"GET {url}: {refusal.reason}; silent for {refusal.wait_s:.0f} s")
        self._frames.put(Source(SourceKind.REST, f"GET {url}", ""), body, time.time_ns())
        return body

    async def _ask(self, url: str) -> tuple[bytes, Refusal | None]:
        try:
            # Encoded already: a cursor must go back as it came.
            async with self._session.get(URL(url, encoded=True), timeout=TIMEOUT) as answer:
                if answer.status != 200:
                    return b"", _refused(answer.status, answer.headers)
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return b"", Refusal(f"{type(error).__name__} {error}".strip())
        if len(body) > LARGEST_BODY:
            return b"", Refusal(f"{len(body)} bytes, more than the {LARGEST_BODY} that fit into a batch")
        return body, self._exchange.refusal(body, answer.headers)


def _refused(status: int, headers: Mapping[str, str]) -> Refusal:
    asked_s = headers.get("Retry-After", "")
    wait_s = float(asked_s) if asked_s.isdigit() and status != 403 else SILENCE_S.get(status, 0.0)
    return Refusal(f"status {status}", wait_s)

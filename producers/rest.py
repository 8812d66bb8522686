"""Requests over REST: few at a time, published as frames, and silent for as long as the exchange asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import aiohttp
from yarl import URL

from schemas.raw import Source, SourceKind

from .exchange import Exchange, Refusal, Request
from .pace import Pace
from .raw import Frames

LARGEST_BODY = 1536 << 10  # a batch must stay below Kafka's 2 MiB
TIMEOUT = aiohttp.ClientTimeout(total=20)
# How long to be silent after a status when the answer does not say.
SILENCE_S = {403: 600.0, 418: 600.0, 429: 30.0, 451: 600.0}
BANS = (403, 451)  # by address or country: they do not end when the answer says so


class RestFailed(Exception):
    """A request without a usable answer; says why."""

    def __init__(self, reason: str, request: str = "") -> None:
        """`request` is left out of `reason`, which many requests may share."""
        super().__init__(f"{request}: {reason}" if request else reason)
        self.reason = reason


class Rest:
    """The requests of one exchange."""

    def __init__(self, session: aiohttp.ClientSession, exchange: Exchange, urls: Mapping[str, str], frames: Frames):
        """`urls`: hosts by the names that requests use, `https://api.bybit.com`."""
        self._session, self._exchange, self._urls, self._frames = session, exchange, urls, frames
        self._starts = Pace(exchange.request_gap_s)
        self._slots = asyncio.Semaphore(exchange.requests_at_once)

    async def get(self, request: Request) -> bytes:
        """Ask, publish the answer as it is and return it; raise `RestFailed`."""
        url = self._urls[request.host] + request.path
        async with self._slots:
            await self._starts.turn()
            await self._frames.room.wait()
            body, refusal = await self._ask(url)
        if refusal:
            raise RestFailed(f"{refusal.reason}; silent for {refusal.wait_s:.0f} s", f"GET {url}")
        self._frames.put(Source(SourceKind.REST, f"GET {url}", ""), body, time.time_ns())
        return body

    async def _ask(self, url: str) -> tuple[bytes, Refusal | None]:
        try:
            # Encoded already: a cursor must go back as it came.
            async with self._session.get(URL(url, encoded=True), timeout=TIMEOUT) as answer:
                self._starts.pause(self._exchange.pause_s(answer.headers))
                body = await answer.read() if answer.status == 200 else b""
        except (aiohttp.ClientError, TimeoutError) as error:
            return b"", Refusal(f"{type(error).__name__} {error}".strip())
        refusal = self._refusal(answer.status, answer.headers, body)
        if refusal:
            self._starts.pause(refusal.wait_s)
        return body, refusal

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> Refusal | None:
        if status != 200:
            return Refusal(f"status {status}", _asked_s(status, headers))
        if len(body) > LARGEST_BODY:
            return Refusal(f"{len(body)} bytes, more than the {LARGEST_BODY} that fit into a batch")
        return self._exchange.refusal(body, headers)


def _asked_s(status: int, headers: Mapping[str, str]) -> float:
    asked_s = headers.get("Retry-After", "")
    return max(1.0, float(asked_s)) if asked_s.isdigit() and status not in BANS else SILENCE_S.get(status, 0.0)

"""A small client of Binance's protocol, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from websockets.asyncio.client import connect

from simulator.server import Served
from tests.simulator.exchanges.client import Message, Socket


async def rest(served: Served, path: str, status: int = 200, /, **query: str) -> tuple[Any, int]:
    """Return an answer and the weight used so far."""
    async with aiohttp.ClientSession(served.urls["rest"]) as session, session.get(path, params=query) as response:
        assert response.status == status
        return await response.json(), int(response.headers["X-MBX-USED-WEIGHT-1M"])


class Subscriber(Socket):
    """A socket that subscribes as Binance wants it."""

    async def ask(self, method: str, *params: object, number: int = 1) -> list[Message]:
        """Send a request and return all messages up to its answer, which is the last."""
        await self.send({"method": method, "params": params, "id": number})
        return await self.until(lambda message: isinstance(message, dict) and message.get("id") == number)


@asynccontextmanager
async def socket(served: Served, path: str = "/market/stream", host: str = "ws") -> AsyncIterator[Subscriber]:
    async with connect(served.urls[host] + path) as connection:
        yield Subscriber(connection)

"""A small client of Bybit's protocol, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from websockets.asyncio.client import connect

from simulator.server import Served
from tests.simulator.exchanges.client import Message, Socket


async def rest(served: Served, path: str, **query: str) -> Message:
    async with aiohttp.ClientSession(served.urls["rest"]) as session, session.get(path, params=query) as response:
        assert response.status == 200
        answer: Message = await response.json()
        return answer


async def symbols(served: Served, category: str) -> list[str]:
    answer = await rest(served, "/v5/market/instruments-info", category=category, limit="1000")
    return [instrument["symbol"] for instrument in answer["result"]["list"]]


class Subscriber(Socket):
    """A socket that subscribes as Bybit wants it."""

    async def ask(self, operation: str, *topics: str, request: str = "r") -> list[Message]:
        """Send a request and return all messages up to its answer, which is the last."""
        await self.send({"op": operation, "req_id": request, "args": topics})
        return await self.until(lambda message: message.get("op") == operation)


@asynccontextmanager
async def socket(served: Served, category: str = "linear") -> AsyncIterator[Subscriber]:
    async with connect(f"{served.urls['ws']}/v5/public/{category}") as connection:
        yield Subscriber(connection)

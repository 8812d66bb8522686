"""A small client of Binance's protocol, for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from simulator.server import Served

PATIENCE_S = 10.0


async def rest(served: Served, path: str, status: int = 200, /, **query: str) -> tuple[Any, int]:
    """Return an answer and the weight used so far."""
    async with aiohttp.ClientSession(served.urls["rest"]) as session, session.get(path, params=query) as response:
        assert response.status == status
        return await response.json(), int(response.headers["X-MBX-USED-WEIGHT-1M"])


async def fault(served: Served, **fields: Any) -> int:
    """Ask for a fault and return the status of the answer."""
    async with aiohttp.ClientSession(served.urls["rest"]) as session, session.post("/_faults", json=fields) as response:
        return response.status


class Socket:
    """One connection; every wait has a deadline."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: object) -> None:
        await self.connection.send(message if isinstance(message, str) else json.dumps(message))

    async def message(self) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return json.loads(await self.connection.recv())

    async def until(self, wanted: Callable[[Any], bool]) -> list[Any]:
        """Return all messages up to the wanted one, which is the last."""
        messages = [await self.message()]
        while not wanted(messages[-1]):
            messages.append(await self.message())
        return messages

    async def ask(self, method: str, *params: object, number: int = 1) -> list[Any]:
        """Send a request and return all messages up to its answer, which is the last."""
        await self.send({"method": method, "params": params, "id": number})
        return await self.until(lambda message: isinstance(message, dict) and message.get("id") == number)


@asynccontextmanager
async def socket(served: Served, path: str = "/market/stream", host: str = "ws") -> AsyncIterator[Socket]:
    async with connect(served.urls[host] + path) as connection:
        yield Socket(connection)

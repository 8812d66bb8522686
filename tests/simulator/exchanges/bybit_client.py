"""A small client of Bybit's protocol, for tests."""

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
Message = dict[str, Any]


async def rest(served: Served, path: str, **query: str) -> Message:
    async with aiohttp.ClientSession(served.urls["rest"]) as session, session.get(path, params=query) as response:
        assert response.status == 200
        answer: Message = await response.json()
        return answer


async def symbols(served: Served, category: str) -> list[str]:
    answer = await rest(served, "/v5/market/instruments-info", category=category, limit="1000")
    return [instrument["symbol"] for instrument in answer["result"]["list"]]


async def fault(served: Served, **fields: Any) -> tuple[int, str]:
    """Ask for a fault and return status and text of the answer."""
    async with aiohttp.ClientSession(served.urls["rest"]) as session, session.post("/_faults", json=fields) as response:
        return response.status, await response.text()


class Socket:
    """One connection; every wait has a deadline."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: object) -> None:
        await self.connection.send(message if isinstance(message, str) else json.dumps(message))

    async def text(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            text = await self.connection.recv()
        assert isinstance(text, str)
        return text

    async def message(self) -> Message:
        message: Message = json.loads(await self.text())
        return message

    async def until(self, wanted: Callable[[Message], bool]) -> list[Message]:
        """Return all messages up to the wanted one, which is the last."""
        messages = [await self.message()]
        while not wanted(messages[-1]):
            messages.append(await self.message())
        return messages

    async def ask(self, operation: str, *topics: str, request: str = "r") -> list[Message]:
        """Send a request and return all messages up to its answer, which is the last."""
        await self.send({"op": operation, "req_id": request, "args": topics})
        return await self.until(lambda message: message.get("op") == operation)


@asynccontextmanager
async def socket(served: Served, category: str = "linear") -> AsyncIterator[Socket]:
    async with connect(f"{served.urls['ws']}/v5/public/{category}") as connection:
        yield Socket(connection)

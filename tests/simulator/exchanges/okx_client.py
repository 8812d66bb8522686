"""A small client of OKX's protocol, for tests."""

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


async def rest(served: Served, path: str, status: int = 200, /, **query: str) -> Message:
    async with aiohttp.ClientSession(served.urls["rest"]) as session, session.get(path, params=query) as response:
        assert response.status == status
        answer: Message = await response.json()
        return answer


async def fault(served: Served, **fields: Any) -> int:
    """Ask for a fault and return the status of the answer."""
    async with aiohttp.ClientSession(served.urls["rest"]) as session, session.post("/_faults", json=fields) as response:
        return response.status


def arg(topic: str) -> dict[str, str]:
    """Return what a subscription to `mark-price:BTC-USDT-SWAP` asks for."""
    channel, _, about = topic.partition(":")
    return {"channel": channel, "instType" if channel == "liquidation-orders" else "instId": about}


class Socket:
    """One connection; every wait has a deadline."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

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

    async def ask(self, operation: str, *topics: str) -> list[Message]:
        """Send a request and return all messages up to the last of its replies, one for each topic."""
        await self.connection.send(json.dumps({"id": "r", "op": operation, "args": [arg(topic) for topic in topics]}))
        messages: list[Message] = []
        for _ in topics:
            messages += await self.until(lambda message: "event" in message)
        return messages

    async def liquidations(self, frames: int) -> list[Message]:
        """Return the next frames of liquidations."""
        found: list[Message] = []
        while len(found) < frames:
            message = await self.message()
            if message.get("data") and message["arg"]["channel"] == "liquidation-orders":
                found.append(message)
        return found


@asynccontextmanager
async def socket(served: Served) -> AsyncIterator[Socket]:
    async with connect(f"{served.urls['ws']}/ws/v5/public") as connection:
        yield Socket(connection)

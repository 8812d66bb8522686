"""A small client of OKX's protocol, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from websockets.asyncio.client import connect

from simulator.server import Served
from tests.simulator.exchanges.client import Message, Socket


async def rest(served: Served, path: str, status: int = 200, /, **query: str) -> Message:
    async with aiohttp.ClientSession(served.urls["rest"]) as session, session.get(path, params=query) as response:
        assert response.status == status
        answer: Message = await response.json()
        return answer


def arg(topic: str) -> dict[str, str]:
    """Return what a subscription to `mark-price:BTC-USDT-SWAP` asks for."""
    channel, _, about = topic.partition(":")
    return {"channel": channel, "instType" if channel == "liquidation-orders" else "instId": about}


class Subscriber(Socket):
    """A socket that subscribes as OKX wants it."""

    async def ask(self, operation: str, *topics: str) -> list[Message]:
        """Send a request and return all messages up to the last of its replies, one for each topic."""
        await self.send({"id": "r", "op": operation, "args": [arg(topic) for topic in topics]})
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
async def socket(served: Served) -> AsyncIterator[Subscriber]:
    async with connect(f"{served.urls['ws']}/ws/v5/public") as connection:
        yield Subscriber(connection)

"""What a small client of any exchange does: read a socket with patience, and ask the server for a fault."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection

from simulator.server import Served

PATIENCE_S = 10.0
DONE = 204, ""  # what `fault` returns where there is nothing to say
Message = Any


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
        return json.loads(await self.text())

    async def until(self, wanted: Callable[[Message], bool]) -> list[Message]:
        """Return all messages up to the wanted one, which is the last."""
        messages = [await self.message()]
        while not wanted(messages[-1]):
            messages.append(await self.message())
        return messages


async def fault(served: Served, **fields: Any) -> tuple[int, str]:
    """Ask for a fault and return status and text of the answer."""
    async with aiohttp.ClientSession(served.urls["rest"]) as session, session.post("/_faults", json=fields) as response:
        return response.status, await response.text()

"""Messages that subscribe, one at a time, and the exchange's replies to them, found among the frames."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from websockets.asyncio.client import ClientConnection

from .exchange import Exchange, Operation, Reply


class NoReply(Exception):
    """The exchange did not reply in time."""


class Dialogue:
    """What is asked on one socket, and what is heard."""

    def __init__(self, exchange: Exchange, socket: ClientConnection, patience_s: float) -> None:
        """`patience_s`: how long a reply may take."""
        self.is_waiting = False  # frames are looked at only while it is
        self._exchange, self._socket, self._patience_s = exchange, socket, patience_s
        self._number = 0
        self._reply: asyncio.Future[tuple[Reply, int]] = asyncio.get_running_loop().create_future()

    async def ask(self, operation: Operation, channels: Sequence[str]) -> tuple[Reply, int]:
        """Send one message; return the reply and when it arrived (ns). Raises `NoReply`."""
        self._number += 1
        self._reply = asyncio.get_running_loop().create_future()
        self.is_waiting = True
        try:
            await self._socket.send(self._exchange.message(operation, channels, str(self._number)))
            async with asyncio.timeout(self._patience_s):
                return await self._reply
        except TimeoutError:
            raise NoReply(f"no reply to {operation} {channels[0]} within {self._patience_s:g} s") from None
        finally:
            self.is_waiting = False

    def hear(self, frame: bytes, received_ns: int) -> None:
        """Look whether a frame is the reply."""
        reply = self._exchange.reply(frame)
        if reply and reply.id == str(self._number) and not self._reply.done():
            self._reply.set_result((reply, received_ns))

"""Messages that subscribe, one at a time, and the exchange's replies to them, found among the frames."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from websockets.asyncio.client import ClientConnection

from .exchange import Exchange, Operation, Reply
from .pace import Pace


class NoReply(Exception):
    """The exchange did not reply in time."""


class Answer:
    """What the exchange says to one message, put together from one reply or from one for each channel."""

    def __init__(self, channels: Iterable[str]) -> None:
        """Hear nothing yet of these channels."""
        self.accepted: list[str] = []
        self.refused: dict[str, str] = {}  # with the reasons
        self.left = dict.fromkeys(channels)  # no reply is about these alone
        self.is_whole = False  # no other reply is to come
        self.reason = ""  # why those that are left count for nothing: one wrong channel voids a whole message
        self.received_ns = 0  # when the last reply arrived

    def take(self, reply: Reply, received_ns: int) -> None:
        """Add a reply."""
        if reply.channel and reply.channel not in self.left:
            return  # said before, or about another message
        named = [reply.channel] if reply.channel else list(self.left)
        is_good = reply.is_accepted or (reply.is_repeated and len(named) == 1)
        if not is_good and len(named) > 1:
            self.reason = reply.reason
            named = [reply.refused] if reply.refused in self.left else []
        for channel in named:
            del self.left[channel]
        if is_good:
            self.accepted += named
        else:
            self.refused.update(dict.fromkeys(named, reply.reason))
        self.received_ns = received_ns
        self.is_whole = bool(self.reason) or not self.left


class Dialogue:
    """What is asked on one socket, and what is heard."""

    def __init__(self, exchange: Exchange, socket: ClientConnection, messages: Pace, patience_s: float) -> None:
        """`messages` are those of the socket, whoever sends them; `patience_s`: how long replies may take."""
        self.is_waiting = False  # frames are looked at only while it is
        self._exchange, self._socket, self._messages, self._patience_s = exchange, socket, messages, patience_s
        self._number = 0
        self._answer = Answer(())
        self._answered = asyncio.Event()

    async def ask(self, operation: Operation, channels: Sequence[str]) -> Answer:
        """Send one message and return what came of it. Raises `NoReply`."""
        self._number += 1
        self._answer = Answer(channels)
        self._answered.clear()
        await self._messages.turn()
        self.is_waiting = True
        try:
            await self._socket.send(self._exchange.message(operation, channels, str(self._number)))
            async with asyncio.timeout(self._patience_s):
                await self._answered.wait()
        except TimeoutError:
            if not self._answer.refused:
                missing = next(iter(self._answer.left))
                raise NoReply(f"no reply to {operation} {missing} within {self._patience_s:g} s") from None
            self._answer.reason = "no reply beside the refusal of another channel"
        finally:
            self.is_waiting = False
        return self._answer

    def hear(self, frame: bytes, received_ns: int) -> None:
        """Look whether a frame is a reply to the message."""
        reply = self._exchange.reply(frame)
        if reply and self._is_ours(reply) and not self._answered.is_set():
            self._answer.take(reply, received_ns)
            if self._answer.is_whole:
                self._answered.set()

    def _is_ours(self, reply: Reply) -> bool:
        """An error may come without the number of its message, and be about the channel that it names, or about all."""
        if reply.id:
            return reply.id == str(self._number)
        return reply.channel in self._answer.left if reply.channel else not reply.is_accepted

"""The clients of an exchange: who is connected, who listens to which topic, and what still waits to be sent."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from aiohttp import WSCloseCode, WSMsgType, web

LONGEST_QUEUE = 100_000  # frames; who reads so slowly is cut off, as an exchange does it
IDLE_S = 600.0  # a connection from which nothing comes is cut off
CLOSING_S = 1.0  # how long a client may take to answer a close frame


class Client:
    """One socket of a client. What is sent to it waits in a queue, so that a slow client holds nobody up."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.connection = secrets.token_hex(10)
        self.topics: set[str] = set()
        self.socket = socket
        self._transport = transport
        self._queue: deque[bytes] = deque()
        self._waiting = asyncio.Event()

    def send(self, frame: bytes) -> None:
        """Put a text frame into the queue."""
        self._queue.append(frame)
        self._waiting.set()
        if len(self._queue) > LONGEST_QUEUE:
            self.abort()

    def abort(self) -> None:
        """Cut the connection without a close frame; what waits is lost."""
        self._transport.abort()

    async def deliver(self, flowing: asyncio.Event) -> None:
        """Send what waits, while it may flow, until the connection ends."""
        with suppress(ConnectionResetError):
            while True:
                await self._waiting.wait()
                await flowing.wait()
                await self.socket.send_frame(self._queue.popleft(), WSMsgType.TEXT)
                if not self._queue:
                    self._waiting.clear()

    async def close(self) -> None:
        """End in good order."""
        await self.socket.close(code=WSCloseCode.SERVICE_RESTART)


class Clients:
    """All sockets of one exchange, by topic."""

    def __init__(self) -> None:
        self._connected: set[Client] = set()
        self._listeners: dict[str, set[Client]] = {}
        self._last_frame: dict[str, bytes] = {}
        self._muted: str | None = None  # the beginning of the topics of which nothing is sent
        self._flowing = asyncio.Event()
        self._flowing.set()

    @asynccontextmanager
    async def connect(self, request: web.Request) -> AsyncIterator[Client]:
        """Accept the socket of a request, and keep sending to it until the block ends."""
        socket = web.WebSocketResponse(compress=False, timeout=CLOSING_S, receive_timeout=IDLE_S)
        await socket.prepare(request)
        assert request.transport is not None  # the request has just been answered
        client = Client(socket, request.transport)
        self._connected.add(client)
        sender = asyncio.create_task(client.deliver(self._flowing))
        try:
            yield client
        finally:
            self._connected.discard(client)
            self.unsubscribe(client, list(client.topics))
            sender.cancel()
            with suppress(asyncio.CancelledError):
                await sender

    def subscribe(self, client: Client, topics: Iterable[str]) -> None:
        """Let a client listen to topics."""
        for topic in topics:
            client.topics.add(topic)
            self._listeners.setdefault(topic, set()).add(client)

    def unsubscribe(self, client: Client, topics: Iterable[str]) -> None:
        """Let a client listen to topics no more; those it never listened to do not matter."""
        for topic in topics:
            client.topics.discard(topic)
            self._listeners.get(topic, set()).discard(client)

    def listens(self, topic: str) -> bool:
        """Say whether anybody is subscribed."""
        return bool(self._listeners.get(topic))

    def publish(self, topic: str, frame: bytes) -> None:
        """Send a frame to all who listen, and remember it as an example."""
        self._last_frame[topic] = frame
        self.disturb(topic, frame)

    def disturb(self, topic: str, frame: bytes) -> None:
        """Send a frame that is no example to all who listen."""
        for client in self._listeners[topic]:
            self.tell(client, topic, frame)

    def tell(self, client: Client, topic: str, frame: bytes) -> None:
        """Send a frame of a topic to one client."""
        if self._muted is None or not topic.startswith(self._muted):
            client.send(frame)

    def last_frames(self, channel: str) -> dict[str, bytes]:
        """Return the newest frame of each topic that starts with `channel` and has a listener."""
        frames = self._last_frame.items()
        return {topic: frame for topic, frame in frames if topic.startswith(channel) and self.listens(topic)}

    def hold(self) -> None:
        """Send nothing to anybody until `release`; it waits."""
        self._flowing.clear()

    def release(self) -> None:
        """Send again."""
        self._flowing.set()

    def mute(self, channel: str) -> None:
        """Lose whatever is to be sent on topics that start with `channel`, until `unmute`."""
        self._muted = channel

    def unmute(self) -> None:
        """Lose nothing any more."""
        self._muted = None

    def abort(self) -> None:
        """Cut all connections without a close frame."""
        for client in self._connected:
            client.abort()

    async def close(self) -> None:
        """End all connections in good order."""
        await asyncio.gather(*(client.close() for client in self._connected))

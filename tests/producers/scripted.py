"""An exchange on localhost that does what a test tells it, in Bybit's protocol; and a sink that keeps what it gets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import msgspec
from aiohttp import WSMsgType, web

from producers.bybit import BYBIT
from producers.exchange import Exchange
from producers.timing import Timing
from schemas.raw import Control, RawBatch, SourceKind

QUICK = Timing(
    acknowledge_s=5.0,
    prove_s=0.01,
    first_backoff_s=0.01,
    longest_backoff_s=0.02,
    heartbeat_s=0.02,
    listing_retry_s=0.02,
)
DEADLINE_S = 30.0


async def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition; fail after a deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # conditions look at state that knows of no events
            await asyncio.sleep(0.005)


def contract(symbol: str, base_coin: str = "", status: str = "Trading") -> dict[str, Any]:
    """Return an instrument as the listing prints it."""
    return {"symbol": symbol, "status": status, "baseCoin": base_coin or symbol.removesuffix("USDT")}


def page(category: str, *contracts: dict[str, Any], cursor: str = "") -> bytes:
    """Return one page of the listing."""
    result = {"category": category, "list": contracts, "nextPageCursor": cursor}
    return json.dumps({"retCode": 0, "retMsg": "OK", "result": result, "time": 1}).encode()


def quick(**changes: Any) -> Exchange:
    """Return Bybit with another patience."""
    return replace(BYBIT, **{"request_gap_s": 0.0, "hold_s": 0.001, **changes})


@dataclass
class Told:
    """One message that a client sent."""

    path: str
    operation: str
    channels: tuple[str, ...]


def stamped(made_ns: int, **more: object) -> str:
    """Return a frame that says when it was made."""
    return json.dumps({"topic": "tickers.BTCUSDT", "ts": made_ns // 1_000_000, **more}, separators=(",", ":"))


class Status(NamedTuple):
    """An answer with a status and headers."""

    status: int
    headers: Mapping[str, str] | None = None
    body: bytes = b""


@dataclass
class Scripted:
    """What the server answers and what it was told; tests change the first and read the second."""

    url: str = ""
    answers: dict[str, bytes | Status] = field(default_factory=dict)  # by path with query
    answering: asyncio.Event = field(default_factory=asyncio.Event)  # cleared: requests wait for their answers
    refused: set[str] = field(default_factory=set)  # channels without a handler
    repeated: set[str] = field(default_factory=set)  # channels that it says are subscribed already
    acknowledges: bool = True
    accepts: bool = True  # new sockets
    answers_each: bool = False  # a reply for each channel of a message, as OKX does
    talks: bool = False  # sends frames of both busiest channels, on every socket, all the time
    pings: int = 0  # of the WebSocket protocol, all answered
    told: list[Told] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    sockets: dict[web.WebSocketResponse, set[str]] = field(default_factory=dict)  # with their channels

    def subscribed(self) -> list[tuple[str, ...]]:
        """Return the channels of each message that subscribed."""
        return [told.channels for told in self.told if told.operation == "subscribe"]

    async def send(self, text: str, channel: str = "") -> bool:
        """Send one frame on every open socket that carries the channel; say whether there was one."""
        chosen = [socket for socket, channels in self.sockets.items() if not channel or channel in channels]
        for socket in chosen:
            with suppress(ConnectionError):
                await socket.send_str(text)
        return bool(chosen)

    async def talk(self) -> None:
        """Send stamped frames while it should."""
        while True:
            if self.talks:
                await self.send(stamped(time.time_ns()))
                await self.send(stamped(time.time_ns(), topic="publicTrade.BTCUSDT"))
            await asyncio.sleep(0.005)

    def cut(self, count: int | None = None) -> None:
        """Cut every socket, or so many of the oldest, without a close frame."""
        for socket in list(self.sockets)[:count]:
            assert socket._req is not None
            assert socket._req.transport is not None
            socket._req.transport.abort()

    def _replies(self, channels: tuple[str, ...]) -> list[dict[str, Any]]:
        if not channels:
            return [{"success": True, "ret_msg": "pong"}]
        if not self.answers_each:
            return [self._reply(channels)]
        return [{**self._reply((channel,)), "channel": channel} for channel in channels]

    def _reply(self, channels: tuple[str, ...]) -> dict[str, Any]:
        for wrong, reason in ((self.refused, "handler not found"), (self.repeated, "already subscribed")):
            for channel in channels:
                if channel in wrong:
                    return {"success": False, "ret_msg": f"error:{reason},topic:{channel}"}
        return {"success": True, "ret_msg": ""}

    async def _rest(self, request: web.Request) -> web.Response:
        self.requests.append(request.raw_path)
        await self.answering.wait()
        answer = self.answers.get(request.raw_path, b'{"retCode":0,"retMsg":"OK","result":{},"time":1}')
        if isinstance(answer, Status):
            return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        return web.Response(body=answer)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        if not self.accepts:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.sockets[socket] = set()
        async for message in socket:
            if message.type is WSMsgType.PING:
                self.pings += 1
                await socket.pong(message.data)
                continue
            said = json.loads(message.data)
            channels = tuple(said.get("args", ()))
            self.told.append(Told(request.path, said["op"], channels))
            if self.acknowledges:
                self.sockets[socket].update(channels)
                for reply in self._replies(channels):
                    head = {"conn_id": "c", "req_id": said.get("req_id", ""), "op": said["op"]}
                    await socket.send_json({**reply, **head})
        del self.sockets[socket]
        return socket


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    """Serve while the block runs."""
    server = Scripted()
    server.answering.set()
    app = web.Application()
    app.router.add_get("/v5/public/{category}", server._socket)
    app.router.add_get("/v5/market/{what}", server._rest)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"127.0.0.1:{runner.addresses[0][1]}"
    talking = asyncio.create_task(server.talk())
    try:
        yield server
    finally:
        talking.cancel()
        await runner.cleanup()


class Kept:
    """A sink that keeps its batches."""

    def __init__(self) -> None:
        self.room = asyncio.Event()
        self.room.set()
        self.delivered_seq = -1
        self.batches: list[RawBatch] = []

    def publish(self, batch: RawBatch) -> None:
        """Keep a batch."""
        self.batches.append(batch)
        self.delivered_seq = batch.first_seq + len(batch.payloads) - 1

    def poll(self) -> None:
        """Nothing is under way."""

    async def settle(self) -> None:
        """Nothing was kept before."""

    async def drain(self, within_s: float) -> int:
        """Nothing is under way."""
        return 0

    def frames(self, kind: SourceKind) -> list[tuple[str, str, int]]:
        """Return connection or request, payload and time of the frames of one kind."""
        return frames_of(self.batches, kind)

    def payloads(self) -> list[str]:
        """Return what sockets delivered."""
        return [payload for _, payload, _ in self.frames(SourceKind.FRAME)]

    def controls(self, control: str) -> list[tuple[str, Control]]:
        """Return connection and content of the control frames of one kind."""
        return controls_of(self.batches, control)


def frames_of(batches: list[RawBatch], kind: SourceKind) -> list[tuple[str, str, int]]:
    """Return connection or request, payload and time of the frames of one kind."""
    pairs = [(batch.sources[frame.source], frame) for batch in batches for frame in batch.frames()]
    return [
        (source.connection or source.url, frame.payload.decode(), frame.received_ns)
        for source, frame in pairs
        if source.kind is kind
    ]


def controls_of(batches: list[RawBatch], control: str) -> list[tuple[str, Control]]:
    """Return connection and content of the control frames of one kind."""
    said = [
        (name, msgspec.json.decode(payload, type=Control))
        for name, payload, _ in frames_of(batches, SourceKind.CONTROL)
    ]
    return [(name, content) for name, content in said if content.control == control]

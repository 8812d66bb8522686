"""One connection against a server that does what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from producers.bybit import BYBIT
from producers.connection import Connection
from producers.exchange import Exchange, Feed
from producers.pace import Pace
from producers.raw import Frames
from producers.timing import Timing

from .scripted import QUICK, Kept, Scripted, quick, scripted

LINEAR = BYBIT.feeds[0]


@dataclass
class Running:
    """A connection and both its ends."""

    server: Scripted
    sink: Kept
    connection: Connection


@asynccontextmanager
async def running(
    *channels: str,
    exchange: Exchange | None = None,
    feed: Feed = LINEAR,
    timing: Timing = QUICK,
    since_ns: int = 0,
    **server_does: object,
) -> AsyncIterator[Running]:
    """Run a connection that wants these channels."""
    async with scripted() as server:
        for name, value in server_does.items():
            setattr(server, name, value)
        sink = Kept()
        frames = Frames("bybit", sink)
        chosen = exchange or quick()
        connection = Connection(chosen, feed, f"ws://{server.url}", "linear-0", frames, timing, Pace(0.0))
        connection.want(channels, since_ns)
        tasks = [asyncio.create_task(connection.run()), asyncio.create_task(frames.hand_over(0.001))]
        try:
            yield Running(server, sink, connection)
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

"""A simulated exchange that plays a tape: it answers and acknowledges as ever, but nothing is made while it sends."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from itertools import islice

import msgspec
from aiohttp import web

from simulator.exchanges.registry import EXCHANGES
from simulator.faults import Faults
from simulator.sockets import Clients
from simulator.truth import Truth

from ..prints import Printed
from ..tape import market, tape

HOST = "127.0.0.1"
PACE_S = 0.002


class Played(msgspec.Struct, frozen=True):
    """What is played, and when."""

    exchange: str
    port: int
    begin_ms: int
    seconds: int
    rate: int  # frames a second


async def main(given: Played) -> None:
    """Serve until SIGTERM; the tape begins at its time, and ends."""
    source, clients = market(given.begin_ms, given.rate), Clients()
    exchange = EXCHANGES[given.exchange](source, clients, Faults(clients), Truth(None))
    frames = list(islice(tape(given.exchange, source, given.begin_ms, given.rate), given.seconds * given.rate))
    gc.collect()
    gc.freeze()  # nobody looks at so many frames again and again
    application = web.Application()
    application.add_routes(exchange.routes())
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, HOST, given.port).start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    playing = asyncio.create_task(_play(clients, frames, given))
    await stop.wait()
    playing.cancel()
    await clients.close()
    await runner.cleanup()


async def _play(clients: Clients, frames: list[Printed], given: Played) -> None:
    sent = 0
    while sent < len(frames):
        due = max(sent, int((time.time() - given.begin_ms / 1000) * given.rate))
        for topic, frame in frames[sent:due]:
            if clients.listens(topic):
                clients.publish(topic, frame)
        sent = due
        await asyncio.sleep(PACE_S)


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=Played)))

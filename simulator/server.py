"""One exchange on localhost: drives the market by the clock and serves the exchange's protocol on one port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from aiohttp import web

from simulator.exchanges.registry import EXCHANGES, Exchange, urls
from simulator.faults import Fault, Faults
from simulator.market import TICK_MS, Market
from simulator.sockets import Clients
from simulator.truth import Truth

HOST = "127.0.0.1"
FAULTS_PATH = "/_faults"
CLOSING_S = 2.0


@dataclass(frozen=True, slots=True)
class Served:
    """A running exchange. `urls` are what a user sets to reach it; `running` ends only by an error."""

    port: int
    urls: dict[str, str]
    running: asyncio.Task[None]


@asynccontextmanager
async def serve(
    exchange: str,
    *,
    port: int = 0,
    seed: int = 1,
    rate: float = 200.0,
    liquidations_per_second: float = 2.0,
    truth: Path | None = None,
    health_file: Path | None = None,
    faults: Sequence[Fault] = (),
) -> AsyncIterator[Served]:
    """Serve an exchange while the block runs. Port 0 takes a free one; see Market for the rates, Fault for the faults.

    Raises OSError where the port is taken or the truth file cannot be written.
    """
    market = Market(seed=seed, opened_ms=_now_ms(), rate=rate, liquidations_per_second=liquidations_per_second)
    clients = Clients()
    to_come = Faults(clients)
    async with AsyncExitStack() as stack:
        played = EXCHANGES[exchange](market, clients, to_come, stack.enter_context(Truth(truth)))
        runner = web.AppRunner(_application(played, to_come), access_log=None, shutdown_timeout=CLOSING_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(clients.close)
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        port = runner.addresses[0][1]
        running = asyncio.create_task(_run(market, played, to_come, faults, health_file))
        stack.push_async_callback(_end, running)
        yield Served(port, urls(exchange, port), running)


def _application(exchange: Exchange, faults: Faults) -> web.Application:
    @web.middleware
    async def disturb(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path == FAULTS_PATH:
            return await handler(request)
        if faults.lasts("refuse"):
            raise web.HTTPForbidden(text="access too frequent")
        status, left_s = faults.limit()
        if status and "Upgrade" not in request.headers:
            return web.Response(status=status, headers={"Retry-After": str(left_s)})
        return await handler(request)

    async def bring(request: web.Request) -> web.Response:
        try:
            await faults.bring(msgspec.json.decode(await request.read(), type=Fault))
        except msgspec.DecodeError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        except LookupError as error:
            raise web.HTTPConflict(text=str(error)) from error
        return web.Response(status=204)

    application = web.Application(middlewares=[disturb])
    application.add_routes([*exchange.routes(), web.post(FAULTS_PATH, bring)])
    return application


async def _run(
    market: Market, exchange: Exchange, faults: Faults, to_come: Sequence[Fault], health_file: Path | None
) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_trade(market, exchange, health_file))
        for fault in to_come:
            tasks.create_task(faults.bring(fault))


async def _trade(market: Market, exchange: Exchange, health_file: Path | None) -> None:
    """Let the market go on by the clock, and the exchange tell of it."""
    touched_s = 0
    while True:
        now_ms = _now_ms()
        exchange.publish(market.step(now_ms), now_ms)
        if now_ms // 1000 != touched_s:
            touched_s = now_ms // 1000
            _show_health(health_file)
        await asyncio.sleep((TICK_MS - now_ms % TICK_MS) / 1000)


def _show_health(health_file: Path | None) -> None:
    if health_file:
        health_file.touch()


async def _end(running: asyncio.Task[None]) -> None:
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

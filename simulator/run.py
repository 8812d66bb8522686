"""Run one simulated exchange as a process, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from pathlib import Path

from simulator.exchanges.registry import EXCHANGES
from simulator.faults import Fault
from simulator.server import serve

log = logging.getLogger(__name__)


def run(
    exchange: str,
    *,
    port: int = 0,
    seed: int = 1,
    rate: float = 200.0,
    liquidations_per_second: float = 2.0,
    truth: Path | None = None,
    health_file: Path | None = None,
    port_file: Path | None = None,
    faults: Sequence[Fault] = (),
) -> int:
    """Serve an exchange on 127.0.0.1 and return the exit code: 0 after a signal, 1 where it cannot start.

    `rate` is tickers and trades per second over all contracts; `truth` gets a line of JSON for each liquidation;
    `health_file` is touched each second; `port_file` gets the port, once clients can connect.
    """
    if exchange not in EXCHANGES:
        log.error("no such exchange: %r, the simulator plays %s", exchange, ", ".join(EXCHANGES))
        return 1

    async def until_signalled() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with serve(
            exchange,
            port=port,
            seed=seed,
            rate=rate,
            liquidations_per_second=liquidations_per_second,
            truth=truth,
            health_file=health_file,
            faults=faults,
        ) as served:
            log.info("serving", extra={"exchange": exchange, "port": served.port, "urls": served.urls})
            _note(port_file, served.port)
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait((stopped, served.running), return_when=asyncio.FIRST_COMPLETED)

    try:
        asyncio.run(until_signalled())
    except OSError as error:
        log.error("the simulator cannot start: %s; choose another port, and a truth file that can be written", error)
        return 1
    return 0


def _note(port_file: Path | None, port: int) -> None:
    if port_file:
        port_file.write_text(f"{port}\n")

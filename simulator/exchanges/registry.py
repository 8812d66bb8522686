"""The exchanges that the simulator can play, and what it asks of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from aiohttp import web

from simulator.events import Event
from simulator.exchanges.binance import Binance
from simulator.exchanges.bybit import Bybit
from simulator.exchanges.okx import Okx
from simulator.faults import Faults
from simulator.market import Market
from simulator.sockets import Clients
from simulator.truth import Truth


class Exchange(Protocol):
    """An exchange that clients can talk to."""

    def routes(self) -> list[web.RouteDef]:
        """Return the paths under which clients find it."""

    def publish(self, events: Iterable[Event], now_ms: int) -> None:
        """Tell the clients what happened in the market until now."""


# How each host of an exchange is reached on the one port that plays them all; `{}` is host and port.
HOSTS: dict[str, dict[str, str]] = {
    "binance": {"ws": "ws://{}", "ws_cm": "ws://{}/dstream", "rest": "http://{}", "rest_cm": "http://{}"},
}
TWO_HOSTS = {"ws": "ws://{}", "rest": "http://{}"}

EXCHANGES: dict[str, Callable[[Market, Clients, Faults, Truth], Exchange]] = {
    "binance": Binance,
    "bybit": Bybit,
    "okx": Okx,
}


def urls(exchange: str, port: int) -> dict[str, str]:
    """Return what a user sets to reach each host of an exchange that is played on a port of this machine."""
    return {host: url.format(f"127.0.0.1:{port}") for host, url in HOSTS.get(exchange, TWO_HOSTS).items()}

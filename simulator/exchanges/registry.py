"""The exchanges that the simulator can play, and what it asks of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from aiohttp import web

from simulator.events import Event
from simulator.exchanges.bybit import Bybit
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


EXCHANGES: dict[str, Callable[[Market, Clients, Faults, Truth], Exchange]] = {"bybit": Bybit}

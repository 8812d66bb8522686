"""Binance's futures protocol: the routed sockets of USD-M, those of COIN-M under `/dstream`, and both REST answers.

Sources: tests/fixtures/binance/SOURCES.md.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from simulator.events import Event
from simulator.exchanges.binance.feed import Feed
from simulator.exchanges.binance.printing import FUNDING_HOURS, Listed, instrument, open_interest, premium_index
from simulator.exchanges.binance.session import Session
from simulator.faults import Faults
from simulator.market import Market
from simulator.sockets import Clients
from simulator.truth import Truth

SOCKETS = {"um": "", "cm": "/dstream"}  # each market's sockets, by the path under which they are played
ROUTES = ("", "/market", "/public")
APIS = {"um": "/fapi/v1", "cm": "/dapi/v1"}
WEIGHT_LIMIT = 2_400  # a minute, over both markets
INVALID_SYMBOL, TOO_MANY_REQUESTS = -1121, -1003

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer = Callable[[str, Mapping[str, str]], tuple[Any, int]]  # of a market and a query: the answer and its weight


class Binance:
    """The exchange: prints the events of a market and answers its clients."""

    def __init__(self, market: Market, clients: Clients, faults: Faults, truth: Truth) -> None:
        self._clients, self._faults = clients, faults
        self._feed = Feed(market, clients, faults, truth)
        self._symbols = {category: self._feed.symbols(category) for category in SOCKETS}
        self._minute = self._weight = 0

    def routes(self) -> list[web.RouteDef]:
        """Return the paths under which clients find it."""
        answers = {
            "exchangeInfo": self._exchange_info,
            "openInterest": self._open_interest,
            "premiumIndex": self._premium_index,
            "fundingInfo": self._funding_info,
        }
        rest = [
            web.get(f"{api}/{endpoint}", self._answering(category, answer))
            for category, api in APIS.items()
            for endpoint, answer in answers.items()
        ]
        sockets = [
            web.get(SOCKETS[category] + route + path, self._socket(category, route, combined=combined))
            for category in SOCKETS
            for route in ROUTES
            for path, combined in (("/stream", True), ("/ws", False), ("/ws/{streams:.+}", False))
        ]
        return rest + sockets

    def publish(self, events: Iterable[Event], now_ms: int) -> None:
        """Tell the clients what happened until now."""
        self._feed.publish(events, now_ms)

    def _socket(self, category: str, route: str, *, combined: bool) -> Handler:
        async def talk(request: web.Request) -> web.WebSocketResponse:
            async with self._clients.connect(request) as client:
                serves = partial(self._serves, category, route)
                session = Session(self._clients, client, serves, combined=combined)
                asked = request.match_info.get("streams") or request.query.get("streams", "")
                session.subscribe(filter(None, asked.split("/")))
                async for message in client.socket:
                    if message.type is WSMsgType.TEXT:
                        await session.hear(message.data)
            return client.socket

        return talk

    def _serves(self, category: str, route: str, stream: str) -> bool:
        """Say whether a stream is pushed to a socket: all that is played here is of the market class.

        USD-M pushes it on its own route only; COIN-M without a route too. Of single symbols only mark prices leave
        their host.
        """
        if route != "/market" and (category, route) != ("cm", ""):
            return False
        symbol, _, kind = stream.partition("@")
        return stream.startswith("!") or kind.startswith("markPrice") or symbol.upper() in self._symbols[category]

    def _answering(self, category: str, answer: Answer) -> Handler:
        """Wrap what a market answers to a query; the weight of both is counted together, by minute."""

        async def respond(request: web.Request) -> web.Response:
            status, body = HTTPStatus.OK, None
            minute = int(time.time() // 60)
            if minute != self._minute:
                self._minute, self._weight = minute, 0
            try:
                body, weight = answer(category, request.query)
            except LookupError:
                status, body, weight = HTTPStatus.BAD_REQUEST, _error(INVALID_SYMBOL, "Invalid symbol."), 1
            self._weight += weight
            if self._weight > WEIGHT_LIMIT or self._faults.lasts("limit"):
                status, body = HTTPStatus.TOO_MANY_REQUESTS, _error(TOO_MANY_REQUESTS, "Too many requests.")
            headers = {"X-MBX-USED-WEIGHT-1M": str(self._weight)}
            return web.json_response(body=orjson.dumps(body), status=status, headers=headers)

        return respond

    def _exchange_info(self, category: str, _: Mapping[str, str]) -> tuple[Any, int]:
        limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": WEIGHT_LIMIT}]
        symbols = [instrument(this) for this in self._symbols[category].values()]
        return {"timezone": "UTC", "serverTime": _now_ms(), "rateLimits": limits, "symbols": symbols}, 1

    def _open_interest(self, category: str, query: Mapping[str, str]) -> tuple[Any, int]:
        this = self._symbols[category][query.get("symbol", "")]
        return open_interest(this, self._feed.quote(this)), 1

    def _premium_index(self, category: str, query: Mapping[str, str]) -> tuple[Any, int]:
        """USD-M answers a question about one symbol with an object, COIN-M always with a list."""
        symbol = query.get("symbol")
        if symbol and category == "um":
            return self._premium(self._symbols[category][symbol]), 1
        asked = [self._symbols[category][symbol]] if symbol else self._symbols[category].values()
        return [self._premium(this) for this in asked], 10

    def _premium(self, this: Listed) -> dict[str, Any]:
        return premium_index(this, self._feed.quote(this), _now_ms())

    def _funding_info(self, category: str, _: Mapping[str, str]) -> tuple[Any, int]:
        """Of all symbols one has another cap."""
        adjusted = next(iter(self._symbols[category]))
        caps = {"adjustedFundingRateCap": "0.02500000", "adjustedFundingRateFloor": "-0.02500000"}
        return [{"symbol": adjusted, **caps, "fundingIntervalHours": FUNDING_HOURS, "disclaimer": False}], 0


def _error(code: int, text: str) -> dict[str, Any]:
    return {"code": code, "msg": text}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

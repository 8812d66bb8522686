"""Bybit's derivatives protocol, v5: public sockets for linear and inverse contracts, and the REST answers beside them.

https://bybit-exchange.github.io/docs/v5/ (2026-07-24).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

import msgspec
import orjson
from aiohttp import WSMsgType, web

from simulator.events import Event
from simulator.exchanges.bybit.feed import Feed
from simulator.exchanges.bybit.printing import Listed, instrument
from simulator.faults import Faults
from simulator.market import Market
from simulator.sockets import Client, Clients
from simulator.truth import Truth

CATEGORIES = ("linear", "inverse")
FAMILIES = ("allLiquidation", "tickers", "publicTrade")
ARGS_LIMIT = 21_000  # characters of topics that one connection may be subscribed to
TOPICS_LIMIT = 500  # a message with more of them ends the connection
PAGE, LARGEST_PAGE = "500", 1000
BAD_REQUEST, TOO_MANY_VISITS = 10001, 10006


class Asked(msgspec.Struct, frozen=True):
    """What a client sends."""

    op: str
    req_id: str = ""
    args: list[str] = []


class Bybit:
    """The exchange: prints the events of a market and answers its clients."""

    def __init__(self, market: Market, clients: Clients, faults: Faults, truth: Truth) -> None:
        self._clients = clients
        self._faults = faults
        self._feed = Feed(market, clients, faults, truth)
        self._symbols = {category: self._feed.symbols(category) for category in CATEGORIES}

    def routes(self) -> list[web.RouteDef]:
        """Return the paths under which clients find it."""
        return [
            web.get("/v5/public/{category:linear|inverse}", self._socket),
            web.get("/v5/market/instruments-info", self._answering(self._instruments)),
            web.get("/v5/market/tickers", self._answering(self._tickers)),
            web.get("/v5/market/time", self._answering(_clock)),
        ]

    def publish(self, events: Iterable[Event], now_ms: int) -> None:
        """Tell the clients what happened until now."""
        self._feed.publish(events, now_ms)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        symbols = self._symbols[request.match_info["category"]]
        async with self._clients.connect(request) as client:
            async for message in client.socket:
                if message.type is WSMsgType.TEXT:
                    await self._hear(client, message.data, symbols)
        return client.socket

    async def _hear(self, client: Client, text: str, symbols: Mapping[str, Listed]) -> None:
        try:
            asked = msgspec.json.decode(text, type=Asked)
        except msgspec.DecodeError as error:
            _reply(client, Asked(op=""), error=f"error:params error,{error}")
            return
        match asked.op:
            case _ if len(asked.args) > TOPICS_LIMIT:
                await client.close()
            case "ping":
                _reply(client, asked, message="pong")
            case "subscribe":
                self._subscribe(client, asked, symbols)
            case "unsubscribe":
                self._clients.unsubscribe(client, asked.args)
                _reply(client, asked)
            case _:
                _reply(client, asked, error="error:unknown op")

    def _subscribe(self, client: Client, asked: Asked, symbols: Mapping[str, Listed]) -> None:
        error = _why_not(client, asked.args, symbols)
        _reply(client, asked, error=error)
        if error:
            return  # one bad topic, and none of the message counts
        self._clients.subscribe(client, asked.args)
        for topic in asked.args:
            family, _, symbol = topic.partition(".")
            if family == "tickers":
                self._clients.tell(client, topic, self._feed.snapshot(symbols[symbol]))

    def _answering(
        self, result_of: Callable[[Mapping[str, str]], dict[str, Any]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Wrap what a path returns for a query; its errors go out with status 200 and a code."""

        async def answer(request: web.Request) -> web.Response:
            code, text, result = 0, "OK", dict[str, Any]()
            if self._faults.lasts("limit"):
                code, text = TOO_MANY_VISITS, "Too many visits!"
            else:
                try:
                    result = result_of(request.query)
                except ValueError as error:
                    code, text = BAD_REQUEST, str(error)
            now_ms = time.time_ns() // 1_000_000
            body = {"retCode": code, "retMsg": text, "result": result, "retExtInfo": {}, "time": now_ms}
            return web.json_response(body=orjson.dumps(body))

        return answer

    def _instruments(self, query: Mapping[str, str]) -> dict[str, Any]:
        category, contracts = self._asked_for(query)
        limit = query.get("limit", PAGE)
        if not (limit.isdecimal() and 1 <= int(limit) <= LARGEST_PAGE):
            raise ValueError("params error: limit is invalid")
        after = unquote(query.get("cursor", "")).removeprefix("last=")
        rest = [this for this in contracts if this.symbol > after]
        page = rest[: int(limit)]
        cursor = quote(f"last={page[-1].symbol}", safe="") if len(rest) > len(page) else ""
        return {"category": category, "list": [instrument(this) for this in page], "nextPageCursor": cursor}

    def _tickers(self, query: Mapping[str, str]) -> dict[str, Any]:
        category, contracts = self._asked_for(query)
        return {"category": category, "list": [self._feed.ticker(this) for this in contracts]}

    def _asked_for(self, query: Mapping[str, str]) -> tuple[str, list[Listed]]:
        """Return the category of a query and the contracts it is about. Raises ValueError with the exchange's text."""
        category, symbol = query.get("category", ""), query.get("symbol")
        if category not in CATEGORIES:
            raise ValueError("params error: Category is invalid")
        symbols = self._symbols[category]
        if symbol is None:
            return category, list(symbols.values())
        if symbol not in symbols:
            raise ValueError("params error: Symbol Is Invalid")
        return category, [symbols[symbol]]


def _clock(_: Mapping[str, str]) -> dict[str, Any]:
    now_ns = time.time_ns()
    return {"timeSecond": str(now_ns // 1_000_000_000), "timeNano": str(now_ns)}


def _why_not(client: Client, topics: list[str], symbols: Mapping[str, Listed]) -> str:
    """Return why a message subscribes to nothing; empty where it is good."""
    seen = set(client.topics)
    for topic in topics:
        family, _, symbol = topic.partition(".")
        if family not in FAMILIES or symbol not in symbols:
            return f"error:handler not found,topic:{topic}"
        if topic in seen:
            return f"error:already subscribed,topic:{topic}"
        seen.add(topic)
    return f"args size >{ARGS_LIMIT}" if sum(map(len, seen)) > ARGS_LIMIT else ""


def _reply(client: Client, asked: Asked, *, message: str = "", error: str = "") -> None:
    reply = {"success": not error, "ret_msg": error or message, "conn_id": client.connection}
    client.send(orjson.dumps({**reply, "req_id": asked.req_id, "op": asked.op}))

"""OKX's protocol, v5: the public socket of swaps and futures, and the REST answers beside it.

https://www.okx.com/docs-v5/en/ (2026-07-22).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec
import orjson
from aiohttp import WSMsgType, web

from simulator.events import Event
from simulator.exchanges.okx.feed import Feed
from simulator.exchanges.okx.liquidations import CHANNEL as LIQUIDATIONS
from simulator.exchanges.okx.liquidations import TYPES
from simulator.exchanges.okx.printing import Listed, Row, instrument
from simulator.faults import Faults
from simulator.market import Market
from simulator.sockets import Client, Clients
from simulator.truth import Truth

LONGEST_MESSAGE = 64 << 10  # characters
MESSAGES_AN_HOUR = 480  # that subscribe or unsubscribe, on one connection
HOUR_S = 3_600.0
INVALID_REQUEST, TOO_FREQUENT, NO_CHANNEL = "60012", "60014", "60018"
TOO_MANY_REQUESTS, BAD_PARAMETER = "50011", "51000"


class Arg(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client wants to hear of; one of a type is about all its instruments."""

    channel: str
    instType: str = ""
    instId: str = ""

    @property
    def topic(self) -> str:
        """Name it as topics are named here."""
        return f"{self.channel}:{self.instType if self.channel == LIQUIDATIONS else self.instId}"


class Asked(msgspec.Struct, frozen=True):
    """What a client sends."""

    op: str
    args: list[Arg]
    id: str = ""


class Okx:
    """The exchange: prints the events of a market and answers its clients."""

    def __init__(self, market: Market, clients: Clients, faults: Faults, truth: Truth) -> None:
        self._clients, self._faults = clients, faults
        self._feed = Feed(market, clients, faults, truth)
        self._topics = self._feed.topics()

    def routes(self) -> list[web.RouteDef]:
        """Return the paths under which clients find it."""
        by_type = ("open-interest", "mark-price")
        return [
            web.get("/ws/v5/public", self._socket),
            web.get("/api/v5/public/instruments", self._answering(self._instruments)),
            *(web.get(f"/api/v5/public/{name}", self._answering(self._of_type(name))) for name in by_type),
            web.get("/api/v5/market/tickers", self._answering(self._of_type("tickers"))),
            web.get("/api/v5/market/index-tickers", self._answering(self._index_tickers)),
            web.get("/api/v5/public/funding-rate", self._answering(self._funding_rates)),
            web.get("/api/v5/public/liquidation-orders", self._answering(self._liquidation_orders)),
        ]

    def publish(self, events: Iterable[Event], now_ms: int) -> None:
        """Tell the clients what happened until now."""
        self._feed.publish(events, now_ms)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        heard: deque[float] = deque()  # when the messages of the last hour came
        async with self._clients.connect(request) as client:
            async for message in client.socket:
                if message.type is WSMsgType.TEXT:
                    self._hear(client, message.data, heard)
        return client.socket

    def _hear(self, client: Client, text: str, heard: deque[float]) -> None:
        if text == "ping":
            client.send(b"pong")
            return
        try:
            asked = msgspec.json.decode(text, type=Asked)
        except msgspec.MsgspecError:
            asked = Asked("", [])
        if asked.op not in ("subscribe", "unsubscribe") or len(text) > LONGEST_MESSAGE:
            _error(client, asked, INVALID_REQUEST, f"Invalid request: {text[:200]}")
        elif _is_too_frequent(heard):
            _error(client, asked, TOO_FREQUENT, "Requests too frequent")
        else:
            for arg in asked.args:
                self._obey(client, asked, arg)

    def _obey(self, client: Client, asked: Asked, arg: Arg) -> None:
        """Each arg is acknowledged or refused by itself."""
        topic, now_ms = arg.topic, time.time_ns() // 1_000_000
        is_liquidations = topic in {f"{LIQUIDATIONS}:{category}" for category in TYPES}
        if not is_liquidations and topic not in self._topics:
            what = f"instId:{arg.instId}" if arg.instId else f"instType:{arg.instType}"
            advice = "Please use the correct URL, channel and parameters referring to API document."
            _error(client, asked, NO_CHANNEL, f"Wrong URL or channel:{arg.channel},{what} doesn't exist. {advice}")
            return
        # What narrows a channel down to less than it can is dropped in silence.
        about = Arg(arg.channel, instType=arg.instType) if is_liquidations else Arg(arg.channel, instId=arg.instId)
        _say(client, asked, event=asked.op, arg=msgspec.to_builtins(about))
        if asked.op == "unsubscribe":
            self._clients.unsubscribe(client, [topic])
            return
        self._clients.subscribe(client, [topic])
        if is_liquidations:
            self._feed.liquidations.replay(client, arg.instType)
        else:
            self._feed.show(client, topic, self._topics[topic], now_ms)

    def _answering(self, rows_of: Callable[[Mapping[str, str]], list[Row]]) -> Callable[..., Awaitable[web.Response]]:
        """Wrap what a path returns for a query; mistakes go out with status 200 and a code."""

        async def answer(request: web.Request) -> web.Response:
            status, code, text, rows = 200, "0", "", list[Row]()
            if self._faults.lasts("limit"):
                status, code, text = 429, TOO_MANY_REQUESTS, "Too Many Requests"
            else:
                try:
                    rows = rows_of(request.query)
                except ValueError as error:
                    code, text = BAD_PARAMETER, f"Parameter {error} error"
            return web.json_response(body=orjson.dumps({"code": code, "msg": text, "data": rows}), status=status)

        return answer

    def _of_type(self, channel: str) -> Callable[[Mapping[str, str]], list[Row]]:
        return lambda query: self._feed.rows(channel, self._asked_for(query), time.time_ns() // 1_000_000)

    def _instruments(self, query: Mapping[str, str]) -> list[Row]:
        return [instrument(this) for this in self._asked_for(query)]

    def _index_tickers(self, query: Mapping[str, str]) -> list[Row]:
        """The indexes of one quote currency."""
        ending = f"-{_given(query, 'quoteCcy')}"
        found = {this.family: this for this in self._topics.values() if this.family.endswith(ending)}
        return self._feed.rows("index-tickers", found.values(), time.time_ns() // 1_000_000)

    def _funding_rates(self, query: Mapping[str, str]) -> list[Row]:
        """The rate of one perpetual, or of ANY."""
        wanted = _given(query, "instId")
        swaps = [this for this in self._feed.contracts("SWAP") if wanted in ("ANY", this.symbol)]
        if not swaps:
            raise ValueError("instId")
        return self._feed.rows("funding-rate", swaps, time.time_ns() // 1_000_000)

    def _liquidation_orders(self, query: Mapping[str, str]) -> list[Row]:
        """Filled ones of a family; `state` has a default that nobody wants."""
        category = _given(query, "instType")
        if category not in ("SWAP", "FUTURES"):
            raise ValueError("instType")
        family = query.get("instFamily") or _given(query, "uly")
        is_filled = query.get("state", "unfilled") == "filled"
        return self._feed.liquidations.history(category, family) if is_filled else []

    def _asked_for(self, query: Mapping[str, str]) -> list[Listed]:
        """Return the contracts that a query is about. Raises ValueError with the parameter that is wrong."""
        category, symbol = _given(query, "instType"), query.get("instId")
        if category not in TYPES:
            raise ValueError("instType")
        contracts = self._feed.contracts(category)
        return [this for this in contracts if this.symbol == symbol] if symbol else contracts


def _given(query: Mapping[str, str], name: str) -> str:
    if not query.get(name):
        raise ValueError(name)
    return query[name]


def _is_too_frequent(heard: deque[float]) -> bool:
    """Note one more message, and say whether it is one too many within an hour."""
    now_s = time.monotonic()
    while heard and heard[0] < now_s - HOUR_S:
        heard.popleft()
    heard.append(now_s)
    return len(heard) > MESSAGES_AN_HOUR


def _error(client: Client, asked: Asked, code: str, text: str) -> None:
    _say(client, asked, event="error", code=code, msg=text)


def _say(client: Client, asked: Asked, **said: Any) -> None:
    """The id of the message comes back where it had one."""
    named = {"id": asked.id} if asked.id else {}
    client.send(orjson.dumps({**named, **said, "connId": client.connection[:8]}))

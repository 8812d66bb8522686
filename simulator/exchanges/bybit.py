"""Bybit's derivatives protocol, v5: public sockets for linear and inverse contracts, and the REST answers beside them.

https://bybit-exchange.github.io/docs/v5/ (2026-07-24). Liquidations come in batches of 500 ms per symbol, tickers as a
snapshot and then what changed, trades with the fills of one taker order.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import groupby
from typing import Any
from urllib.parse import quote as url_quote
from urllib.parse import unquote

import msgspec
import orjson
from aiohttp import WSMsgType, web

from schemas.records import Position
from simulator.exchanges.bybit_print import Listed, delivery, instrument, listed, standing, yesterday
from simulator.faults import Faults
from simulator.market import Event, Liquidation, Market, Quote, Trade
from simulator.sockets import Client, Clients
from simulator.truth import Known, Truth

BATCH_MS = 500
FAMILIES = ("allLiquidation", "tickers", "publicTrade")
SIDES = {Position.LONG: "Buy", Position.SHORT: "Sell"}  # of the position, not of the order that closed it
ARGS_LIMIT = 21_000  # characters of topics that one connection may be subscribed to
TOPICS_LIMIT = 500  # a message with more of them ends the connection
PAGE, LARGEST_PAGE = 500, 1000


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
        self._truth = truth
        self._listed = {contract: listed(contract) for contract in market.contracts}
        self._symbols = {category: self._of(category) for category in ("linear", "inverse")}
        self._tickers: dict[str, dict[str, str]] = {}
        self._waiting: list[Liquidation] = []
        self._batch = 0
        self._sequence = 0
        for quote in market.quotes():
            this = self._listed[quote.contract]
            self._tickers[this.symbol] = yesterday(this, quote) | standing(this, quote)

    def routes(self) -> list[web.RouteDef]:
        """Return the paths under which clients find it."""
        return [
            web.get("/v5/public/{category:linear|inverse}", self._socket),
            web.get("/v5/market/instruments-info", self._instruments),
            web.get("/v5/market/tickers", self._rest_tickers),
            web.get("/v5/market/time", self._time),
        ]

    def publish(self, events: Iterable[Event], now_ms: int) -> None:
        """Tell the clients what happened until now; liquidations wait for the end of their 500 ms."""
        for event in events:
            if isinstance(event, Quote):
                self._tell_ticker(event, now_ms)
            elif isinstance(event, Trade):
                self._tell_trade(event, now_ms)
            else:
                self._waiting.append(event)
        batch = now_ms // BATCH_MS
        if batch != self._batch and not self._faults.lasts("late"):
            self._batch = batch
            self._tell_liquidations(now_ms)

    # What it prints

    def _tell_liquidations(self, now_ms: int) -> None:
        by_symbol = sorted(self._waiting, key=lambda one: (self._listed[one.contract].symbol, one.event_ms))
        self._waiting = []
        for contract, batch in groupby(by_symbol, key=lambda one: one.contract):
            this = self._listed[contract]
            topic = f"allLiquidation.{this.symbol}"
            listens = self._clients.listens(topic)
            known = [_known(this, one, time.time_ns() if listens else 0) for one in batch]
            self._truth.write(known)
            if listens:
                data = [
                    {"T": one.event_ms, "s": one.symbol, "S": SIDES[one.position], "v": one.quantity, "p": one.price}
                    for one in known
                ]
                self._publish(topic, {"topic": topic, "type": "snapshot", "ts": now_ms, "data": data})

    def _tell_trade(self, trade: Trade, now_ms: int) -> None:
        this = self._listed[trade.contract]
        topic = f"publicTrade.{this.symbol}"
        self._sequence += 1
        if self._clients.listens(topic):
            data = [self._fill(this, trade, n, *fill) for n, fill in enumerate(trade.fills)]
            self._publish(topic, {"topic": topic, "type": "snapshot", "ts": now_ms, "data": data})

    def _fill(self, this: Listed, trade: Trade, number: int, price: float, coins: float) -> dict[str, Any]:
        return {
            "T": trade.event_ms,
            "s": this.symbol,
            "S": "Buy" if trade.taker_buys else "Sell",
            "v": this.quantity(coins, price),
            "p": this.price(price),
            "L": "PlusTick" if trade.taker_buys else "MinusTick",
            "i": f"{self._sequence:08x}-0000-5000-8000-{number:012x}",
            "BT": False,
            "RPI": False,
            "seq": self._sequence,
        }

    def _tell_ticker(self, quote: Quote, now_ms: int) -> None:
        this = self._listed[quote.contract]
        before = self._tickers[this.symbol]
        changed = {field: text for field, text in standing(this, quote).items() if before[field] != text}
        before.update(changed)
        self._sequence += 1
        topic = f"tickers.{this.symbol}"
        if changed and self._clients.listens(topic):
            self._publish(topic, self._ticker(topic, "delta", {"symbol": this.symbol, **changed}, now_ms))

    def _ticker(self, topic: str, kind: str, fields: dict[str, str], now_ms: int) -> dict[str, Any]:
        return {"topic": topic, "type": kind, "data": fields, "cs": self._sequence, "ts": now_ms}

    def _publish(self, topic: str, message: dict[str, Any]) -> None:
        self._clients.publish(topic, orjson.dumps(message))

    # Sockets

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        symbols = self._symbols[request.match_info["category"]]
        async with self._clients.connect(request) as client:
            async for message in client.socket:
                if message.type is WSMsgType.TEXT:
                    await self._answer(client, message.data, symbols)
        return client.socket

    async def _answer(self, client: Client, text: str, symbols: dict[str, Listed]) -> None:
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

    def _subscribe(self, client: Client, asked: Asked, symbols: dict[str, Listed]) -> None:
        error = _why_not(client, asked.args, symbols)
        _reply(client, asked, error=error)
        if error:
            return  # one bad topic, and none of the message counts
        self._clients.subscribe(client, asked.args)
        now_ms = time.time_ns() // 1_000_000
        for topic in asked.args:
            family, _, symbol = topic.partition(".")
            if family == "tickers":
                fields = {**self._tickers[symbol], **delivery(symbols[symbol], rest=False)}
                client.send(orjson.dumps(self._ticker(topic, "snapshot", fields, now_ms)))

    # REST

    async def _instruments(self, request: web.Request) -> web.Response:
        category, symbols, error = self._asked(request)
        size = request.query.get("limit", str(PAGE))
        after = unquote(request.query.get("cursor", "")).removeprefix("last=")
        names = sorted(symbols)
        if not error and not (size.isdecimal() and 1 <= int(size) <= LARGEST_PAGE):
            error = "limit is invalid"
        if not error and after and after not in self._symbols[category]:
            error = "cursor is invalid"
        if error:
            return self._rest({}, error)
        rest = [name for name in names if name > after]
        page = rest[: int(size)]
        cursor = url_quote(f"last={page[-1]}", safe="") if len(rest) > len(page) else ""
        facts = [instrument(symbols[name]) for name in page]
        return self._rest({"category": category, "list": facts, "nextPageCursor": cursor})

    async def _rest_tickers(self, request: web.Request) -> web.Response:
        category, symbols, error = self._asked(request)
        tickers = [{**self._tickers[name], **delivery(this, rest=True)} for name, this in symbols.items()]
        return self._rest({} if error else {"category": category, "list": tickers}, error)

    async def _time(self, _: web.Request) -> web.Response:
        now_ns = time.time_ns()
        return self._rest({"timeSecond": str(now_ns // 1_000_000_000), "timeNano": str(now_ns)})

    def _asked(self, request: web.Request) -> tuple[str, dict[str, Listed], str]:
        """Return the category of a request, the contracts it is about, and what is wrong with it."""
        category = request.query.get("category", "")
        if category not in self._symbols:
            return category, {}, "Category is invalid"
        symbols = self._symbols[category]
        symbol = request.query.get("symbol")
        if symbol is None:
            return category, symbols, ""
        if symbol not in symbols:
            return category, {}, "params error: Symbol Is Invalid"
        return category, {symbol: symbols[symbol]}, ""

    def _rest(self, result: dict[str, Any], error: str = "") -> web.Response:
        code = 10001 if error else 0
        if self._faults.lasts("limit"):
            code, error, result = 10006, "Too many visits!", {}
        now_ms = time.time_ns() // 1_000_000
        body = {"retCode": code, "retMsg": error or "OK", "result": result, "retExtInfo": {}, "time": now_ms}
        return web.json_response(body=orjson.dumps(body))

    def _of(self, category: str) -> dict[str, Listed]:
        return {this.symbol: this for this in self._listed.values() if this.category == category}


def _known(this: Listed, one: Liquidation, sent_ns: int) -> Known:
    price, quantity = this.price(one.price), this.quantity(one.quantity_base, one.price)
    amount, per_coin = float(quantity), float(price) / this.scale
    inverse = this.category == "inverse"
    return Known(
        exchange="bybit",
        category=this.category,
        symbol=this.symbol,
        asset=one.contract.asset,
        position=one.position,
        price=price,
        quantity=quantity,
        event_ms=one.event_ms,
        sent_ns=sent_ns,
        quantity_base=amount / per_coin if inverse else amount * this.scale,
        notional_usd=amount if inverse else amount * float(price),
    )


def _why_not(client: Client, topics: list[str], symbols: dict[str, Listed]) -> str:
    """Return why a message subscribes to nothing; empty where it is good."""
    seen = set(client.topics)
    for topic in topics:
        family, _, symbol = topic.partition(".")
        if family not in FAMILIES or symbol not in symbols:
            return f"error:handler not found,topic:{topic}"
        if topic in seen:
            return f"error:already subscribed,topic:{topic}"
        seen.add(topic)
    if sum(map(len, seen)) > ARGS_LIMIT:
        return f"args size >{ARGS_LIMIT}"
    return ""


def _reply(client: Client, asked: Asked, *, message: str = "", error: str = "") -> None:
    reply = {"success": not error, "ret_msg": error or message, "conn_id": client.connection}
    client.send(orjson.dumps({**reply, "req_id": asked.req_id, "op": asked.op}))

"""One socket of Binance: what it asks for, what it is answered, and which of its streams are ever pushed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import msgspec
import orjson

from simulator.exchanges.binance.feed import RAW
from simulator.sockets import Client, Clients

STREAMS_LIMIT = 1024  # of one connection
MESSAGES_LIMIT, WITHIN_S = 10, 1.0  # above it the connection ends

UNKNOWN_PROPERTY, NOT_BOOLEAN, BAD_REQUEST, NOT_JSON, TOO_MANY = range(5)


class Asked(msgspec.Struct, frozen=True):
    """What a client sends."""

    id: Annotated[int, msgspec.Meta(ge=0)]
    method: str
    params: list[Any] = []


class Session:
    """Subscribes a client. Everything is acknowledged; streams that are not served here stay silent."""

    def __init__(self, clients: Clients, client: Client, serves: Callable[[str], bool], *, combined: bool) -> None:
        """`serves` a stream or not: by host and path. `combined`: frames say the name of their stream."""
        self._clients, self._client, self._serves = clients, client, serves
        self._combined = combined
        self._streams: dict[str, None] = {}  # in the order of their subscription
        self._heard_s: deque[float] = deque(maxlen=MESSAGES_LIMIT)

    def subscribe(self, streams: Iterable[str]) -> None:
        """Subscribe to streams."""
        named = dict.fromkeys(streams)
        self._streams |= named
        self._clients.subscribe(self._client, self._topics(named))

    async def hear(self, text: str) -> None:
        """Answer a message."""
        now_s = time.monotonic()
        if len(self._heard_s) == MESSAGES_LIMIT and now_s - self._heard_s[0] < WITHIN_S:
            await self._client.close()
            return
        self._heard_s.append(now_s)
        try:
            asked = msgspec.json.decode(text, type=Asked)
        except msgspec.ValidationError as error:
            is_id = "$.id" in str(error) or "`id`" in str(error)
            reason = "request ID must be an unsigned integer" if is_id else str(error)
            self._send({"error": {"code": BAD_REQUEST, "msg": f"Invalid request: {reason}"}})
        except msgspec.DecodeError as error:
            self._send({"error": {"code": NOT_JSON, "msg": f"Invalid JSON: {error}"}})
        else:
            self._answer(asked)

    def _answer(self, asked: Asked) -> None:
        match asked:
            case Asked(method="SUBSCRIBE", params=streams):
                if len(self._streams | dict.fromkeys(streams)) > STREAMS_LIMIT:
                    self._refuse(asked, TOO_MANY, "Too many subscriptions")
                    return
                self.subscribe(streams)
            case Asked(method="UNSUBSCRIBE", params=streams):
                self._clients.unsubscribe(self._client, self._topics(streams))
                self._streams = {name: None for name in self._streams if name not in streams}
            case Asked(method="LIST_SUBSCRIPTIONS"):
                self._send({"result": list(self._streams), "id": asked.id})
                return
            case Asked(method="SET_PROPERTY", params=["combined", bool() as combined]):
                self._combine(combined)
            case Asked(method="SET_PROPERTY", params=["combined", _]):
                self._refuse(asked, NOT_BOOLEAN, "Invalid value type: expected Boolean")
                return
            case Asked(method="SET_PROPERTY"):
                self._refuse(asked, UNKNOWN_PROPERTY, "Unknown property")
                return
            case _:
                self._refuse(asked, BAD_REQUEST, f"Invalid request: unknown variant `{asked.method}`")
                return
        self._send({"result": None, "id": asked.id})

    def _combine(self, combined: bool) -> None:
        self._clients.unsubscribe(self._client, self._topics(self._streams))
        self._combined = combined
        self._clients.subscribe(self._client, self._topics(self._streams))

    def _topics(self, streams: Iterable[str]) -> list[str]:
        return [name if self._combined else RAW + name for name in streams if self._serves(name)]

    def _refuse(self, asked: Asked, code: int, text: str) -> None:
        self._send({"error": {"code": code, "msg": text}, "id": asked.id})

    def _send(self, reply: dict[str, Any]) -> None:
        self._client.send(orjson.dumps(reply))

"""What can go wrong at an exchange, on request, and always for a while only.

    POST /_faults {"fault": "stall", "seconds": 5}

drop       cuts every socket without a close frame
reconnect  ends every socket with one
stall      accepts everything and sends nothing, for some seconds; what waited is sent then
mute       sends nothing on topics that start with `channel`, for some seconds, and loses it; all else goes on
late       keeps liquidations back for some seconds, and sends them then, with their old times
garbage    sends `count` broken frames to those who listen to topics that start with `channel`
refuse     cuts every socket and answers every request with 403, for some seconds
limit      answers every REST request with "too many visits", for some seconds: as the exchange words it,
           or with `status` (418 or 429) and a Retry-After

`after_s` puts a fault off. Nothing outside tests and chaos runs knows this address.
"""

from __future__ import annotations

import asyncio
from itertools import cycle, islice
from math import ceil
from typing import Annotated, Any, Literal

import msgspec

from simulator.sockets import Clients

NOT_JSON = (b"<html><h1>502 Bad Gateway</h1></html>", b"\x7f{", b"")
NOT_VALUES: tuple[Any, ...] = (None, "NaN", -1, {"p": []})


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault to come; fields that its kind does not need are ignored."""

    fault: Literal["drop", "reconnect", "stall", "mute", "late", "garbage", "refuse", "limit"]
    seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = 10.0
    channel: str = ""
    count: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 10
    status: Literal[0, 418, 429] = 0
    after_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0


class Faults:
    """Brings faults upon the clients of one exchange, and knows which ones last."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._until: dict[str, float] = {}  # by the clock of the event loop
        self._status: Literal[0, 418, 429] = 0  # of the newest limit

    def lasts(self, fault: Literal["stall", "mute", "late", "refuse", "limit"]) -> bool:
        """Say whether a fault is going on now."""
        return self._left_s(fault) > 0

    def limit(self) -> tuple[int, int]:
        """Return the status with which REST requests are answered now, 0 for the exchange's own way, and its end in s.

        The status is 0 too where no limit lasts.
        """
        return (self._status, ceil(self._left_s("limit"))) if self.lasts("limit") else (0, 0)

    async def bring(self, fault: Fault) -> None:
        """Bring a fault about. Raises LookupError where garbage is asked for on a channel that is silent so far."""
        await asyncio.sleep(fault.after_s)
        match fault.fault:
            case "drop":
                self._clients.abort()
            case "reconnect":
                await self._clients.close()
            case "garbage":
                self._send_garbage(fault.channel, fault.count)
            case "refuse":
                self._begin(fault)
                self._clients.abort()
            case "stall":
                self._begin(fault)
                self._clients.hold()
                asyncio.get_running_loop().call_at(self._until["stall"], self._end_stall)
            case "mute":
                self._begin(fault)
                self._clients.mute(fault.channel)
                asyncio.get_running_loop().call_at(self._until["mute"], self._end_mute)
            case "late":
                self._begin(fault)
            case "limit":
                self._begin(fault)
                self._status = fault.status

    def _left_s(self, fault: str) -> float:
        return self._until.get(fault, 0.0) - asyncio.get_running_loop().time()

    def _begin(self, fault: Fault) -> None:
        self._until[fault.fault] = asyncio.get_running_loop().time() + fault.seconds

    def _end_stall(self) -> None:
        if not self.lasts("stall"):  # another one may have begun in the meantime
            self._clients.release()

    def _end_mute(self) -> None:
        if not self.lasts("mute"):
            self._clients.unmute()

    def _send_garbage(self, channel: str, count: int) -> None:
        broken = [(topic, text) for topic, frame in self._clients.last_frames(channel).items() for text in spoil(frame)]
        if not broken:
            raise LookupError(f"nothing was sent yet on a topic that starts with {channel!r}: subscribe, and wait")
        for topic, frame in islice(cycle(broken), count):
            self._clients.disturb(topic, frame)


def spoil(frame: bytes) -> list[bytes]:
    """Return broken variants of a JSON frame, none of which can be taken for a true one.

    The texts on its top level, the topic among them, and `arg`, where others name it, stay where it is JSON at all.
    """
    message = msgspec.json.decode(frame)
    names = {key: value for key, value in message.items() if isinstance(value, str) or key == "arg"}
    others = {key: value for key, value in message.items() if key not in names}
    spoilt = [msgspec.json.encode({**names, **_replaced(others, bad)}) for bad in NOT_VALUES]
    return [frame[: len(frame) // 2], *NOT_JSON, *spoilt, msgspec.json.encode(names)]


def _replaced(value: Any, bad: Any) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(inner, bad) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, bad) for inner in value]
    return bad

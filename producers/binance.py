"""Binance: the sockets of USD-M and COIN-M futures, their instruments, open interest and snapshots over REST.

Hosts end in `_cm` where they are those of COIN-M. Channels of the market class are pushed on routed paths only: the
unrouted ones of USD-M accept and acknowledge them, and stay silent for ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from schemas.assets import asset_of

from .exchange import Exchange, Feed, Limits, Operation, Poll, Refusal, Reply, Request

# Each carries both markets but for the mark prices, of which that is not certain: COIN-M has a feed of its own.
OF_ALL_SYMBOLS = ("!forceOrder@arr", "!markPrice@arr@1s", "!miniTicker@arr")
CATEGORIES = {"um": ("rest", "/fapi/v1"), "cm": ("rest_cm", "/dapi/v1")}  # host and path of each market's REST

TOO_MANY_REQUESTS = -1003
USED_WEIGHT = "X-MBX-USED-WEIGHT-1M"
MOST_WEIGHT = 0.8 * 2_400  # a minute and address, over both markets; others may use the address too
PAUSE_S = 10.0  # the count begins anew within a minute, by a clock that no answer shows

EVENT_TIME = re.compile(rb'"E":(\d{13})\b')
NEAR_THE_START = 256  # bytes: each event, and the first of an array, begins with its type and time


class Contract(msgspec.Struct, rename="camel"):
    """The few fields of `exchangeInfo` that say what to subscribe and poll."""

    symbol: str
    base_asset: str
    status: str = ""  # of USD-M
    contract_status: str = ""  # of COIN-M

    @property
    def category(self) -> str:
        """The market."""
        return "cm" if self.contract_status else "um"

    @property
    def is_trading(self) -> bool:
        """Say whether there is something to collect."""
        return "TRADING" in (self.status, self.contract_status)


class Listed(msgspec.Struct):
    """The body of `exchangeInfo`."""

    symbols: list[Contract]


class Error(msgspec.Struct):
    """What is wrong, on sockets and over REST."""

    code: int | None = None
    msg: str = ""


class Said(Error):
    """What a socket says besides data."""

    id: int | None = None
    stream: str = ""
    e: str = ""
    error: Error | None = None


def _channels(pages: Sequence[bytes], majors: frozenset[str]) -> Mapping[str, Sequence[str]]:
    """Return what covers all symbols, mark prices of each COIN-M contract, and trades of the contracts on majors."""
    contracts = _trading(pages)
    if not contracts:
        return {}
    coin_margined = [each for each in contracts if each.category == "cm"]
    trades = {
        category: [_stream(each, "aggTrade") for each in contracts if each.category == category and _is(majors, each)]
        for category in CATEGORIES
    }
    return {
        "market": OF_ALL_SYMBOLS,
        "trades": trades["um"],
        "cm": [*(_stream(each, "markPrice@1s") for each in coin_margined), *trades["cm"]],
    }


def _trading(pages: Iterable[bytes]) -> list[Contract]:
    listed = (msgspec.json.decode(page, type=Listed) for page in pages)
    return [contract for page in listed for contract in page.symbols if contract.is_trading]


def _is(majors: frozenset[str], contract: Contract) -> bool:
    return asset_of(contract.base_asset).name in majors


def _stream(contract: Contract, kind: str) -> str:
    """A stream in the wrong case is acknowledged, and silent."""
    return f"{contract.symbol.lower()}@{kind}"


def _message(operation: Operation, channels: Sequence[str], message_id: str) -> str:
    said = {"method": operation.upper(), "params": list(channels), "id": int(message_id)}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _reply(frame: bytes) -> Reply | None:
    """Understand an acknowledgement; an error may come bare.

    {"result":null,"id":1}
    {"error":{"code":2,"msg":"Invalid request: request ID must be an unsigned integer"},"id":1}
    {"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}
    """
    if frame.startswith((b'{"stream"', b'{"e"', b"[")):
        return None  # data: cheap to tell, and there is much of it
    try:
        said = msgspec.json.decode(frame, type=Said)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None  # whatever it is, it lies in raw and answers nothing
    error, number = said.error or said, "" if said.id is None else str(said.id)
    if said.stream or said.e or (error.code is None and not number):
        return None
    if error.code is None:
        return Reply(number, is_accepted=True)
    return Reply(number, is_accepted=False, reason=f"code {error.code} {error.msg}")


def _sent_ms(frame: bytes) -> int:
    found = EVENT_TIME.search(frame, 0, NEAR_THE_START)
    return int(found[1]) if found else 0


def _refusal(body: bytes, _headers: Mapping[str, str]) -> Refusal | None:
    """Understand `{"code":-1121,"msg":"Invalid symbol."}`; a list is data."""
    try:
        said: Any = msgspec.json.decode(body, type=Error | list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Refusal(f"not an answer of this exchange: {error}")
    if isinstance(said, list) or said.code is None:
        return None
    return Refusal(f"code {said.code} {said.msg}", wait_s=60.0 if said.code == TOO_MANY_REQUESTS else 0.0)


def _pause_s(headers: Mapping[str, str]) -> float:
    """Above the limit come refusals, and to those who go on bans of minutes to days."""
    used = headers.get(USED_WEIGHT, "")
    return PAUSE_S if used.isdecimal() and int(used) > MOST_WEIGHT else 0.0


def _in_both(endpoint: str) -> tuple[Request, ...]:
    return tuple(Request(host, f"{path}/{endpoint}") for host, path in CATEGORIES.values())


def _polls(pages: Sequence[bytes], majors: frozenset[str]) -> Sequence[Poll]:
    """Return what no stream shows; open interest is asked for symbol by symbol, each for a weight of 1."""
    contracts = _trading(pages)
    return (
        Poll(tuple(_open_interest(each) for each in contracts if _is(majors, each)), every_s=15.0),
        Poll(tuple(_open_interest(each) for each in contracts if not _is(majors, each)), every_s=60.0),
        # Polls of their own, so that no market waits for the other: intervals (500 requests in 5 minutes are allowed),
        # and snapshots for a weight of 10, as context for a replay.
        *(Poll((request,), every_s=300.0) for request in (*_in_both("fundingInfo"), *_in_both("premiumIndex"))),
    )


def _open_interest(contract: Contract) -> Request:
    host, path = CATEGORIES[contract.category]
    return Request(host, f"{path}/openInterest?symbol={quote(contract.symbol)}")  # 币安人生USDT


BINANCE = Exchange(
    name="binance",
    hosts={
        "ws": "wss://fstream.binance.com",
        "ws_cm": "wss://dstream.binance.com",
        "rest": "https://fapi.binance.com",
        "rest_cm": "https://dapi.binance.com",
    },
    # Liquidations share a socket with the mark prices of all symbols, which come each second and prove that it
    # delivers; they do not wait behind trades. Trades of COIN-M are few, so its mark prices prove them too.
    feeds=(
        Feed("market", "ws", "/market/stream", proof=b'"stream":"!markPrice@arr'),
        Feed("trades", "ws", "/market/stream", proof=b"@aggTrade"),
        Feed("cm", "ws_cm", "/stream", proof=b"@markPrice", other_path="/market/stream"),
    ),
    # 1024 streams a connection, 10 messages a second, pings and pongs among them. How many connections an address may
    # have or attempt is not documented.
    limits=Limits(
        characters_per_connection=1 << 20,
        characters_per_channel=0,
        channels_per_message=200,
        channels_per_connection=200,
        connect_gap_s=1.0,
        message_gap_s=0.25,
    ),
    listing=_in_both("exchangeInfo"),
    next_page=lambda _request, _body: None,
    channels=_channels,
    message=_message,
    reply=_reply,
    sent_ms=_sent_ms,
    ping="",  # it pings by itself, in frames of the protocol
    polls=_polls,
    refusal=_refusal,
    pause_s=_pause_s,
    hold_s=0.01,
    life_s=23 * 3_600.0,  # of 24 h
    request_gap_s=0.05,  # 1200 a minute
    requests_at_once=4,
)

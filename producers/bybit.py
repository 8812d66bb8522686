"""Bybit: the sockets of linear and inverse derivatives (v5), their instruments and tickers over REST."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from schemas.assets import asset_of

from .exchange import Exchange, Feed, Limits, Operation, Poll, Refusal, Reply, Request

CATEGORIES = ("linear", "inverse")
TOO_MANY_VISITS = 10006


class Contract(msgspec.Struct, rename="camel"):
    """The few fields of `instruments-info` that say what to subscribe."""

    symbol: str
    status: str
    base_coin: str


class Page(msgspec.Struct, rename="camel"):
    """The `result` of `instruments-info`."""

    category: str
    contracts: list[Contract] = msgspec.field(name="list")
    next_page_cursor: str = ""


class Answer(msgspec.Struct):
    """The body of `instruments-info`."""

    result: Page


class Said(msgspec.Struct):
    """What a socket says besides data."""

    op: str = ""
    req_id: str = ""
    success: bool = False
    ret_msg: str = ""


class Stamped(msgspec.Struct):
    """A frame of data, as far as it says when it was made."""

    ts: int = 0


class Status(msgspec.Struct, rename="camel"):
    """The head of every answer over REST."""

    ret_code: int
    ret_msg: str = ""


def _next_page(request: Request, body: bytes) -> Request | None:
    cursor = msgspec.json.decode(body, type=Answer).result.next_page_cursor
    first = request.path.partition("&cursor=")[0]
    # The cursor arrives percent-encoded and is sent back as it is.
    return Request(request.host, f"{first}&cursor={cursor}") if cursor else None


def _channels(pages: Sequence[bytes], majors: frozenset[str]) -> Mapping[str, Sequence[str]]:
    """Return liquidations and tickers of every contract, and trades of the contracts on major assets."""
    channels: dict[str, list[str]] = {feed.name: [] for feed in FEEDS}
    for category, contract in _trading(pages):
        channels[category] += [f"allLiquidation.{contract.symbol}", f"tickers.{contract.symbol}"]
        if asset_of(contract.base_coin).name in majors:
            channels[f"{category}-trades"].append(f"publicTrade.{contract.symbol}")
    return channels


def _trading(pages: Sequence[bytes]) -> Iterator[tuple[str, Contract]]:
    for page in pages:
        result = msgspec.json.decode(page, type=Answer).result
        yield from ((result.category, contract) for contract in result.contracts if contract.status == "Trading")


def _message(operation: Operation, channels: Sequence[str], message_id: str) -> str:
    return json.dumps({"req_id": message_id, "op": operation, "args": list(channels)}, separators=(",", ":"))


def _reply(frame: bytes) -> Reply | None:
    """Understand an acknowledgement.

    {"success":true,"ret_msg":"","conn_id":"...","req_id":"t1","op":"subscribe"}
    {"success":false,"ret_msg":"error:handler not found,topic:liquidation.BTCUSDT","req_id":"t2","op":"subscribe"}
    {"success":false,"ret_msg":"error:already subscribed,topic:publicTrade.BTCUSDT","req_id":"2","op":"subscribe"}
    """
    if frame.startswith(b'{"topic"'):
        return None  # data: cheap to tell, and there is much of it
    try:
        said = msgspec.json.decode(frame, type=Said)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None  # whatever it is, it lies in raw and answers nothing
    if said.op not in ("subscribe", "unsubscribe"):
        return None  # the pong of these sockets looks alike but says `ping`
    is_repeated = "already subscribed" in said.ret_msg
    refused = "" if is_repeated else said.ret_msg.partition(",topic:")[2]
    return Reply(said.req_id, said.success, said.ret_msg, refused, is_repeated)


def _sent_ms(frame: bytes) -> int:
    try:
        return msgspec.json.decode(frame, type=Stamped).ts
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0


def _refusal(body: bytes, headers: Mapping[str, str]) -> Refusal | None:
    """Understand `{"retCode":10006,"retMsg":"Too many visits!",...}`: errors come with a status of 200."""
    try:
        said = msgspec.json.decode(body, type=Status)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Refusal(f"not an answer of this exchange: {error}")
    if said.ret_code == 0:
        return None
    reason = f"retCode {said.ret_code} {said.ret_msg}"
    if said.ret_code != TOO_MANY_VISITS:
        return Refusal(reason)
    reset_ms = headers.get("X-Bapi-Limit-Reset-Timestamp", "")
    wait_s = int(reset_ms) / 1000 - time.time() if reset_ms.isdigit() else 0.0
    return Refusal(reason, wait_s=min(max(wait_s, 5.0), 600.0))


def _instruments(category: str) -> Request:
    return Request("rest", f"/v5/market/instruments-info?category={category}&limit=1000")


def _tickers(category: str) -> Request:
    return Request("rest", f"/v5/market/tickers?category={category}")


def _polls(_pages: Sequence[bytes], _majors: frozenset[str]) -> Sequence[Poll]:
    return (Poll(tuple(_tickers(category) for category in CATEGORIES), every_s=60.0),)


# Liquidations share sockets with the tickers of their contracts, whose steady stream shows how complete they are;
# they do not wait behind trades.
FEEDS = tuple(
    Feed(f"{category}{part}", "ws", f"/v5/public/{category}", proof)
    for category in CATEGORIES
    for part, proof in (("", b'"topic":"tickers.'), ("-trades", b'"topic":"publicTrade.'))
)

BYBIT = Exchange(
    name="bybit",
    hosts={"ws": "wss://stream.bybit.com", "rest": "https://api.bybit.com"},
    feeds=FEEDS,
    # The exchange allows 21,000 characters per connection and closes connections on very large messages.
    limits=Limits(characters_per_connection=18_000, characters_per_channel=3, channels_per_message=100),
    listing=tuple(_instruments(category) for category in CATEGORIES),
    next_page=_next_page,
    channels=_channels,
    message=_message,
    reply=_reply,
    sent_ms=_sent_ms,
    ping='{"op":"ping"}',
    polls=_polls,
    refusal=_refusal,
    hold_s=0.01,
)

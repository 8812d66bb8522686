"""OKX: the public socket of swaps and futures (v5), their instruments, open interest and funding over REST.

Control frames name a channel with what it is about, as OKX's `arg` does: `liquidation-orders:SWAP`,
`mark-price:BTC-USDT-SWAP`, `index-tickers:BTC-USDT`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from schemas.assets import asset_of

from .exchange import Exchange, Feed, Limits, Operation, Poll, Refusal, Reply, Request

TYPES = ("SWAP", "FUTURES")  # MARGIN has other units, OPTION no sizes
BY_TYPE = frozenset({"liquidation-orders"})  # channels about all instruments of a type
STAMPED = frozenset({"mark-price", "index-tickers", "tickers"})  # the proofs: their `ts` is when the frame was made
TOO_MANY_REQUESTS = "50011"
WRONG_CHANNEL = re.compile(r"channel:\s*([\w-]+)\s*,\s*inst(?:Id|Type):\s*(\S+) doesn't exist", re.IGNORECASE)


class Contract(msgspec.Struct, rename="camel"):
    """The few fields of `instruments` that say what to subscribe."""

    inst_id: str
    state: str
    uly: str = ""

    @property
    def index(self) -> str:
        """The index that the contract follows: BTC-USD for BTC-USD_UM_XPERP-310404 too."""
        return self.uly.removesuffix("_UM")


class Listed(msgspec.Struct):
    """The body of `instruments`."""

    data: list[Contract]


class Arg(msgspec.Struct, rename="camel"):
    """What a frame is about."""

    channel: str = ""
    inst_id: str = ""
    inst_type: str = ""

    @property
    def name(self) -> str:
        """The channel as control frames name it."""
        return f"{self.channel}:{self.inst_id or self.inst_type}"


class Said(msgspec.Struct):
    """What a socket says besides data."""

    id: str = ""
    event: str = ""
    code: str = ""
    msg: str = ""
    arg: Arg = msgspec.field(default_factory=Arg)


class Row(msgspec.Struct):
    """An element of data, as far as it says when it was made."""

    ts: str = ""


class Stamped(msgspec.Struct):
    """A frame of data, as far as it says when it was made."""

    arg: Arg
    data: list[Row]


class Status(msgspec.Struct):
    """The head of every answer over REST."""

    code: str
    msg: str = ""


def _channels(pages: Sequence[bytes], majors: frozenset[str]) -> Mapping[str, Sequence[str]]:
    """Return liquidations of both types, prices of every contract, trades and open interest of those on majors."""
    contracts = list(_live(pages))
    if not contracts:
        return {}
    indexes = dict.fromkeys(contract.index for contract in contracts if contract.index)
    major = [each for each in contracts if asset_of(each.index.partition("-")[0]).name in majors]
    others = [each for each in contracts if each not in major]
    return {
        "liquidations": [
            *(f"liquidation-orders:{each}" for each in TYPES),
            *(f"mark-price:{each.inst_id}" for each in contracts),
        ],
        "prices": [*(f"index-tickers:{each}" for each in indexes), *(f"tickers:{each.inst_id}" for each in others)],
        "majors": [f"{channel}:{each.inst_id}" for each in major for channel in ("trades", "open-interest", "tickers")],
    }


def _live(pages: Sequence[bytes]) -> Iterator[Contract]:
    for page in pages:
        yield from (each for each in msgspec.json.decode(page, type=Listed).data if each.state == "live")


def _message(operation: Operation, channels: Sequence[str], message_id: str) -> str:
    args = []
    for name in channels:
        channel, _, about = name.partition(":")
        args.append({"channel": channel, "instType" if channel in BY_TYPE else "instId": about})
    return json.dumps({"id": message_id, "op": operation, "args": args}, separators=(",", ":"))


def _reply(frame: bytes) -> Reply | None:
    """Understand an acknowledgement of one channel, or an error.

    {"id":"1512","event":"subscribe","arg":{"channel":"liquidation-orders","instType":"SWAP"},"connId":"a4d3ae55"}
    {"id":"2","event":"error","msg":"Wrong URL or channel:tickers,instId:X doesn't exist. ...","code":"60018",...}
    """
    if frame.startswith((b'{"arg"', b"pong")):
        return None  # data, of which there is much, and an answer to a ping
    try:
        said = msgspec.json.decode(frame, type=Said)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None  # whatever it is, it lies in raw and answers nothing
    if said.event in ("subscribe", "unsubscribe"):
        return Reply(said.id, is_accepted=True, channel=said.arg.name)
    if said.event != "error":
        return None
    wrong = WRONG_CHANNEL.search(said.msg)
    name = f"{wrong[1]}:{wrong[2]}" if wrong else ""
    return Reply(said.id, is_accepted=False, reason=f"code {said.code} {said.msg}", refused=name, channel=name)


def _sent_ms(frame: bytes) -> int:
    """Liquidations say only when each of them happened, and not in order."""
    try:
        stamped = msgspec.json.decode(frame, type=Stamped)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0
    stamps = [int(row.ts) for row in stamped.data if row.ts.isdecimal()]
    return max(stamps, default=0) if stamped.arg.channel in STAMPED else 0


def _closing(frame: bytes) -> bool:
    """Understand `{"event":"notice","code":"64008","msg":"The connection will soon be closed ..."}`."""
    if b'"64008"' not in frame:
        return False  # nearly all frames: cheap to tell
    try:
        said = msgspec.json.decode(frame, type=Said)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return (said.event, said.code) == ("notice", "64008")


def _refusal(body: bytes, _headers: Mapping[str, str]) -> Refusal | None:
    """Understand `{"code":"51000","msg":"Parameter instType error","data":[]}`; "0" is good."""
    try:
        said = msgspec.json.decode(body, type=Status)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Refusal(f"not an answer of this exchange: {error}")
    if said.code == "0":
        return None
    # Limits count within two seconds.
    return Refusal(f"code {said.code} {said.msg}", wait_s=5.0 if said.code == TOO_MANY_REQUESTS else 0.0)


def _of_types(endpoint: str) -> tuple[Request, ...]:
    return tuple(Request("rest", f"/api/v5/public/{endpoint}?instType={each}") for each in TYPES)


def _polls(_pages: Sequence[bytes], _majors: frozenset[str]) -> Sequence[Poll]:
    """Return what one answer tells of all instruments, which is cheaper than a channel for each.

    Liquidations of the past are not polled: the endpoint is legacy and wants a request for each of some 300 families.
    """
    funding = Request("rest", "/api/v5/public/funding-rate?instId=ANY")
    return (Poll(_of_types("open-interest"), every_s=15.0), Poll((funding,), every_s=60.0))


PUBLIC = "/ws/v5/public"

OKX = Exchange(
    name="okx",
    hosts={"ws": "wss://ws.okx.com:8443", "rest": "https://openapi.okx.com"},
    # Liquidations share a socket with the mark prices, which come at least every 10 s and prove that it delivers;
    # they do not wait behind tickers and trades.
    feeds=(
        Feed("liquidations", "ws", PUBLIC, proof=b'"channel":"mark-price"'),
        Feed("prices", "ws", PUBLIC, proof=b'tickers"'),  # those of indexes too
        Feed("majors", "ws", PUBLIC, proof=b'"channel":"tickers"'),
    ),
    # A message stays far below its 64 KB; 480 of them are allowed an hour. Three connections a second are, per address.
    limits=Limits(
        characters_per_connection=60_000,
        characters_per_channel=40,
        channels_per_message=100,
        channels_per_connection=500,
        connect_gap_s=0.4,
        message_gap_s=0.1,
    ),
    listing=_of_types("instruments"),
    next_page=lambda _request, _body: None,
    channels=_channels,
    message=_message,
    reply=_reply,
    sent_ms=_sent_ms,
    ping="ping",
    polls=_polls,
    refusal=_refusal,
    closing=_closing,
    hold_s=0.01,
    ping_s=20.0,  # a connection on which nothing was pushed for 30 s is closed
)

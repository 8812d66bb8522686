"""The channels of Binance: what each carries, and which one a frame belongs to."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from processors.normalize.facts import Frame
from schemas.raw import SourceKind

STREAMS = {  # by channel, by event where it came unwrapped, by endpoint
    "forceOrder": "liquidations",
    "markPrice": "quotes",
    "markPriceUpdate": "quotes",
    "miniTicker": "quotes",
    "24hrMiniTicker": "quotes",
    "premiumIndex": "quotes",
    "aggTrade": "trades",
    "openInterest": "open-interest",
    "fundingInfo": "funding",
    "fundingRate": "funding",
}
STREAM = re.compile(rb'"stream"\s*:\s*"([^"]{1,128})"')
EVENT = re.compile(rb'"e"\s*:\s*"(\w{1,64})"')
NEAR_THE_START = 4_096  # bytes of a frame that name its channel, if any do


def stream_of(channel: str) -> str:
    """Return what a channel carries, `!forceOrder@arr` or `forceOrder`, or an endpoint; empty for an unknown one."""
    return STREAMS.get(_family(channel).rpartition("/")[2], "")


def path_of(url: str) -> str:
    """Return the path of a request."""
    return urlsplit(url.removeprefix("GET ")).path


def channel_of(frame: Frame) -> str:
    """Return the endpoint, or the channel without its symbol, as far as a frame that may be damaged tells."""
    if frame.kind is SourceKind.REST:
        return path_of(frame.url).strip("/")[:64]
    if stream := STREAM.search(frame.payload, 0, NEAR_THE_START):
        return _family(stream[1].decode(errors="replace"))
    event = EVENT.search(frame.payload, 0, NEAR_THE_START)
    return event[1].decode(errors="replace") if event else ""


def _family(channel: str) -> str:
    """`!forceOrder@arr` and `btcusdt@forceOrder` are both `forceOrder`, and so is that itself."""
    first, _, rest = channel.partition("@")
    return first.removeprefix("!") if channel.startswith("!") or not rest else rest.partition("@")[0]

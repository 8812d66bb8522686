"""The shape of an exchange as a producer sees it: where to connect, what to ask for, how it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal, NamedTuple

Operation = Literal["subscribe", "unsubscribe"]


class Request(NamedTuple):
    """One GET request: a host by its name in the settings, and the path with its query."""

    host: str
    path: str


class Poll(NamedTuple):
    """Requests asked again and again; at most 10 minutes apart, so that a replay finds them wherever it starts."""

    requests: tuple[Request, ...]
    every_s: float


class Reply(NamedTuple):
    """What the exchange says to a message that subscribes or unsubscribes."""

    id: str  # of the message
    is_accepted: bool
    reason: str = ""
    refused: str = ""  # the one channel that the exchange names as wrong
    is_repeated: bool = False  # refused because the channel is subscribed already
    channel: str = ""  # the one it speaks of, where each channel of a message gets a reply of its own


class Refusal(NamedTuple):
    """An answer over REST that holds no data."""

    reason: str
    wait_s: float = 0.0  # ask nothing of this exchange for so long


@dataclass(frozen=True, slots=True)
class Feed:
    """Channels that share sockets of one URL."""

    name: str  # names its connections
    host: str
    path: str
    # Stands within the first 256 bytes of each frame of its busiest channel: while they come, the socket delivers.
    proof: bytes = b""  # empty: any frame will do
    other_path: str = ""  # tried in turn with `path` where a socket is silent; empty where there is none


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may carry."""

    characters_per_connection: int
    characters_per_channel: int  # what each channel costs besides its own length
    channels_per_message: int
    channels_per_connection: int = 1 << 20
    connect_gap_s: float = 0.0  # between two attempts to connect
    message_gap_s: float = 0.0  # between two messages on one socket


def _no_pause(_headers: Mapping[str, str]) -> float:
    return 0.0


def _never(_frame: bytes) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Exchange:
    """How to connect to one exchange. Hosts may be overridden by settings, paths belong to the exchange."""

    name: str
    hosts: Mapping[str, str]
    feeds: tuple[Feed, ...]
    limits: Limits
    # Which instruments exist, page by page, and what to subscribe because of them: channels by the name of the feed.
    listing: tuple[Request, ...]
    next_page: Callable[[Request, bytes], Request | None]
    channels: Callable[[Sequence[bytes], frozenset[str]], Mapping[str, Sequence[str]]]
    # What is said on a socket.
    message: Callable[[Operation, Sequence[str], str], str]
    reply: Callable[[bytes], Reply | None]  # None: the frame answers no message
    sent_ms: Callable[[bytes], int]  # when the exchange made this frame, by its clock; 0: the frame does not say
    ping: str  # empty where the exchange wants no more than answers to its own pings
    # What is polled because of the listing, and how the exchange says no with a status of 200.
    polls: Callable[[Sequence[bytes], frozenset[str]], Sequence[Poll]]
    refusal: Callable[[bytes, Mapping[str, str]], Refusal | None]
    pause_s: Callable[[Mapping[str, str]], float] = _no_pause  # how long the headers of an answer ask for silence
    closing: Callable[[bytes], bool] = _never  # whether a frame announces that the exchange ends the connection soon
    hold_s: float = 0.05  # how long a frame may wait for its batch
    ping_s: float = 20.0
    silence_s: float = 40.0  # a socket without any frame for so long is dead
    proof_s: float = 30.0  # a socket without a frame that proves it for so long is dead, whatever else it says
    life_s: float = inf  # the exchange ends connections at about this age: they are replaced before
    listing_s: float = 300.0
    request_gap_s: float = 0.1  # between the starts of two requests over REST
    requests_at_once: int = 1

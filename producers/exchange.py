"""The shape of an exchange as a producer sees it: where to connect, what to ask for, how it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may carry."""

    characters_per_connection: int
    characters_per_channel: int  # what each channel costs besides its own length
    channels_per_message: int


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
    ping: str
    # What is polled, and how the exchange says no with a status of 200.
    polls: tuple[Poll, ...]
    refusal: Callable[[bytes, Mapping[str, str]], Refusal | None]
    hold_s: float = 0.05  # how long a frame may wait for its batch
    ping_s: float = 20.0
    silence_s: float = 40.0  # a socket without any frame for so long is dead
    listing_s: float = 300.0
    request_gap_s: float = 0.1  # between two requests over REST

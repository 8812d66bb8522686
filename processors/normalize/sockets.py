"""Which sockets are open and what they carry, as the producer's control frames say."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from ..minutes import MINUTE_MS
from ..pieces import Pieces, Tables, rows

GONE_MS = 15 * MINUTE_MS  # a producer repeats every ten minutes what is subscribed: a socket not heard of is no more
MAX_CHANNELS = 50_000  # beyond, the one first seen is forgotten, and counts as new when it comes again


class _Socket(msgspec.Struct):
    heard_ms: int
    streams: set[str]


class Sockets:
    """The sockets of one exchange, and every channel that was ever named."""

    def __init__(self, stream_of: Callable[[str], str]) -> None:
        """`stream_of` returns what a channel carries, or nothing."""
        self._stream_of = stream_of
        self._open: dict[str, _Socket] = {}
        self._channels: dict[str, str] = {}  # and their streams
        self._new: dict[str, int] = {}  # channels that were subscribed for the first time, and when

    def is_any_open(self) -> bool:
        """Say whether a socket is open."""
        return bool(self._open)

    def carried(self) -> set[str]:
        """Return the streams of the open sockets."""
        return {name for socket in self._open.values() for name in socket.streams}

    def subscribed(self, channels: Iterable[str], connection: str, now_ms: int) -> set[str]:
        """A socket carries these channels, perhaps none yet; return the streams of all that it carries."""
        socket = self._open.setdefault(connection, _Socket(now_ms, set()))
        socket.heard_ms = now_ms
        for channel in channels:
            if channel not in self._channels:
                self._new[channel] = now_ms
        socket.streams |= self._streams(channels)
        return socket.streams

    def missed(self, channels: Iterable[str]) -> set[str]:
        """Return the streams of channels in a gap; they are not new, for before it they were complete."""
        for channel in channels:
            self._new.pop(channel, None)
        return self._streams(channels)

    def disconnected(self, connection: str) -> set[str]:
        """Return the streams of a socket that ended."""
        socket = self._open.pop(connection, None)
        return socket.streams if socket else set()

    def admit(self, now_ms: int) -> dict[str, int]:
        """Return the streams of the new channels and when the last of each was subscribed; drop sockets that are gone.

        A new channel that no gap names was not even asked for until then.
        """
        for name in [name for name, socket in self._open.items() if now_ms > socket.heard_ms + GONE_MS]:
            del self._open[name]
        new, self._new = self._new, {}
        since_ms = {self._channels.get(channel, ""): subscribed_ms for channel, subscribed_ms in new.items()}
        since_ms.pop("", None)
        return since_ms

    def tables(self) -> Tables:
        """Return the state."""
        return {
            "sockets": [(name, socket.heard_ms, sorted(socket.streams)) for name, socket in self._open.items()],
            "sockets.channels": list(self._channels.items()),
            "sockets.new": list(self._new.items()),
        }

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""
        kept = rows(pieces["sockets"], tuple[str, int, set[str]])
        self._open = {name: _Socket(heard_ms, streams) for name, heard_ms, streams in kept}
        self._channels = dict(rows(pieces["sockets.channels"], tuple[str, str]))
        self._new = dict(rows(pieces["sockets.new"], tuple[str, int]))

    def _streams(self, channels: Iterable[str]) -> set[str]:
        return {self._stream(channel) for channel in channels} - {""}

    def _stream(self, channel: str) -> str:
        known = self._channels.get(channel)
        if known is None:
            known = self._channels[channel] = self._stream_of(channel)
            if len(self._channels) > MAX_CHANNELS:
                del self._channels[next(iter(self._channels))]
        return known

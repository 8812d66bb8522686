"""The channels of one connection: wanted, subscribed, refused, and since when each is not proven complete."""

from __future__ import annotations

from collections.abc import Iterable


class Channels:
    """What one connection should carry, and what it does."""

    def __init__(self) -> None:
        """Want nothing."""
        self.wanted: set[str] = set()
        self.subscribed: set[str] = set()
        self.refused: set[str] = set()
        self.acknowledged: list[tuple[str, ...]] = []  # the messages that subscribed, to be repeated as context
        self._open_ns: dict[str, int] = {}  # channels that miss frames, and since when; 0 where nothing was before

    def want(self, channels: Iterable[str], since_ns: int) -> None:
        """Want exactly these; a new one misses frames since `since_ns`. What was refused is tried again."""
        wanted = set(channels)
        self._open_ns.update(dict.fromkeys(wanted - self.wanted, since_ns))
        for gone in self.wanted - wanted:
            self._open_ns.pop(gone, None)
        self.wanted, self.refused = wanted, set()

    def missing(self) -> list[str]:
        """Return what is to be subscribed."""
        return sorted(self.wanted - self.subscribed - self.refused)

    def surplus(self) -> list[str]:
        """Return what is to be unsubscribed."""
        return sorted(self.subscribed - self.wanted)

    def subscribe(self, channels: Iterable[str]) -> None:
        """The exchange acknowledged these."""
        named = tuple(channels)
        self.subscribed.update(named)
        self.acknowledged.append(named)

    def prove(self) -> tuple[list[str], int]:
        """The exchange delivers what it acknowledged; return what missed frames until now, and since when."""
        return _gap({channel: self._open_ns.pop(channel) for channel in self.subscribed & self._open_ns.keys()})

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """The exchange acknowledged that these end."""
        gone = set(channels)
        self.subscribed -= gone
        kept = (tuple(channel for channel in named if channel not in gone) for named in self.acknowledged)
        self.acknowledged = [named for named in kept if named]

    def lose(self, since_ns: int) -> None:
        """The connection is gone: what was subscribed misses frames since then, or longer if it never was proven."""
        for channel in self.subscribed & self.wanted:
            self._open_ns[channel] = self._open_ns.get(channel) or since_ns
        self.subscribed, self.acknowledged = set(), []

    def heir(self) -> Channels:
        """Return the channels of a connection that is to take over: the same ones wanted, none of them missed yet."""
        following = Channels()
        following.want(self.wanted, 0)
        return following

    def take_over(self, old: Channels, until_ns: int, acknowledged_ns: int) -> None:
        """Carry what `old` carried until `until_ns`; nothing is missed where it was acknowledged here before."""
        old.lose(until_ns)
        covered = {channel for channel in self.subscribed if old._open_ns.get(channel, 0) >= acknowledged_ns}
        self._open_ns = {channel: old._open_ns.get(channel, 0) for channel in self.wanted - covered}

    def gap(self) -> tuple[list[str], int]:
        """Return the channels that miss frames now, and since when."""
        return _gap(self._open_ns)

    def is_complete(self) -> bool:
        """Say whether everything is subscribed that the exchange does not refuse."""
        return self.wanted <= self.subscribed | self.refused


def _gap(open_ns: dict[str, int]) -> tuple[list[str], int]:
    missed = sorted(channel for channel, since_ns in open_ns.items() if since_ns)
    return missed, min((open_ns[channel] for channel in missed), default=0)

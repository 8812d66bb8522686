"""One exchange, collected: what exists is asked for, subscribed and polled, and every second says what is complete."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from schemas.raw import Control

from .connection import Connection
from .exchange import Exchange, Feed, Poll
from .pace import Pace
from .polls import Polls
from .raw import Frames, Sink
from .rest import Rest, RestFailed
from .shards import assign
from .timing import Timing

log = logging.getLogger(__name__)


class Collector:
    """The tasks of one producer process; whatever ends one of them ends all."""

    def __init__(
        self,
        exchange: Exchange,
        urls: Mapping[str, str],
        majors: Sequence[str],
        frames: Frames,
        rest: Rest,
        *,
        since_ns: int = 0,
        timing: Timing | None = None,
    ) -> None:
        """`since_ns`: until when frames are stored already; 0 where there are none."""
        self._exchange, self._urls, self._majors = exchange, urls, frozenset(majors)
        self._frames, self._rest, self._since_ns, self._timing = frames, rest, since_ns, timing or Timing()
        self._attempts = Pace(exchange.limits.connect_gap_s)
        self._connections: dict[str, list[Connection]] = {feed.name: [] for feed in exchange.feeds}

    async def run(self, sink: Sink, health_file: Path | None) -> None:
        """Collect until cancelled; raises what the sink raises."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sink.settle())
            tasks.create_task(self._frames.hand_over(self._exchange.hold_s))
            tasks.create_task(self._discover(tasks))
            tasks.create_task(self._repeat_context())
            tasks.create_task(self._beat(sink, health_file))

    async def _discover(self, tasks: asyncio.TaskGroup) -> None:
        polled = Polls(self._exchange.name, self._rest, tasks)
        while True:
            asked_ns = time.time_ns()
            try:
                channels, polls = await self._list()
            except (RestFailed, msgspec.MsgspecError) as error:
                log.warning("%s: the listing failed, subscriptions stay as they are: %s", self._exchange.name, error)
                await asyncio.sleep(self._timing.listing_retry_s)
                continue
            for feed in self._exchange.feeds:
                self._carry(feed, channels.get(feed.name, ()), tasks)
            polled.keep(polls)
            self._since_ns = asked_ns  # what the next listing finds new was not there now
            await asyncio.sleep(self._exchange.listing_s)

    async def _list(self) -> tuple[Mapping[str, Sequence[str]], Sequence[Poll]]:
        """Return the channels by feed, and what to poll, from every page of every listing."""
        pages = []
        for first in self._exchange.listing:
            request = first
            while True:
                pages.append(await self._rest.get(request))
                following = self._exchange.next_page(request, pages[-1])
                if following is None:
                    break
                request = following
        channels = self._exchange.channels(pages, self._majors)
        if not any(channels.values()):
            raise RestFailed("it names no instrument")
        return channels, self._exchange.polls(pages, self._majors)

    def _carry(self, feed: Feed, channels: Sequence[str], tasks: asyncio.TaskGroup) -> None:
        connections = self._connections[feed.name]
        shards = assign(channels, [connection.channels.wanted for connection in connections], self._exchange.limits)
        for number, shard in enumerate(shards):
            if number == len(connections):
                host, name = self._urls[feed.host], f"{self._frames.run_id}-{feed.name}-{number}"
                connection = Connection(self._exchange, feed, host, name, self._frames, self._timing, self._attempts)
                connections.append(connection)
                tasks.create_task(connection.run())
            if shard != connections[number].channels.wanted or connections[number].channels.refused:
                connections[number].want(shard, self._since_ns)

    async def _repeat_context(self) -> None:
        """Tell a replay that starts anywhere what is subscribed; listings and polls come often enough by themselves."""
        while True:
            await asyncio.sleep(self._timing.context_s)
            for connection in self._all():
                connection.repeat_context()

    async def _beat(self, sink: Sink, health_file: Path | None) -> None:
        """Say every second that the producer lives and until when its frames are complete."""
        beat_seq, was_complete = -1, False
        while True:
            was_complete = was_complete or self._is_complete()
            if health_file and was_complete and 0 <= beat_seq <= sink.delivered_seq:
                health_file.touch()  # noqa: ASYNC240  # one system call, once a second
            if self._all() and sink.room.is_set():
                self._say_heartbeat()
                beat_seq = self._frames.next_seq - 1
            await asyncio.sleep(self._timing.heartbeat_s)

    def _say_heartbeat(self) -> None:
        for connection in self._all():
            connection.say_open_gap()
        complete_ns = [connection.complete_ns() for connection in self._all()]
        self._frames.say(Control("heartbeat", from_ns=min(filter(None, complete_ns), default=time.time_ns())))

    def _is_complete(self) -> bool:
        connections = self._all()
        return bool(connections) and all(connection.channels.is_complete() for connection in connections)

    def _all(self) -> list[Connection]:
        return [connection for connections in self._connections.values() for connection in connections]

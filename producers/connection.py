"""Channels kept subscribed on one socket after the other, which overlap where the end of one is known before."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterable

from schemas.raw import Control

from . import metrics
from .channels import Channels
from .exchange import Exchange, Feed
from .life import Life
from .pace import Pace
from .raw import Frames
from .timing import Timing

log = logging.getLogger(__name__)


class Connection:
    """Keeps its channels subscribed, and says in raw what was missed.

    One life carries them. When it is due to end, a successor begins to carry them too, and takes over once it misses
    nothing from some moment on until which the old one is complete. Whatever ends unforeseen leaves a gap.
    """

    def __init__(
        self, exchange: Exchange, feed: Feed, host: str, name: str, frames: Frames, timing: Timing, attempts: Pace
    ) -> None:
        """`host` is a URL; `name` is unique among all producers, since one may take over from another."""
        self.channels = Channels()
        self._exchange, self._feed, self._name, self._frames, self._timing = exchange, feed, name, frames, timing
        self._attempts = attempts  # to connect, of the whole process
        self._urls = [host + feed.path, host + (feed.other_path or feed.path)]
        self._tries_other = False
        self._lives = self._failures = 0
        self._life = self._next_life(self.channels)
        self._successor: Life | None = None
        self._next_successor_s = 0.0  # none before, by the monotonic clock

    def want(self, channels: Iterable[str], since_ns: int) -> None:
        """Carry exactly these channels; a new one misses frames since `since_ns`, 0 where nothing was before."""
        wanted = set(channels)
        self._life.want(wanted, since_ns)
        if self._successor:
            self._successor.want(wanted, 0)

    def complete_ns(self) -> int:
        """Return until when everything that the exchange made is read, ns since the epoch; 0 without a socket."""
        return self._life.complete_ns()

    def say_open_gap(self) -> None:
        """Say which channels miss frames up to now, in case this process does not live to say it."""
        missed, since_ns = self.channels.gap()
        if missed:
            self._life.say(Control("gap", tuple(missed), from_ns=since_ns, to_ns=time.time_ns()))

    def repeat_context(self) -> None:
        """Say again what is subscribed."""
        for named in self.channels.acknowledged:
            self._life.say(Control("subscribed", named))

    async def run(self) -> None:
        """Connect again and again; ends by cancellation only."""
        while True:
            reason = await self._live()
            self.channels.lose(self._life.complete_ns())
            delay_s = self._bury(self._life)
            log.warning("%s: %s; connecting again in %.1f s", self._name, reason, delay_s)
            self._life = self._next_life(self.channels)
            await asyncio.sleep(delay_s)

    async def _live(self) -> str:
        """Live on one socket, or on several that overlap, until one ends without a successor; return why."""
        async with asyncio.TaskGroup() as tasks:
            self._life.begin(tasks)
            while self._successor or not self._life.end.done():
                await asyncio.wait([self._life.end], timeout=self._timing.prove_s)
                self._renew(tasks)
        return self._life.end.result()

    def _renew(self, tasks: asyncio.TaskGroup) -> None:
        """Begin a successor when it is time, let it take over, or give it up."""
        old, new, now_s = self._life, self._successor, time.monotonic()
        if new is None:
            if old.is_due() and not old.end.done() and now_s >= self._next_successor_s:
                self._successor = self._next_life(self.channels.heir())
                self._successor.begin(tasks)
        elif old.end.done() or new.covers(old.complete_ns()):
            self._hand_over(old, new)
        elif new.end.done():
            delay_s = self._bury(new)
            log.warning("%s: no successor yet: %s; again in %.1f s", old.name, new.end.result(), delay_s)
            self._successor, self._next_successor_s = None, now_s + delay_s

    def _hand_over(self, old: Life, new: Life) -> None:
        new.channels.take_over(self.channels, old.complete_ns(), new.acknowledged_ns)
        if old.end.done():
            self._bury(old)
            log.warning("%s: %s before %s was ready", old.name, old.end.result(), new.name)
        old.successor = new.name
        self._life, self._successor, self.channels = new, None, new.channels

    def _next_life(self, channels: Channels) -> Life:
        self._lives += 1
        url, name = self._urls[self._tries_other], f"{self._name}#{self._lives}"
        return Life(self._exchange, self._feed.proof, url, name, self._frames, self._timing, channels, self._attempts)

    def _bury(self, life: Life) -> float:
        """Count the end of a life, choose the path of the next; return how long to wait before it."""
        metrics.RECONNECTS.labels(self._exchange.name).inc()
        if life.was_silent:
            metrics.SILENCES.labels(self._exchange.name, self._feed.name).inc()
        # A path that has delivered is kept until it is silent.
        if life.was_silent or (self._tries_other and not life.is_proven()):
            self._tries_other = not self._tries_other
        self._failures = 0 if life.lived_s() > self._timing.stable_s else self._failures + 1
        return _backoff_s(self._failures, self._timing)


def _backoff_s(failures: int, timing: Timing) -> float:
    """Full jitter: anything up to a bound that doubles."""
    bound_s = min(timing.longest_backoff_s, timing.first_backoff_s * 2.0 ** max(failures - 1, 0))
    return random.uniform(0.0, bound_s)

"""One socket's life: connect, subscribe, read, prove that nothing is missing, and again."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Sequence

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from schemas.raw import Control, Source, SourceKind

from . import metrics
from .channels import Channels
from .dialogue import Dialogue, NoReply
from .exchange import Exchange
from .raw import Frames
from .timing import Timing

log = logging.getLogger(__name__)

DISORDER_NS = 500_000_000  # frames of different channels are not strictly in the order of their times


class Lost(Exception):
    """The connection is of no use any more; says why."""


class Connection:
    """Keeps its channels subscribed on one socket after the other, and says in raw what was missed.

    Two things show until when a socket is complete, and the earlier one counts. A ping of the WebSocket protocol that
    was answered: a socket keeps its order, so what had been written to it before was read before the answer, however
    long it waited here. And the exchange's own time in the newest frame: what an exchange holds back in a queue of its
    own is newer, even if its pongs overtake that queue.
    """

    def __init__(self, exchange: Exchange, url: str, name: str, frames: Frames, timing: Timing) -> None:
        """`name` is unique among all producers, since one may take over from another; each socket's adds a number."""
        self.channels = Channels()
        self._exchange, self._url, self._name, self._frames, self._timing = exchange, url, name, frames, timing
        self._lives = 0
        self._control = Source(SourceKind.CONTROL, url, name)
        self._last_frame, self._last_frame_ns = b"", 0
        self._answered_ns = 0  # when the newest ping was sent that was answered; 0 while there is no socket
        self._made_ns = 0  # when the exchange made the newest frame that says so
        self._changed = asyncio.Event()

    def want(self, channels: Iterable[str], since_ns: int) -> None:
        """Carry exactly these channels; a new one misses frames since `since_ns`, 0 where nothing was before."""
        self.channels.want(channels, since_ns)
        self._changed.set()

    def complete_ns(self) -> int:
        """Return until when everything that the exchange made is read, ns since the epoch; 0 without a socket."""
        self._made_ns = self._exchange.sent_ms(self._last_frame) * 1_000_000 or self._made_ns
        return min(self._answered_ns, self._made_ns - DISORDER_NS) if self._answered_ns else 0

    def say_open_gap(self) -> None:
        """Say which channels miss frames up to now, in case this process does not live to say it."""
        missed, since_ns = self.channels.gap()
        if missed:
            self._frames.say(_gap(missed, since_ns, time.time_ns()), self._control)

    def repeat_context(self) -> None:
        """Say again what is subscribed."""
        for named in self.channels.acknowledged:
            self._frames.say(Control("subscribed", named), self._control)

    async def run(self) -> None:
        """Connect again and again; ends by cancellation only."""
        failures = 0
        while True:
            began_s = time.monotonic()
            reason = await self._live()
            metrics.RECONNECTS.labels(self._exchange.name).inc()
            failures = 0 if time.monotonic() - began_s > self._timing.stable_s else failures + 1
            delay_s = _backoff_s(failures, self._timing)
            log.warning("%s: %s; connecting again in %.1f s", self._name, reason, delay_s)
            await asyncio.sleep(delay_s)

    async def _live(self) -> str:
        """Live through one socket and return why it ended."""
        self._lives += 1
        name = f"{self._name}#{self._lives}"
        try:
            async with connect(
                self._url,
                open_timeout=self._timing.open_s,
                close_timeout=1.0,
                ping_interval=None,  # pings are sent below, for what their answers prove
                compression=None,
                max_queue=1024,
                proxy=None,
            ) as socket:
                return await self._use(socket, name)
        except (OSError, WebSocketException) as error:
            return _reason(error)

    async def _use(self, socket: ClientConnection, name: str) -> str:
        self._control = Source(SourceKind.CONTROL, self._url, name)
        self._answered_ns = self._made_ns = self._last_frame_ns = time.time_ns()
        self._last_frame = b""
        self._frames.say(Control("connected"), self._control)
        dialogue = Dialogue(self._exchange, socket, self._timing.acknowledge_s)
        reason = "stopped"
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(socket, Source(SourceKind.FRAME, self._url, name), dialogue))
                tasks.create_task(self._keep_subscribed(dialogue))
                tasks.create_task(self._ping(socket))
                tasks.create_task(self._prove(socket))
                tasks.create_task(self._watch())
        except* (OSError, WebSocketException, NoReply, Lost) as errors:
            reason = _reason(errors.exceptions[0])
        finally:
            self.channels.lose(self.complete_ns())
            self._answered_ns = 0
            self._frames.say(Control("disconnected", reason=reason), self._control)
        return reason

    async def _read(self, socket: ClientConnection, source: Source, dialogue: Dialogue) -> None:
        put, room = self._frames.put, self._frames.room
        while True:
            payload = await socket.recv(decode=False)
            self._last_frame_ns = received_ns = time.time_ns()
            self._last_frame = payload
            put(source, payload, received_ns)
            if dialogue.is_waiting:
                dialogue.hear(payload, received_ns)
            if not room.is_set():
                await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        began_s = time.monotonic()
        await self._frames.room.wait()
        unread_s = time.monotonic() - began_s
        if unread_s > self._timing.stall_s:
            raise Lost(f"not read for {unread_s:.1f} s while Kafka was away")

    async def _keep_subscribed(self, dialogue: Dialogue) -> None:
        at_once = self._exchange.limits.channels_per_message
        while True:
            self._changed.clear()
            for channels in _pieces(self.channels.surplus(), at_once):
                await self._unsubscribe(dialogue, channels)
            for channels in _pieces(self.channels.missing(), at_once):
                await self._subscribe(dialogue, channels)
            await self._changed.wait()

    async def _subscribe(self, dialogue: Dialogue, channels: Sequence[str]) -> None:
        reply, received_ns = await dialogue.ask("subscribe", channels)
        if reply.is_accepted or (reply.is_repeated and len(channels) == 1):
            missed, since_ns = self.channels.subscribe(channels)
            self._frames.say(Control("subscribed", tuple(channels)), self._control)
            if missed:
                metrics.GAPS.inc()
                self._frames.say(_gap(missed, since_ns, received_ns), self._control)
            return
        log.warning("%s: subscription refused: %s", self._name, reply.reason)
        if len(channels) == 1:
            self.channels.refused.update(channels)
            return
        # One wrong channel voids the whole message: drop it and ask for the others one by one.
        self.channels.refused.update({reply.refused}.intersection(channels))
        for channel in channels:
            if channel != reply.refused:
                await self._subscribe(dialogue, [channel])

    async def _unsubscribe(self, dialogue: Dialogue, channels: Sequence[str]) -> None:
        reply, _ = await dialogue.ask("unsubscribe", channels)
        if not reply.is_accepted:
            log.warning("%s: unsubscription refused: %s", self._name, reply.reason)
        self.channels.unsubscribe(channels)

    async def _ping(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(self._exchange.ping_s)
            await socket.send(self._exchange.ping)

    async def _prove(self, socket: ClientConnection) -> None:
        while True:
            asked_ns = time.time_ns()
            await (await socket.ping())
            await asyncio.sleep(0)  # the reader takes what came before the answer
            if self._frames.room.is_set():
                self._answered_ns = asked_ns
            await asyncio.sleep(self._timing.prove_s)

    async def _watch(self) -> None:
        while True:
            silent_s = (time.time_ns() - self._last_frame_ns) / 1e9
            if silent_s > self._exchange.silence_s:
                raise Lost(f"silent for {silent_s:.0f} s")
            await asyncio.sleep(min(1.0, self._exchange.silence_s / 4))


def _gap(channels: Sequence[str], from_ns: int, to_ns: int) -> Control:
    return Control("gap", tuple(channels), from_ns=from_ns, to_ns=to_ns)


def _pieces(channels: Sequence[str], size: int) -> list[Sequence[str]]:
    return [channels[start : start + size] for start in range(0, len(channels), size)]


def _backoff_s(failures: int, timing: Timing) -> float:
    """Full jitter: anything up to a bound that doubles."""
    bound_s = min(timing.longest_backoff_s, timing.first_backoff_s * 2.0 ** max(failures - 1, 0))
    return random.uniform(0.0, bound_s)


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, Lost | NoReply) else f"{type(error).__name__}: {error}"

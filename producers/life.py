"""One socket's life: connect, subscribe, read, and prove until when nothing is missing."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Sequence
from math import inf

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from schemas.raw import Control, Source, SourceKind

from . import metrics
from .channels import Channels
from .dialogue import Dialogue, NoReply
from .exchange import Exchange
from .pace import Pace
from .raw import Frames
from .timing import Timing

log = logging.getLogger(__name__)

DISORDER_NS = 500_000_000  # frames of different channels are not strictly in the order of their times
HEAD_BYTES = 256  # a frame names its channel within these
JITTER = 0.05  # connections that began together are not replaced together


class Lost(Exception):
    """The connection is of no use any more; says why."""


class Life:
    """One socket that carries channels.

    Two things show until when it is complete, and the earlier one counts. A ping of the WebSocket protocol that was
    answered: a socket keeps its order, so what had been written to it before was read before the answer, however long
    it waited here. And the exchange's own time in the newest frame that proves its feed: what an exchange holds back
    in a queue of its own is newer, even if its pongs, or the frames of other channels, overtake that queue.
    """

    def __init__(
        self,
        exchange: Exchange,
        proof: bytes,
        url: str,
        name: str,
        frames: Frames,
        timing: Timing,
        channels: Channels,
        attempts: Pace,
    ) -> None:
        """`proof` is that of the feed; `name` is unique among all sockets; `attempts` to connect: the process's."""
        self.url, self.name, self.channels = url, name, channels
        self.end: asyncio.Task[str]  # why it ended; once it has begun
        self.acknowledged_ns = 0  # when the exchange confirmed the newest subscription
        self.was_silent = False  # it ended because nothing proved that the exchange delivers
        self.successor = ""  # the name of the socket that has taken over
        self._exchange, self._proof, self._frames, self._timing = exchange, proof, frames, timing
        self._attempts, self._messages = attempts, Pace(exchange.limits.message_gap_s)
        self._control = Source(SourceKind.CONTROL, url, name)
        self._born_s = self._due_s = inf
        self._changed = asyncio.Event()  # other channels are wanted
        self._proof_frame, self._proof_ns, self._last_frame_ns = b"", 0, 0
        self._answered_ns = 0  # when the newest ping was sent that was answered; 0 before there is a socket
        self._made_ns = 0  # when the exchange made the newest frame of proof that says so

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Live, as one of these tasks."""
        self.end = tasks.create_task(self._live())

    def want(self, channels: Iterable[str], since_ns: int) -> None:
        """Carry exactly these channels."""
        self.channels.want(channels, since_ns)
        self._changed.set()

    def say(self, control: Control) -> None:
        """Say something of this socket in raw."""
        self._frames.say(control, self._control)

    def lived_s(self) -> float:
        """Return its age."""
        return time.monotonic() - self._born_s

    def complete_ns(self) -> int:
        """Return until when everything that the exchange made is read, ns since the epoch; 0 before the socket."""
        self._made_ns = self._exchange.sent_ms(self._proof_frame) * 1_000_000 or self._made_ns
        return min(self._answered_ns, self._made_ns - DISORDER_NS) if self._answered_ns else 0

    def is_proven(self) -> bool:
        """Say whether the exchange delivers what it acknowledged."""
        return self._proof_ns > self.acknowledged_ns

    def is_due(self) -> bool:
        """Say whether the exchange ends this connection soon."""
        return time.monotonic() > self._due_s

    def covers(self, since_ns: int) -> bool:
        """Say whether it misses nothing from that moment on."""
        is_delivering = self.is_proven() or not self.channels.subscribed
        is_complete = self._answered_ns > 0 and self.channels.is_complete() and is_delivering
        return is_complete and self.acknowledged_ns <= since_ns

    async def _live(self) -> str:
        await self._attempts.turn()
        self._born_s = time.monotonic()
        self._due_s = self._born_s + self._exchange.life_s * random.uniform(1.0 - JITTER, 1.0)
        try:
            async with connect(
                self.url,
                open_timeout=self._timing.open_s,
                close_timeout=1.0,
                ping_interval=None,  # pings are sent below, for what their answers prove
                compression=None,
                max_queue=1024,
                proxy=None,
            ) as socket:
                return await self._use(socket)
        except (OSError, WebSocketException) as error:
            return _reason(error)

    async def _use(self, socket: ClientConnection) -> str:
        self._answered_ns = self._made_ns = self._last_frame_ns = time.time_ns()
        self.say(Control("connected"))
        dialogue = Dialogue(self._exchange, socket, self._messages, self._timing.acknowledge_s)
        reason = "stopped"
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(socket, dialogue))
                tasks.create_task(self._keep_subscribed(dialogue))
                tasks.create_task(self._prove(socket))
                tasks.create_task(self._watch())
                if self._exchange.ping:
                    tasks.create_task(self._ping(socket))
        except* (OSError, WebSocketException, NoReply, Lost) as errors:
            reason = _reason(errors.exceptions[0])
        finally:
            self.say(Control("disconnected", reason=reason))
        return reason

    async def _read(self, socket: ClientConnection, dialogue: Dialogue) -> None:
        put, room, proof, closing = self._frames.put, self._frames.room, self._proof, self._exchange.closing
        source = Source(SourceKind.FRAME, self.url, self.name)
        while True:
            payload = await socket.recv(decode=False)
            self._last_frame_ns = received_ns = time.time_ns()
            put(source, payload, received_ns)
            if payload.find(proof, 0, HEAD_BYTES) >= 0:
                self._proof_frame, self._proof_ns = payload, received_ns
            elif closing(payload):
                self._due_s = time.monotonic()
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
        answer = await dialogue.ask("subscribe", channels)
        if answer.accepted:
            self.channels.subscribe(answer.accepted)
            self.acknowledged_ns = answer.received_ns
            self.say(Control("subscribed", tuple(answer.accepted)))
        for reason in {*answer.refused.values(), answer.reason} - {""}:
            log.warning("%s: subscription refused: %s", self.name, reason)
        self.channels.refused.update(answer.refused)
        for channel in answer.left:
            await self._subscribe(dialogue, [channel])

    async def _unsubscribe(self, dialogue: Dialogue, channels: Sequence[str]) -> None:
        answer = await dialogue.ask("unsubscribe", channels)
        for reason in {*answer.refused.values(), answer.reason} - {""}:
            log.warning("%s: unsubscription refused: %s", self.name, reason)
        self.channels.unsubscribe(channels)

    async def _ping(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(self._exchange.ping_s)
            await self._messages.turn()
            await socket.send(self._exchange.ping)

    async def _prove(self, socket: ClientConnection) -> None:
        while True:
            await self._messages.turn()
            asked_ns = time.time_ns()
            await (await socket.ping())
            await asyncio.sleep(0)  # the reader takes what came before the answer
            if self._frames.room.is_set():
                self._answered_ns = asked_ns
            if self.is_proven():
                self._close_gap()
            await asyncio.sleep(self._timing.prove_s)

    def _close_gap(self) -> None:
        """Only now: exchanges acknowledge what they do not deliver."""
        missed, since_ns = self.channels.prove()
        if missed:
            metrics.GAPS.inc()
            self.say(Control("gap", tuple(missed), from_ns=since_ns, to_ns=self._proof_ns))

    async def _watch(self) -> None:
        while True:
            if self.successor:
                raise Lost(f"replaced by {self.successor}")
            if self._frames.room.is_set():  # else it is not the exchange that is silent
                self._listen_for_silence(time.time_ns())
            await asyncio.sleep(min(1.0, self._exchange.silence_s / 4, self._exchange.proof_s / 4))

    def _listen_for_silence(self, now_ns: int) -> None:
        silent_s = (now_ns - self._last_frame_ns) / 1e9
        if silent_s > self._exchange.silence_s:
            raise Lost(f"silent for {silent_s:.0f} s")
        unproven_s = (now_ns - max(self._proof_ns, self.acknowledged_ns)) / 1e9
        if self.channels.subscribed and unproven_s > self._exchange.proof_s:
            self.was_silent = True
            raise Lost(f"subscribed, but no frame with {self._proof.decode()!r} for {unproven_s:.0f} s")


def _pieces(channels: Sequence[str], size: int) -> list[Sequence[str]]:
    return [channels[start : start + size] for start in range(0, len(channels), size)]


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, Lost | NoReply) else f"{type(error).__name__}: {error}"

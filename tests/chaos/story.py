"""What the raw topic tells of one exchange, read as JSON with none of the code that is under test."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from schemas.raw import RawBatch, RawFrame, SourceKind

from .exchanges import Exchange, Printed

PONG = b"pong"  # of OKX: the one frame that an exchange means and that is no JSON
UNPROVEN = "subscribed, but no frame with"  # begins the reason with which a silent socket is given up


Place = tuple[int, int]  # offset of the batch, index of the frame


class Gap(NamedTuple):
    """From the last moment known to be complete to the first one, ns since the epoch."""

    from_ns: int
    to_ns: int


class Shown(NamedTuple):
    """A frame that shows liquidations."""

    payload: bytes
    liquidations: Counter[Printed]
    received_ns: int


@dataclass
class Story:
    """Everything that the raw topic holds of one exchange."""

    frames: int = 0
    liquidations: Counter[Printed] = field(default_factory=Counter)
    shown: dict[Place, Shown] = field(default_factory=dict)
    gaps: dict[str, list[Gap]] = field(default_factory=lambda: defaultdict(list))  # by channel
    subscribed_ns: dict[str, int] = field(default_factory=dict)  # by channel: for the first time
    garbage: set[Place] = field(default_factory=set)
    heartbeat_ms: int = 0  # the newest one
    given_up_ns: list[int] = field(default_factory=list)  # when sockets were that acknowledged and stayed silent
    next_seq: dict[str, int] = field(default_factory=dict)  # by run
    misnumbered: list[str] = field(default_factory=list)


def read_story(exchange: Exchange, batches: Iterable[tuple[int, RawBatch]]) -> Story:
    """Return what the batches of an exchange tell; each comes with its offset."""
    story = Story()
    for offset, batch in batches:
        due = story.next_seq.get(batch.run_id, 0)
        if batch.first_seq != due:
            story.misnumbered.append(f"raw {offset}: run {batch.run_id} goes on with {batch.first_seq}, not {due}")
        story.next_seq[batch.run_id] = batch.first_seq + len(batch.payloads)
        for index, frame in enumerate(batch.frames()):
            kind = batch.sources[frame.source].kind
            if kind is SourceKind.CONTROL:
                _take_control(story, orjson.loads(frame.payload), frame.received_ns)
            else:
                story.frames += 1
            if kind is SourceKind.FRAME:
                _take(story, exchange, (offset, index), frame)
    return story


def _take(story: Story, exchange: Exchange, place: Place, frame: RawFrame) -> None:
    """Equals within one frame are twins, equals in two frames are one event told twice."""
    message = _read(frame.payload)
    if not exchange.is_sound(message):
        story.garbage.add(place)
    elif told := exchange.told(message):
        story.shown[place] = shown = Shown(frame.payload, Counter(told), frame.received_ns)
        for one, count in shown.liquidations.items():
            story.liquidations[one] = max(story.liquidations[one], count)


def _read(payload: bytes) -> Any:
    if payload == PONG:
        return payload.decode()
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None


def _take_control(story: Story, said: dict[str, Any], received_ns: int) -> None:
    channels = said.get("channels", ())
    if said["control"] == "heartbeat":
        story.heartbeat_ms = received_ns // 1_000_000
    elif said["control"] == "subscribed":
        for channel in channels:
            story.subscribed_ns.setdefault(channel, received_ns)
    elif said["control"] == "gap":
        for channel in channels:
            story.gaps[channel].append(Gap(said["from_ns"], said["to_ns"]))
    elif said["control"] == "disconnected" and said.get("reason", "").startswith(UNPROVEN):
        story.given_up_ns.append(received_ns)

"""What the raw topic tells by itself, read as JSON with none of the code that is under test."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from schemas.raw import RawBatch, RawFrame, SourceKind

POSITIONS = {"Buy": "LONG", "Sell": "SHORT"}


class Printed(NamedTuple):
    """What an exchange printed of a liquidation. Twins share it."""

    symbol: str
    position: str
    price: float
    quantity: float
    event_ms: int


class Gap(NamedTuple):
    """From the last moment known to be complete to the first one, ns since the epoch."""

    from_ns: int
    to_ns: int


@dataclass
class Story:
    """Everything that the raw topic holds of one exchange."""

    frames: int = 0
    liquidations: Counter[Printed] = field(default_factory=Counter)
    gaps: dict[str, list[Gap]] = field(default_factory=lambda: defaultdict(list))  # by channel
    subscribed_ns: dict[str, int] = field(default_factory=dict)  # by channel: for the first time
    garbage: set[tuple[int, int]] = field(default_factory=set)  # offset of the batch, index of the frame
    heartbeat_ms: int = 0  # the newest one
    next_seq: dict[str, int] = field(default_factory=dict)  # by run
    misnumbered: list[str] = field(default_factory=list)


def read_story(batches: Iterable[tuple[int, RawBatch]]) -> Story:
    """Return what the batches tell; each comes with its offset."""
    story = Story()
    for offset, batch in batches:
        due = story.next_seq.get(batch.run_id, 0)
        if batch.first_seq != due:
            story.misnumbered.append(f"raw {offset}: run {batch.run_id} goes on with {batch.first_seq}, not {due}")
        story.next_seq[batch.run_id] = batch.first_seq + len(batch.payloads)
        for index, frame in enumerate(batch.frames()):
            _take(story, (offset, index), frame, batch.sources[frame.source].kind)
    return story


def _take(story: Story, place: tuple[int, int], frame: RawFrame, kind: SourceKind) -> None:
    if kind is SourceKind.CONTROL:
        _take_control(story, orjson.loads(frame.payload), frame.received_ns)
        return
    story.frames += 1
    try:
        message = orjson.loads(frame.payload)
    except orjson.JSONDecodeError:
        message = {}
    if kind is SourceKind.FRAME and not _is_sound(message):
        story.garbage.add(place)
    elif str(message.get("topic")).startswith("allLiquidation."):
        # Equals within one frame are twins, equals in two frames are one event told twice.
        for one, count in Counter(_printed(item) for item in message["data"]).items():
            story.liquidations[one] = max(story.liquidations[one], count)


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


def _is_sound(message: Any) -> bool:
    """Say whether the exchange meant it: broken frames keep their texts at most, and a time is no text."""
    if not isinstance(message, dict):
        return False
    time_ms = message.get("ts")
    return "op" in message or (isinstance(time_ms, int) and time_ms > 0)


def _printed(item: dict[str, Any]) -> Printed:
    return Printed(item["s"], POSITIONS[item["S"]], float(item["p"]), float(item["v"]), item["T"])

"""Snapshots of lanes in a compacted topic.

A snapshot is a run of records in the partition of its lane: a header, then the body in pieces. Every snapshot has keys
of its own, so half a snapshot, or one of a worker that has lost the lane, replaces nothing. It counts once a committed
note names it; those before it are then deleted.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.topics import READER

from ..processor import Output
from .connection import LIBRARY_LOG, Client
from .outbox import Outbox
from .snapshots import Note, Snapshot, Unreadable, pack, unpack

READ_LIMIT_S = 15.0
POLL_S = 0.2
LOCAL = "state"
READING = {
    "group.id": READER,
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 10,
}


class StateTopic:
    """Writes and reads the snapshots of all lanes."""

    def __init__(self, client: Client, topic: str) -> None:
        """Use `topic`, which has one partition per lane."""
        self._client, self._topic = client, topic
        self._outbox = Outbox(client, {LOCAL: topic}, compression="zstd", linger_ms=0)
        self._keys: dict[int, dict[str, None]] = {}  # by lane, in the order of the log: what may have to be deleted

    async def write(self, lane: int, snapshot: Snapshot, committed: Note | None) -> Note:
        """Publish the snapshot; return its note once the broker has all of it, and all deletions before it.

        `committed` is the note of the last commit: whoever reads the new one looks from there on for leftovers.
        """
        name = f"{lane}:{secrets.token_hex(6)}"
        records = await asyncio.to_thread(pack, snapshot)
        offsets: list[int] = []
        for number, value in enumerate(records):
            key = f"{name}:{number}"
            self._keys.setdefault(lane, {})[key] = None
            self._outbox.publish(Output(LOCAL, value, key.encode(), 0, lane), offsets.append)
            await asyncio.sleep(0)
        await self._outbox.delivered()
        return Note(name, min(offsets), committed.at if committed else 0)

    def keep(self, lane: int, note: Note) -> None:
        """Delete what lies before the named snapshot; call it when a commit that names it has succeeded."""
        keys = self._keys.get(lane, {})
        while keys and not (first := next(iter(keys))).startswith(f"{note.name}:"):
            del keys[first]
            self._outbox.publish(Output(LOCAL, None, first.encode(), 0, lane))

    def read(self, notes: Mapping[int, Note | None]) -> dict[int, Snapshot | Unreadable]:
        """Return the named snapshot of each lane that has a note. Blocks; raise `TimeoutError` when Kafka is slow."""
        self._keys = {lane: {} for lane in notes}
        found: dict[int, dict[int, bytes]] = {lane: {} for lane in notes}
        for message in self._log({lane: note.since if note else 0 for lane, note in notes.items()}):
            lane, key, value = message.partition() or 0, (message.key() or b"").decode(), message.value()
            if value is None:
                self._keys[lane].pop(key, None)
                continue
            self._keys[lane][key] = None
            name, _, number = key.rpartition(":")
            if (note := notes[lane]) and name == note.name:
                found[lane][int(number)] = value
        return {lane: _unpack(found[lane]) for lane, note in notes.items() if note}

    def _log(self, since: Mapping[int, int]) -> Iterator[Message]:
        """Yield all records of the lanes from the given offsets on."""
        consumer = Consumer({**self._client, **READING}, logger=LIBRARY_LOG)
        open_lanes, deadline = set(since), time.monotonic() + READ_LIMIT_S
        try:
            consumer.assign([TopicPartition(self._topic, lane, offset) for lane, offset in since.items()])
            while open_lanes:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"snapshots of lanes {sorted(open_lanes)} not read within {READ_LIMIT_S:.0f} s")
                message = consumer.poll(POLL_S)
                if message is None:
                    continue
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_lanes.discard(message.partition() or 0)
                elif not error.retriable():
                    raise KafkaException(error)
        finally:
            consumer.close()


def _unpack(records: Mapping[int, bytes]) -> Snapshot | Unreadable:
    try:
        return unpack(records)
    except Unreadable as error:
        return error

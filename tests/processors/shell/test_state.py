"""The state topic on a real broker."""

import asyncio
import re

import pytest

from embedded.kafka import Broker
from processors.shell import snapshots
from processors.shell.snapshots import Note, Snapshot, Unreadable
from processors.shell.state import StateTopic

from .stage import create_topics, read_log


@pytest.fixture
def topic(broker: Broker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(snapshots, "PIECE_BYTES", 10)
    name = f"{topic_prefix}state"
    create_topics(broker.bootstrap, {name: 2}, {"cleanup.policy": "compact"})
    return name


def snapshot(body: bytes) -> Snapshot:
    return Snapshot(1, {"a": 7}, {"a": 70}, body)


def left(broker: Broker, topic: str) -> set[str]:
    """Return the names that compaction would leave."""
    keys: dict[bytes, bytes | None] = {(m.key() or b""): m.value() for m in read_log(broker.bootstrap, topic, 2)}
    return {key.decode().rpartition(":")[0] for key, value in keys.items() if value is not None}


def test_what_was_written_is_read_back_by_its_note(broker: Broker, topic: str) -> None:
    written = snapshot(bytes(range(95)))
    first, second = (StateTopic({"bootstrap.servers": broker.bootstrap}, topic) for _ in range(2))
    note = asyncio.run(first.write(1, written, None))
    assert second.read({0: None, 1: note}) == {1: written}


def test_a_name_that_is_not_there_is_unreadable(broker: Broker, topic: str) -> None:
    store = StateTopic({"bootstrap.servers": broker.bootstrap}, topic)
    asyncio.run(store.write(0, snapshot(b"x"), None))
    found = store.read({0: Note("0:gone", 0, 0)})
    assert isinstance(found[0], Unreadable)


def test_keeping_a_snapshot_deletes_those_before_it_and_halves_of_others(broker: Broker, topic: str) -> None:
    client = {"bootstrap.servers": broker.bootstrap}
    writer = StateTopic(client, topic)
    first = asyncio.run(writer.write(0, snapshot(b"first"), None))
    asyncio.run(writer.write(0, snapshot(b"orphan"), first))  # its worker died before it named it
    reader = StateTopic(client, topic)
    assert reader.read({0: first}) == {0: snapshot(b"first")}
    second = asyncio.run(reader.write(0, snapshot(b"second"), first))
    assert second.since == first.at
    reader.keep(0, second)
    asyncio.run(reader.write(1, snapshot(b"other lane"), None))  # waits for the deletions, too
    assert {name for name in left(broker, topic) if re.match("0:", name)} == {second.name}
    assert StateTopic(client, topic).read({0: second}) == {0: snapshot(b"second")}


def test_a_late_commit_deletes_nothing_of_a_newer_snapshot(broker: Broker, topic: str) -> None:
    store = StateTopic({"bootstrap.servers": broker.bootstrap}, topic)
    first = asyncio.run(store.write(0, snapshot(b"first"), None))
    second = asyncio.run(store.write(0, snapshot(b"second"), None))
    store.keep(0, first)
    asyncio.run(store.write(1, snapshot(b"other lane"), None))
    assert store.read({0: second}) == {0: snapshot(b"second")}

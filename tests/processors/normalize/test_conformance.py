"""What holds for every exchange: facts or a BadFrame, plausible values, and a state that can be carried over."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from processors.normalize.facts import BadFrame, Fact, Frame, Normalizer
from processors.normalize.registry import NORMALIZERS, REVISIONS
from schemas.exchanges import RAW_PARTITION
from tests.fuzz.hostile import mutated
from tests.fuzz.plausible import implausible
from tests.golden import fixtures, frames, outcome

EXCHANGES = sorted(NORMALIZERS)
EXCHANGES_AND_SEEDS = list(product(EXCHANGES, range(3)))
MUTATIONS_A_FRAME = 30


def frames_of(exchange: str) -> list[Frame]:
    """Return the frames of all fixtures of an exchange, in order of their files."""
    return [frame for path in fixtures() if path.parent.name == exchange for frame in frames(path)]


def carried_over(normalizer: Normalizer, exchange: str) -> Normalizer:
    """Return a new normalizer that continues from the bytes of the other's state."""
    successor = NORMALIZERS[exchange]()
    successor.load(msgspec.msgpack.decode(msgspec.msgpack.encode(normalizer.state())))
    return successor


def told(outcome: Sequence[Fact] | BadFrame) -> Any:
    """Return what can be compared of an outcome."""
    return str(outcome) if isinstance(outcome, BadFrame) else list(outcome)


def test_the_registries_name_the_same_exchanges() -> None:
    assert NORMALIZERS.keys() == REVISIONS.keys() <= RAW_PARTITION.keys()


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_the_fixtures_show_facts_and_bad_frames(exchange: str) -> None:
    normalizer = NORMALIZERS[exchange]()
    outcomes = [outcome(normalizer, frame) for frame in frames_of(exchange)]
    assert {isinstance(found, BadFrame) for found in outcomes} == {True, False}


@pytest.mark.parametrize("fixture", fixtures(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_fact_of_the_fixtures_is_plausible(fixture: Path) -> None:
    normalizer = NORMALIZERS[fixture.parent.name]()
    for frame in frames(fixture):
        found = outcome(normalizer, frame)
        if not isinstance(found, BadFrame):
            assert [implausible(fact, frame) for fact in found] == [[] for _ in found]


@pytest.mark.parametrize(("exchange", "seed"), EXCHANGES_AND_SEEDS)
def test_a_damaged_frame_is_plausible_or_bad_and_never_anything_else(exchange: str, seed: int) -> None:
    rng, normalizer = random.Random(seed), NORMALIZERS[exchange]()
    for frame in frames_of(exchange):
        for _ in range(MUTATIONS_A_FRAME):
            damaged = replace(frame, payload=mutated(frame.payload, rng))
            found = outcome(normalizer, damaged)
            if not isinstance(found, BadFrame):
                assert [implausible(fact, damaged) for fact in found] == [[] for _ in found], damaged.payload
        outcome(normalizer, frame)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_frame_cut_anywhere_raises_nothing_but_a_bad_frame(exchange: str) -> None:
    normalizer = NORMALIZERS[exchange]()
    for frame in frames_of(exchange):
        for length in range(len(frame.payload)):
            assert isinstance(outcome(normalizer, replace(frame, payload=frame.payload[:length])), BadFrame)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_bad_frame_says_the_exchange_and_changes_nothing(exchange: str) -> None:
    rng, normalizer = random.Random(0), NORMALIZERS[exchange]()
    for frame in frames_of(exchange):
        before = normalizer.state()
        found = outcome(normalizer, replace(frame, payload=mutated(frame.payload, rng)))
        if isinstance(found, BadFrame):
            assert normalizer.state() == before
            assert str(found).startswith(exchange)
        outcome(normalizer, frame)


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"topic":' + b"[" * 100_000,
        b'"' + b"x" * 1_000_000,
        b"\xff\xfe",
        b"\x00",
        b"",
    ],
    ids=["arrays", "objects", "topic", "long text", "no text", "zero", "nothing"],
)
def test_a_hostile_frame_is_bad_and_briefly_explained(exchange: str, payload: bytes) -> None:
    frame = replace(frames_of(exchange)[0], payload=payload)
    found = outcome(NORMALIZERS[exchange](), frame)
    assert isinstance(found, BadFrame)
    assert len(str(found)) < 1_000


@pytest.mark.parametrize(("exchange", "seed"), EXCHANGES_AND_SEEDS)
def test_a_state_carried_over_at_any_frame_changes_nothing(exchange: str, seed: int) -> None:
    rng, every = random.Random(seed), frames_of(exchange)
    staying = NORMALIZERS[exchange]()
    moving = NORMALIZERS[exchange]()
    for frame in rng.choices(every, k=4 * len(every)):
        if rng.random() < 0.1:
            staying.disconnected(frame.connection)
            moving.disconnected(frame.connection)
        moving = carried_over(moving, exchange)
        assert told(outcome(moving, frame)) == told(outcome(staying, frame))
    assert moving.state() == staying.state()


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_state_handed_out_does_not_change_with_the_normalizer(exchange: str) -> None:
    normalizer = NORMALIZERS[exchange]()
    states: list[tuple[object, bytes]] = []
    for frame in frames_of(exchange):
        state = normalizer.state()
        states.append((state, msgspec.msgpack.encode(state)))
        outcome(normalizer, frame)
    assert all(msgspec.msgpack.encode(state) == then for state, then in states)

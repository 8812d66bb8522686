from __future__ import annotations

import pytest

from processors import repeats as module
from processors.pieces import pack, unpack
from processors.repeats import Repeats

from .tiny import T0, liquidation


def test_an_id_is_a_repeat_the_second_time() -> None:
    repeats = Repeats()
    assert [repeats.is_repeat(liquidation(number=number)) for number in (0, 1, 0, 0)] == [False, False, True, True]
    assert repeats.repeats == 2


def test_ids_before_a_time_are_forgotten() -> None:
    repeats = Repeats()
    repeats.is_repeat(liquidation(1))
    repeats.is_repeat(liquidation(61))
    assert repeats.forget(T0 + 60_000) == T0 + 60_000
    assert not repeats.is_repeat(liquidation(1))
    assert repeats.is_repeat(liquidation(61))


def test_an_old_event_is_remembered_from_when_it_was_received() -> None:
    repeats = Repeats()
    repeats.is_repeat(liquidation(-90_000, received_s=61))
    repeats.forget(T0 + 60_000)
    assert repeats.is_repeat(liquidation(-90_000, received_s=70))


def test_beyond_the_bound_whole_minutes_are_forgotten_and_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_IDS", 2)
    repeats = Repeats()
    for at_s in (1, 2, 61, 121):
        repeats.is_repeat(liquidation(at_s))
    assert repeats.forget(T0) == T0 + 60_000
    assert repeats.dropped == 2
    assert [repeats.is_repeat(liquidation(at_s)) for at_s in (61, 121)] == [True, True]


def test_a_restart_changes_nothing() -> None:
    steady, restarted = Repeats(), Repeats()
    for at_s in (1, 61, 2, 130):
        steady.is_repeat(liquidation(at_s))
    steady.forget(T0 + 60_000)
    restarted.load(unpack(pack(steady.tables())))
    assert restarted.tables() == steady.tables()
    assert [restarted.is_repeat(liquidation(at_s)) for at_s in (1, 61, 130)] == [False, True, True]

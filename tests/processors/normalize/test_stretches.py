from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.normalize import stretches
from processors.normalize.stretches import Stretches, length

MOMENTS = st.integers(0, 60)
PIECES = st.lists(st.tuples(MOMENTS, st.integers(1, 20)).map(lambda piece: (piece[0], piece[0] + piece[1])))


def moments(pieces: list[tuple[int, int]]) -> set[int]:
    """Return the milliseconds of some stretches, one by one."""
    return {moment for begin, end in pieces for moment in range(begin, end)}


@given(PIECES, MOMENTS, MOMENTS)
def test_what_was_added_is_there_once_and_in_order(pieces: list[tuple[int, int]], one: int, other: int) -> None:
    added = Stretches(pieces)
    from_ms, to_ms = sorted((one, other))
    assert moments(added.all()) == moments(pieces)
    assert length(added.all()) == len(moments(pieces))
    assert all(end < begin for (_, end), (begin, _) in zip(added.all(), added.all()[1:], strict=False))
    assert moments(added.within(from_ms, to_ms)) == moments(pieces) & set(range(from_ms, to_ms))


@given(PIECES, MOMENTS, st.integers(1, 20))
def test_adding_tells_from_when_on_it_is_new(pieces: list[tuple[int, int]], from_ms: int, more_ms: int) -> None:
    added, to_ms = Stretches(pieces), from_ms + more_ms
    assert added.add(from_ms, to_ms) == min(set(range(from_ms, to_ms)) - moments(pieces), default=to_ms)


@given(PIECES, MOMENTS)
def test_what_ended_before_is_forgotten(pieces: list[tuple[int, int]], before_ms: int) -> None:
    added = Stretches(pieces)
    kept = [stretch for stretch in added.all() if stretch[1] >= before_ms]
    added.forget(before_ms)
    assert added.all() == kept


def test_too_many_stretches_claim_more_time_not_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "MAX_STRETCHES", 3)
    added = Stretches((n * 10, n * 10 + 1) for n in range(5))
    assert added.all() == [(0, 21), (30, 31), (40, 41)]

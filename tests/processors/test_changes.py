from __future__ import annotations

import pytest

from processors import changes as module
from processors.changes import Changes
from processors.pieces import pack, unpack
from schemas.records import Funding, FundingKind, OpenInterest

from .tiny import funding, open_interest


def let_through(*seconds: list[OpenInterest]) -> list[list[OpenInterest]]:
    """Return what passes in each of the seconds."""
    changes = Changes(OpenInterest)
    passed = []
    for values in seconds:
        for value in values:
            changes.receive(value)
        passed.append(changes.close())
    return passed


def test_a_value_passes_when_it_changed() -> None:
    first, same, other = open_interest(1, 10), open_interest(2, 10), open_interest(3, 11)
    assert let_through([first], [same], [other], []) == [[first], [], [other], []]


def test_of_one_second_the_newest_passes() -> None:
    assert let_through([open_interest(1.2, 11), open_interest(1.3, 12), open_interest(1.1, 10)]) == [
        [open_interest(1.3, 12)]
    ]


def test_what_is_older_than_what_passed_does_not_pass() -> None:
    assert let_through([open_interest(5, 10)], [open_interest(4, 11)]) == [[open_interest(5, 10)], []]


def test_dollars_that_move_with_the_price_are_no_change_but_their_proof_is() -> None:
    seconds = [[open_interest(1, 10)], [open_interest(2, 10, usd=500.0)], [open_interest(3, 10, usd=501.0)]]
    assert let_through(*seconds) == [*seconds[:2], []]


def test_each_settlement_passes_beside_the_prediction() -> None:
    changes = Changes(Funding)
    predicted = funding(1, 0.1)
    settled = [funding(at_s, 0.1, FundingKind.SETTLED) for at_s in (2, 3)]
    passed = []
    for value in (predicted, *settled, settled[1], funding(4, 0.1)):
        changes.receive(value)
        passed += changes.close()
    assert passed == [predicted, *settled]


def test_the_number_of_symbols_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEYS", 1)
    changes = Changes(Funding)
    passed = []
    for value in (funding(1, 0.1), funding(2, 0.1, FundingKind.SETTLED), funding(3, 0.1)):
        changes.receive(value)
        passed += changes.close()
    assert len(passed) == 3
    assert len(changes.tables()["Funding"]) == 1


def test_a_restart_anywhere_changes_nothing() -> None:
    values = [open_interest(at_s, float(at_s // 3)) for at_s in range(1, 30)]
    steady, broken, passed = Changes(OpenInterest), Changes(OpenInterest), 0
    for number, value in enumerate(values):
        for changes in (steady, broken):
            changes.receive(value)
        copy = Changes(OpenInterest)
        copy.load(unpack(pack(broken.tables())))
        broken = copy
        if number % 2:
            let = steady.close()
            assert broken.close() == let
            passed += len(let)
    assert passed == 10
    assert pack(broken.tables()) == pack(steady.tables())

from __future__ import annotations

from processors.pieces import pack, unpack
from processors.prints import MAX_SYMBOLS, Prints

from .tiny import at


def told(prints: Prints, *shown: tuple[str, int], symbol: str = "BTCUSDT") -> list[int]:
    """Return the numbers that are no repeats; a number is shown at the second of its number."""
    return [number for connection, number in shown if not prints.is_repeat(symbol, connection, number, at(number))]


def test_what_two_connections_show_counts_once_whichever_is_ahead() -> None:
    both = [("a", 5), ("a", 6), ("b", 6), ("a", 7), ("b", 7), ("b", 8), ("a", 8), ("b", 9)]
    assert told(Prints(), *both) == [5, 6, 7, 8, 9]


def test_one_that_lags_behind_the_start_of_the_other_is_not_cut_short() -> None:
    assert told(Prints(), ("a", 5), ("b", 7), ("a", 6), ("a", 7), ("b", 8)) == [5, 7, 6, 8]


def test_an_order_of_many_prints_in_several_frames_counts_once_however_two_connections_take_turns() -> None:
    one, many, after = [("a", 6), ("b", 6)], [("a", 7), ("a", 7), ("b", 7), ("b", 7)], [("a", 8), ("b", 8)]
    assert told(Prints(), *one, *many, *many, *after) == [6, 7, 7, 7, 7, 8]
    assert told(Prints(), *one, *many[::-1], *many, ("a", 7), *after) == [6, 7, 7, 7, 7, 7, 8]


def test_a_connection_that_begins_within_an_order_adds_nothing_to_it() -> None:
    prints = [("a", 6), ("a", 7), ("a", 7), ("b", 7), ("b", 7), ("a", 7), ("a", 7), ("b", 8), ("a", 8)]
    assert told(Prints(), *prints) == [6, 7, 7, 7, 7, 8]


def test_one_connection_may_show_a_number_several_times() -> None:
    assert told(Prints(), ("a", 5), ("a", 5), ("a", 5)) == [5, 5, 5]


def test_numbers_may_begin_anew_after_a_reconnection() -> None:
    prints = Prints()
    assert told(prints, ("a", 100), ("a", 101)) == [100, 101]
    assert [prints.is_repeat("BTCUSDT", "b", number, at(200 + number)) for number in (1, 100, 101)] == [False] * 3


def test_symbols_are_apart() -> None:
    prints = Prints()
    assert told(prints, ("a", 5)) == told(prints, ("b", 5), symbol="ETHUSDT") == [5]


def test_what_was_shown_is_known_after_a_restore() -> None:
    prints, again = Prints(), Prints()
    told(prints, ("a", 5), ("a", 6), ("a", 6), ("b", 5), ("b", 6))
    again.load(unpack(pack(prints.tables())))
    assert told(again, ("b", 6), ("b", 6), ("a", 7), ("b", 7)) == [6, 7]


def test_the_symbol_first_seen_starts_anew_when_there_are_too_many() -> None:
    prints = Prints()
    for number in range(MAX_SYMBOLS + 1):
        told(prints, ("a", 5), symbol=str(number))
    assert (told(prints, ("b", 5), symbol="1"), told(prints, ("b", 5), symbol="0")) == ([], [5])

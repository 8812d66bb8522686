from __future__ import annotations

from processors.pieces import PIECE_ROWS, pack, rows, unpack


def test_tables_come_back_whole_and_are_encoded_in_pieces() -> None:
    numbers = list(range(2 * PIECE_ROWS + 1))
    pieces = unpack(pack({"numbers": numbers, "none": []}))
    assert [len(rows([piece], int)) for piece in pieces["numbers"]] == [PIECE_ROWS, PIECE_ROWS, 1]
    assert rows(pieces["numbers"], int) == numbers
    assert rows(pieces["none"], int) == []

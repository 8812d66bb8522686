"""What is read from a statement's text, and from blocks that arrive in pieces."""

import random
from contextlib import suppress
from itertools import chain, repeat

import pytest

from embedded.clickhouse.native import Block, read_block
from embedded.clickhouse.reader import Malformed, Reader
from embedded.clickhouse.statements import Insert, block_insert, first_word, touches_files, without_format, words

# Two columns of one row, as the engine writes them: a LowCardinality(String), b Array(String).
BLOCK = (
    b"\x02\x01"
    b"\x01a\x16LowCardinality(String)"
    b"\x01\0\0\0\0\0\0\0" + b"\0\x06\0\0\0\0\0\0" + b"\x01\0\0\0\0\0\0\0\x01x" + b"\x01\0\0\0\0\0\0\0\0"
    b"\x01b\x0dArray(String)"
    b"\x01\0\0\0\0\0\0\0\x01z"
)


@pytest.mark.parametrize(
    ("sql", "insert"),
    [
        ("INSERT INTO t VALUES", Insert("INSERT INTO t", "", "t", "")),
        ("INSERT INTO t (a, b) FORMAT Native", Insert("INSERT INTO t (a, b)", "", "t", "a, b")),
        ("INSERT INTO t SETTINGS x = 1 VALUES", Insert("INSERT INTO t", "SETTINGS x = 1 ", "t", "")),
        (
            "INSERT INTO `values` (`format`) VALUES;",
            Insert("INSERT INTO `values` (`format`)", "", "`values`", "`format`"),
        ),
        ("INSERT INTO FUNCTION f('x') (a) VALUES", Insert("INSERT INTO FUNCTION f('x') (a)", "", "f('x')", "a")),
        ("INSERT INTO t VALUES (1)", None),
        ("INSERT INTO t SELECT 1 FORMAT Native", None),
        ("INSERT INTO t FORMAT CSV 1", None),
        ("SELECT 'INSERT INTO t VALUES'", None),
        ("INSERT INTO t (a VALUES", None),
        ("INSERT INTO", None),
        ("((((", None),
        ("", None),
    ],
)
def test_an_insert_of_blocks_is_told_from_other_statements(sql: str, insert: Insert | None) -> None:
    assert block_insert(sql, words(sql)) == insert


@pytest.mark.parametrize("sql", ["", "((((", "FORMAT", "SELECT 'never closed", "/* never closed", ";;;"])
def test_a_text_that_is_no_statement_is_left_to_the_engine(sql: str) -> None:
    tokens = words(sql)
    assert without_format(sql, tokens) == sql
    assert not touches_files(tokens)
    assert first_word(tokens) in ("", "FORMAT", "SELECT", "/")


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_block_may_arrive_in_pieces_of_any_size(size: int) -> None:
    columns = [("a", "LowCardinality(String)"), ("b", "Array(String)")]
    kinds = b"\x16LowCardinality(String)", b"\x0dArray(String)"
    for_client = BLOCK.replace(kinds[0], kinds[0] + b"\0").replace(kinds[1], kinds[1] + b"\0")
    from_engine, from_client = reader_of(BLOCK, size), reader_of(for_client, size)
    assert read_block(from_engine, from_client=False) == Block(columns, 1, for_client)
    assert read_block(from_client, from_client=True) == Block(columns, 1, BLOCK)


@pytest.mark.parametrize("length", range(len(BLOCK)))
def test_a_block_cut_anywhere_is_incomplete(length: int) -> None:
    with pytest.raises(EOFError):
        read_block(reader_of(BLOCK[:length], 1000), from_client=False)


def test_a_block_with_a_wrong_byte_is_at_worst_malformed() -> None:
    chance = random.Random(1)
    for _ in range(2000):
        wrong = bytearray(BLOCK)
        wrong[chance.randrange(len(wrong))] = chance.randrange(256)
        with suppress(EOFError, Malformed, ValueError):  # what ends a session, and only it
            read_block(reader_of(bytes(wrong), 1000), from_client=False)


def reader_of(data: bytes, size: int) -> Reader:
    pieces = (data[start : start + size] for start in range(0, len(data), size))
    return Reader(chain(pieces, repeat(b"")).__next__)

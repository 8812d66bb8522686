"""Native blocks as bytes: finds where a block ends without decoding one value of it."""

from collections.abc import Iterator
from typing import NamedTuple

from embedded.clickhouse.columns import skip_column
from embedded.clickhouse.reader import Malformed, Reader, text, varint


class Block(NamedTuple):
    columns: list[tuple[str, str]]  # name and type
    rows: int
    data: bytes


def read_block(reader: Reader, from_client: bool) -> Block:
    """One block, turned from the client's form into the engine's or back.

    They differ by one byte per column, a flag that says whether the column is sparse: the protocol has it since
    revision 54454, the engine's Native format has not.
    """
    reader.mark()
    count, rows = reader.varint(), reader.varint()
    columns: list[tuple[str, str]] = []
    parts = []
    for _ in range(count):
        columns.append((reader.text(), reader.text()))
        parts.append(reader.take())
        if from_client:
            if reader.byte():
                raise Malformed("a sparse column")
            reader.mark()
        else:
            parts.append(b"\0")
        if rows:
            skip_column(reader, columns[-1][1], rows)
    parts.append(reader.take())
    return Block(columns, rows, b"".join(parts))


def split_blocks(data: bytes) -> Iterator[Block]:
    """The blocks of what the engine returned, in the client's form."""
    reader = Reader(iter((data, b"")).__next__)
    if data:
        reader.pull()
    while not reader.at_end():
        yield read_block(reader, from_client=False)


def header(columns: list[tuple[str, str]]) -> Block:
    """A block without rows, in the client's form: it says which columns follow."""
    described = b"".join(text(name) + text(kind) + b"\0" for name, kind in columns)
    return Block(columns, 0, varint(len(columns)) + varint(0) + described)

"""A snapshot is tables of rows, encoded some hundred rows at a time: an encoder holds the interpreter meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

PIECE_ROWS = 500

Tables = Mapping[str, Sequence[object]]
Pieces = Mapping[str, Sequence[bytes]]
T = TypeVar("T")


def pack(tables: Tables) -> bytes:
    """Return the tables as bytes."""
    return msgspec.msgpack.encode({name: list(_pieces(rows)) for name, rows in tables.items()})


def unpack(body: bytes) -> Pieces:
    """Return the pieces of each table; `rows` reads them."""
    return msgspec.msgpack.decode(body, type=dict[str, list[bytes]])


def rows(pieces: Iterable[bytes], kind: type[T]) -> list[T]:
    """Return the rows of one table."""
    decoder = msgspec.msgpack.Decoder(list[kind])  # type: ignore[valid-type]  # the type is known at run time only
    return [row for piece in pieces for row in decoder.decode(piece)]


def _pieces(table: Sequence[object]) -> Iterable[bytes]:
    for start in range(0, len(table), PIECE_ROWS):
        yield msgspec.msgpack.encode(table[start : start + PIECE_ROWS])

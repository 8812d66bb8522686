"""Reads many records into columns: one field of all of them, then the next, for half of what a record costs alone."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import accumulate
from operator import itemgetter
from typing import Any, NamedTuple

from .avro import HEADER, decode_dict, ids, newest, released

Places = list[int]  # where the next field of each record begins
Reader = Callable[[bytes, Places], tuple[list[Any], Places]]
NOT_AS_WRITTEN = (IndexError, UnicodeDecodeError, struct.error)
DOUBLE = struct.Struct("<d")
ONE_BYTE = 0x80  # a smaller first byte is the whole number
ZIGZAG = [(byte >> 1) ^ -(byte & 1) for byte in range(ONE_BYTE)]


class Items(NamedTuple):
    """The items of an array field of many records, as columns."""

    owners: list[int]  # for each item: its record
    numbers: list[int]  # for each item: which one of its record's it is
    columns: dict[str, list[Any]]


def columns_of(values: Sequence[bytes], record: type[Any]) -> dict[str, list[Any] | Items]:
    """Return a column for each field of framed records; raise `Undecodable`. An array becomes `Items`."""
    name = newest(record)
    header = HEADER.pack(0, ids()[name])
    if values and all(value.startswith(header) for value in values):
        try:
            return _read(name, values)
        except NOT_AS_WRITTEN:
            pass  # the slow way knows all forms of an array, and says which record is broken
    return _read_one_by_one(values, record)


def _read(name: str, values: Sequence[bytes]) -> dict[str, list[Any] | Items]:
    """Raise one of `NOT_AS_WRITTEN` where a record is not exactly what our own encoder writes."""
    data = b"".join(values)
    ends = list(accumulate(map(len, values)))
    places = [HEADER.size + end - len(value) for end, value in zip(ends, values, strict=True)]
    columns: dict[str, list[Any] | Items] = {}
    for field, read in _readers(name):
        columns[field], places = read(data, places)
    if places != ends:
        raise IndexError("a record is longer or shorter than its fields")
    return columns


def _read_one_by_one(values: Sequence[bytes], record: type[Any]) -> dict[str, list[Any] | Items]:
    rows = [decode_dict(value, record) for value in values]
    columns: dict[str, list[Any] | Items] = {}
    for field in released(newest(record))["fields"]:
        column = list(map(itemgetter(field["name"]), rows))
        columns[field["name"]] = _items(column, field["type"]["items"]) if _is(field["type"], "array") else column
    return columns


def _items(column: list[list[dict[str, Any]]], schema: Mapping[str, Any]) -> Items:
    flat = [(owner, number, item) for owner, items in enumerate(column) for number, item in enumerate(items)]
    names = [field["name"] for field in schema["fields"]]
    columns = {name: [item[name] for _, _, item in flat] for name in names}
    return Items([owner for owner, _, _ in flat], [number for _, number, _ in flat], columns)


@cache
def _readers(name: str) -> list[tuple[str, Reader]]:
    return _readers_of(released(name))


def _readers_of(schema: Mapping[str, Any]) -> list[tuple[str, Reader]]:
    return [(field["name"], _reader(field["type"])) for field in schema["fields"]]


def _reader(kind: Any) -> Any:
    if isinstance(kind, list):
        return _optional(_reader(kind[1]))
    if _is(kind, "enum"):
        return _enum(tuple(kind["symbols"]))
    if _is(kind, "array"):
        return _array(_readers_of(kind["items"]))
    return {"string": _strings, "bytes": _bytes, "long": _longs, "double": _doubles, "boolean": _booleans}[kind]


def _is(kind: Any, name: str) -> bool:
    return isinstance(kind, dict) and kind["type"] == name


def _longs(data: bytes, places: Places) -> tuple[list[int], Places]:
    firsts = [data[at] for at in places]
    if max(firsts) < ONE_BYTE:
        return [ZIGZAG[first] for first in firsts], [at + 1 for at in places]
    return _long_longs(data, places)


def _long_longs(data: bytes, places: Places) -> tuple[list[int], Places]:
    """Zigzag and seven bits a byte, the lowest first."""
    numbers, following = [], []
    for at in places:
        byte = data[at]
        at += 1
        number, shift = byte & 0x7F, 7
        while byte >= ONE_BYTE:
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
        numbers.append((number >> 1) ^ -(number & 1))
        following.append(at)
    return numbers, following


def _bytes(data: bytes, places: Places) -> tuple[list[bytes], Places]:
    sizes, places = _longs(data, places)
    ends = [at + size for at, size in zip(places, sizes, strict=True)]
    return [data[at:end] for at, end in zip(places, ends, strict=True)], ends


def _strings(data: bytes, places: Places) -> tuple[list[str], Places]:
    firsts = [data[at] for at in places]
    if max(firsts) >= ONE_BYTE:
        texts, ends = _bytes(data, places)
        return [text.decode() for text in texts], ends
    ends = [at + 1 + (first >> 1) for at, first in zip(places, firsts, strict=True)]
    return [data[at + 1 : end].decode() for at, end in zip(places, ends, strict=True)], ends


def _doubles(data: bytes, places: Places) -> tuple[list[float], Places]:
    unpack = DOUBLE.unpack_from
    return [unpack(data, at)[0] for at in places], [at + 8 for at in places]


def _booleans(data: bytes, places: Places) -> tuple[list[bool], Places]:
    return [data[at] == 1 for at in places], [at + 1 for at in places]


def _enum(symbols: tuple[str, ...]) -> Reader:
    def read(data: bytes, places: Places) -> tuple[list[str], Places]:
        return [symbols[data[at] >> 1] for at in places], [at + 1 for at in places]

    return read


def _optional(inner: Reader) -> Reader:
    def read(data: bytes, places: Places) -> tuple[list[Any], Places]:
        following = [at + 1 for at in places]
        present = [data[at] for at in places]
        if all(present):
            return inner(data, following)
        if not any(present):
            return [None] * len(places), following
        which = [number for number, there in enumerate(present) if there]
        found, ends = inner(data, [following[number] for number in which])
        values: list[Any] = [None] * len(places)
        for number, value, end in zip(which, found, ends, strict=True):
            values[number], following[number] = value, end
        return values, following

    return read


def _array(readers: list[tuple[str, Reader]]) -> Any:
    """Read the first items of all records, then their second ones, and so on."""

    def read(data: bytes, places: Places) -> tuple[Items, Places]:
        sizes, places = _longs(data, places)
        items = Items([], [], {name: [] for name, _ in readers})
        owners, number = [owner for owner, size in enumerate(sizes) if size], 0
        while owners:
            at = [places[owner] for owner in owners]
            for name, read_field in readers:
                found, at = read_field(data, at)
                items.columns[name].extend(found)
            for owner, end in zip(owners, at, strict=True):
                places[owner] = end
            items.owners.extend(owners)
            items.numbers.extend([number] * len(owners))
            number += 1
            owners = [owner for owner in owners if sizes[owner] > number]
        return items, _after_the_only_block(data, places, sizes)

    return read


def _after_the_only_block(data: bytes, places: Places, sizes: list[int]) -> Places:
    """An array ends with a block of no items; an empty one is nothing else."""
    following = [at + 1 if size else at for at, size in zip(places, sizes, strict=True)]
    if any(size and data[at] for at, size in zip(places, sizes, strict=True)) or min(sizes) < 0:
        raise IndexError("an array has more than one block, or one with its size in bytes")
    return following

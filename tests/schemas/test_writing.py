"""Our writer writes what fastavro does, byte for byte."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import msgspec
import pytest

from schemas.avro import HEADER, encode, newest, parsed
from schemas.raw import RawBatch, RawFrame
from schemas.records import RECORDS, DeadLetter, MarketEntry, MarketSlice
from tests.records import example

EDGES = [0, 1, -1, 63, 64, -64, -65, 8_191, 8_192, -8_193, 1 << 27, 1 << 41, 1_789_670_094_412_000_000]
LIMITS = [(1 << 63) - 1, -(1 << 63)]


def by_fastavro(item: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed(newest(type(item))), msgspec.to_builtins(item, builtin_types=(bytes,)))
    return out.getvalue()


def bare(item: Any) -> dict[str, Any]:
    """Return the changes that make null of every field that can be."""
    fields = parsed(newest(type(item)))["fields"]
    return {field["name"]: None for field in fields if isinstance(field["type"], list)}


@pytest.mark.parametrize("record", [RawBatch, *RECORDS], ids=lambda record: record.__name__)
def test_every_record_is_written_as_by_fastavro(record: type[Any]) -> None:
    full = example(record)
    empty = msgspec.structs.replace(full, **bare(full))

    assert [encode(item)[HEADER.size :] for item in (full, empty)] == [by_fastavro(item) for item in (full, empty)]


@pytest.mark.parametrize("number", EDGES + LIMITS)
def test_whole_numbers_of_every_size_are_written_as_by_fastavro(number: int) -> None:
    letter = example(DeadLetter, offset=number)

    assert encode(letter)[HEADER.size :] == by_fastavro(letter)


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63) - 1])
def test_a_number_of_more_than_64_bits_is_refused(number: int) -> None:
    with pytest.raises(OverflowError, match=f"{number} does not fit"):
        encode(example(DeadLetter, offset=number))


@pytest.mark.parametrize("size", [0, 1, 63, 64, 8_191, 8_192, 100_000])
def test_texts_and_bytes_of_every_length_are_written_as_by_fastavro(size: int) -> None:
    letter = example(DeadLetter, reason="\N{EURO SIGN}" * size, payload=b"x" * size)

    assert encode(letter)[HEADER.size :] == by_fastavro(letter)


@pytest.mark.parametrize("size", [0, 1, 70])
def test_items_are_written_as_by_fastavro(size: int) -> None:
    entries = tuple(MarketEntry(symbol=f"C{n}", asset="C", event_ms=n, mark=n / 7) for n in range(size))
    frames = [RawFrame(number, 0, bytes([number])) for number in range(size)]
    for item in (example(MarketSlice, entries=entries), RawBatch.of("bybit", "run", 0, (), frames)):
        assert encode(item)[HEADER.size :] == by_fastavro(item)

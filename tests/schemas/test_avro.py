"""Records on the wire: every field told, every release kept, every id fixed."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import avro.compatibility
import avro.io
import avro.schema
import msgspec
import pytest

from schemas.avro import Undecodable, decode, decode_dict, encode, ids, newest, released, schema_of
from schemas.raw import RawBatch, RawFrame, Source, SourceKind
from schemas.records import RECORDS, Liquidation, MarketEntry, MarketSlice, OpenInterest
from tests.records import example

ALL = (RawBatch, *RECORDS)
SLICE = MarketSlice(
    exchange="bybit",
    second_ms=1_789_670_094_000,
    received_ms=1_789_670_094_412,
    entries=(MarketEntry(symbol="BTCUSDT", asset="BTC", event_ms=1_789_670_094_099, mark=63_560.8),),
)
BATCH = RawBatch.of(
    exchange="bybit",
    run_id="5f",
    first_seq=7,
    sources=(Source(SourceKind.FRAME, "wss://stream.bybit.com/v5/public/linear", "linear-1"),),
    frames=(RawFrame(1_789_670_094_412_000_000, 0, b"\xff{}"),),
)


def versions(record: type[Any]) -> list[str]:
    return sorted(name for name in ids() if name.rpartition(".")[0] == record.__name__)


@pytest.mark.parametrize("record", ALL, ids=lambda record: record.__name__)
def test_the_newest_release_is_what_the_code_says(record: type[Any]) -> None:
    assert released(newest(record)) == schema_of(record), "run `make schemas` to release the change as a new version"


@pytest.mark.parametrize("record", ALL, ids=lambda record: record.__name__)
def test_every_field_has_a_doc(record: type[Any]) -> None:
    def fields(schema: Any) -> list[Any]:
        arrays = [field["type"] for field in schema["fields"] if isinstance(field["type"], dict)]
        nested = [array["items"] for array in arrays if isinstance(array.get("items"), dict)]
        return [*schema["fields"], *(field for inner in nested for field in fields(inner))]

    assert [field["name"] for field in fields(schema_of(record)) if not field["doc"]] == []


@pytest.mark.parametrize("record", ALL, ids=lambda record: record.__name__)
def test_every_release_reads_every_other(record: type[Any]) -> None:
    """Raw must stay readable by newer code; records in both directions."""
    checker = avro.compatibility.ReaderWriterCompatibilityChecker()
    parsed = [avro.schema.parse(json.dumps(released(name))) for name in versions(record)]
    pairs = [(new, old) for i, new in enumerate(parsed) for old in parsed[: i + 1]]
    pairs += [] if record is RawBatch else [(old, new) for new, old in pairs]

    for reader, writer in pairs:
        result = checker.get_compatibility(reader, writer)
        assert result.compatibility is avro.compatibility.SchemaCompatibilityType.compatible, result.messages


def test_the_check_of_releases_finds_a_break() -> None:
    broken = schema_of(OpenInterest) | {"fields": [*schema_of(OpenInterest)["fields"], {"name": "new", "type": "long"}]}
    reader, writer = avro.schema.parse(json.dumps(broken)), avro.schema.parse(json.dumps(schema_of(OpenInterest)))

    result = avro.compatibility.ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)

    assert result.compatibility is avro.compatibility.SchemaCompatibilityType.incompatible


def test_ids_are_fixed_for_ever() -> None:
    first = ["RawBatch.1", "Liquidation.1", "OpenInterest.1", "Funding.1", "Instrument.1", "MarketSlice.1"]
    first += ["MinuteAggregate.1", "MarketMinute.1", "DeadLetter.1"]

    assert {name: ids()[name] for name in first} == {name: number for number, name in enumerate(first, 1)}
    assert len(set(ids().values())) == len(ids())


@pytest.mark.parametrize(
    "item", [*(example(record) for record in RECORDS), SLICE, BATCH], ids=lambda item: type(item).__name__
)
def test_a_record_comes_back_as_it_went(item: Any) -> None:
    assert decode(encode(item), type(item)) == item


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_the_avro_package_reads_what_we_write(record: type[Any]) -> None:
    item = example(record)
    schema = avro.schema.parse(json.dumps(released(newest(record))))
    encoded = encode(item)

    decoder = avro.io.BinaryDecoder(io.BytesIO(encoded[5:]))

    assert encoded[:5] == b"\0" + ids()[newest(record)].to_bytes(4, "big")
    assert msgspec.convert(avro.io.DatumReader(schema).read(decoder), record) == item


@pytest.mark.parametrize(
    "value",
    [b"", b"\0\0\0", b"\1\0\0\0\2", encode(SLICE), encode(example(Liquidation))[:-9], b"\0\0\0\xff\xff" + b"x" * 50],
    ids=["empty", "short", "magic", "another record", "cut off", "unknown id"],
)
def test_bytes_that_are_no_such_record_are_refused(value: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_dict(value, Liquidation)


def test_numbers_keep_every_bit() -> None:
    price = math.nextafter(0.1, 1)

    assert decode(encode(msgspec.structs.replace(example(Liquidation), price=price)), Liquidation).price == price

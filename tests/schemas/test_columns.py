import io
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_many

from schemas.avro import HEADER, Undecodable, decode_dict, encode, ids, newest, released
from schemas.columns import Items, columns_of
from schemas.records import RECORDS, Funding, FundingKind, Liquidation, MarketEntry, MarketSlice


def framed(record: type[Any], content: dict[str, Any]) -> bytes:
    name = newest(record)
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(released(name)), content)
    return HEADER.pack(0, ids()[name]) + body.getvalue()


def as_rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    length = len(next(iter(columns.values())))
    plain = {name: _lists(column, length) if isinstance(column, Items) else column for name, column in columns.items()}
    return [{name: column[row] for name, column in plain.items()} for row in range(length)]


def _lists(items: Items, length: int) -> list[list[dict[str, Any]]]:
    lists: list[dict[int, Any]] = [{} for _ in range(length)]
    for at, (owner, number) in enumerate(zip(items.owners, items.numbers, strict=True)):
        lists[owner][number] = {name: column[at] for name, column in items.columns.items()}
    return [[found[number] for number in range(len(found))] for found in lists]


def funding(**changes: Any) -> Funding:
    content = {
        "exchange": "bybit",
        "symbol": "BTCUSDT",
        "asset": "BTC",
        "event_ms": 1_700_000_000_000,
        "received_ms": 1_700_000_000_100,
        "rate": 0.0001,
        "kind": FundingKind.PREDICTED,
        "channel": "STREAM",
    }
    return Funding(**{**content, **changes})


def a_slice(symbols: list[str]) -> MarketSlice:
    entries = tuple(
        MarketEntry(symbol=symbol, asset="BTC", event_ms=number, mark=number / 2 if number % 2 else None)
        for number, symbol in enumerate(symbols)
    )
    return MarketSlice(exchange="bybit", second_ms=1000, received_ms=len(symbols), entries=entries)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_columns_hold_what_the_records_hold_read_one_by_one(record: type[Any]) -> None:
    values = [framed(record, content) for content in generate_many(released(newest(record)), 50)]
    assert as_rows(columns_of(values, record)) == [decode_dict(value, record) for value in values]


def test_nulls_long_texts_and_negative_numbers_may_stand_anywhere_in_a_column() -> None:
    values = [
        encode(funding(symbol=symbol, event_ms=event_ms, next_funding_ms=next_ms, interval_hours=hours))
        for symbol, event_ms, next_ms, hours in (
            ("BTCUSDT", 1, None, 8.0),
            ("代币" * 40, -1, 1 << 62, None),
            ("", -(1 << 63), 0, 1.5),
            ("币安人生USDT", (1 << 63) - 1, None, None),
        )
    ]
    assert as_rows(columns_of(values, Funding)) == [decode_dict(value, Funding) for value in values]


def test_arrays_of_any_length_keep_the_order_of_their_items() -> None:
    values = [encode(a_slice(symbols)) for symbols in ([], ["A", "B", "C"], ["D"], [], ["E"] * 70, ["F", "G"])]
    assert as_rows(columns_of(values, MarketSlice)) == [decode_dict(value, MarketSlice) for value in values]


def test_an_array_in_several_blocks_as_other_encoders_write_it_is_read_too() -> None:
    whole = encode(a_slice(["A", "B"]))
    body = whole[: whole.index(b"\x04\x02A")]
    first = whole[whole.index(b"\x02A") : whole.index(b"\x02B")]
    second = whole[whole.index(b"\x02B") : -1]
    in_blocks = body + b"\x02" + first + b"\x01" + bytes([2 * len(second)]) + second + b"\0"
    assert as_rows(columns_of([in_blocks, whole], MarketSlice)) == [decode_dict(whole, MarketSlice)] * 2


def test_no_records_are_columns_without_values() -> None:
    assert set(columns_of([], Funding)) == {field["name"] for field in released(newest(Funding))["fields"]}
    assert not any(columns_of([], Funding).values())


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_record_that_was_cut_is_not_made_whole_with_bytes_of_the_next(cut: int) -> None:
    whole = encode(funding())
    with pytest.raises(Undecodable):
        columns_of([whole, whole[:-cut], whole], Funding)


def test_a_record_of_another_kind_is_refused() -> None:
    with pytest.raises(Undecodable, match="expected 0 and an id of Liquidation"):
        columns_of([encode(funding())], Liquidation)

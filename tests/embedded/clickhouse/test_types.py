# mypy: allow-untyped-calls
"""Every type of a market-data schema comes back as it went in, by rows and by columns."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest
from clickhouse_driver import Client

from tests.embedded.clickhouse.asking import refused

UTC = dt.UTC
T = dt.datetime(2026, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
VALUES: list[tuple[str, list[Any]]] = [
    ("DateTime64(3, 'UTC')", [T.replace(microsecond=123000), EPOCH]),
    ("DateTime64(6, 'UTC')", [T, dt.datetime(2299, 1, 1, tzinfo=UTC)]),
    ("DateTime", [dt.datetime(2026, 3, 4, 5, 6, 7), dt.datetime(1970, 1, 1)]),  # noqa: DTZ001  # the driver's, naive
    ("Date", [dt.date(2026, 1, 2), dt.date(1970, 1, 1)]),
    ("Date32", [dt.date(1925, 1, 1), dt.date(2026, 1, 1)]),
    ("UInt8", [0, 2**8 - 1]),
    ("UInt16", [0, 2**16 - 1]),
    ("UInt32", [0, 2**32 - 1]),
    ("UInt64", [0, 2**64 - 1]),
    ("UInt256", [0, 2**256 - 1]),
    ("Int8", [-(2**7), 5]),
    ("Int32", [-(2**31), 2**31 - 1]),
    ("Int64", [-(2**63), 2**63 - 1]),
    ("Int128", [-(2**127), 5]),
    ("Bool", [True, False]),
    ("Float32", [1.5, -2.25]),
    ("Float64", [1.5e300, -0.0]),
    ("Decimal(9, 4)", [Decimal("1.5000"), Decimal("-99999.9999")]),
    ("Decimal(18, 8)", [Decimal("0.00000001"), Decimal("5.00000000")]),
    ("Decimal(38, 18)", [Decimal("1.000000000000000001"), Decimal("-2.000000000000000000")]),
    ("String", ["", "ü" * 1000]),
    ("String", ["a\0b", "x" * 127]),
    ("String", ["y" * 128, "z" * 16_384]),
    ("FixedString(16)", ["0123456789abcdef", "ABCDEFGHIJKLMNOP"]),
    ("UUID", [uuid.UUID(int=5), uuid.UUID(int=2**127)]),
    ("Enum8('buy' = 1, 'se,l(l' = -2)", ["buy", "se,l(l"]),
    ("Enum16('a' = 1000, 'b\\'' = 2)", ["a", "b'"]),
    ("LowCardinality(String)", ["btcusdt", ""]),
    ("LowCardinality(Nullable(String))", ["x", None]),
    ("LowCardinality(FixedString(4))", ["abcd", "efgh"]),
    ("LowCardinality(UInt32)", [1, 2]),
    ("Nullable(Float64)", [None, 2.5]),
    ("Nullable(String)", [None, "q"]),
    ("Nullable(DateTime64(3, 'UTC'))", [None, T.replace(microsecond=5000)]),
    ("Array(UInt8)", [[1, 2, 3], []]),
    ("Array(Array(String))", [[["a"], []], []]),
    ("Array(Nullable(Int32))", [[None, 5], []]),
    ("Array(LowCardinality(String))", [["a", "b", "a"], []]),
    ("Array(LowCardinality(String))", [[], []]),
    ("Array(Tuple(Float64, Float64))", [[(1.0, 2.0)], []]),
    ("Tuple(String, Int32)", [("a", 1), ("b", -1)]),
    ("Tuple(px Float64, `q ty` LowCardinality(String))", [(1.5, "a"), (2.5, "b")]),
    ("Map(String, String)", [{"a": "b", "c": ""}, {}]),
    ("Map(LowCardinality(String), UInt64)", [{"a": 1}, {}]),
    ("SimpleAggregateFunction(max, Float64)", [1.0, 2.0]),
]
ALL_AT_ONCE = ", ".join(f"v{number} {kind}" for number, (kind, _) in enumerate(VALUES))


@pytest.mark.parametrize(("kind", "values"), VALUES, ids=[f"{kind[:30]}-{i}" for i, (kind, _) in enumerate(VALUES)])
def test_what_goes_in_comes_back(client: Client, table: str, kind: str, values: list[Any]) -> None:
    rows = [(number, value, f"s{number}") for number, value in enumerate(values)]  # with neighbours on both sides
    client.execute(
        f"CREATE TABLE {table} (i UInt32, v {kind}, s String) ENGINE = Memory",
        settings={"allow_suspicious_low_cardinality_types": 1},
    )
    client.execute(f"INSERT INTO {table} (i, v, s) VALUES", rows)
    assert client.execute(f"SELECT i, v, s FROM {table} ORDER BY i") == rows


def test_many_columns_of_many_rows_come_back(any_client: Client, table: str) -> None:
    """Longer than any buffer on the way: the socket's, the frames of a compression, the blocks of the engine."""
    columns = [values * 1000 for _, values in VALUES]
    any_client.execute(
        f"CREATE TABLE {table} ({ALL_AT_ONCE}) ENGINE = Memory",
        settings={"allow_suspicious_low_cardinality_types": 1},
    )
    any_client.execute(f"INSERT INTO {table} VALUES", columns, columnar=True)
    assert [list(column) for column in any_client.execute(f"SELECT * FROM {table}", columnar=True)] == columns


@pytest.mark.parametrize("expression", ["'{\"a\":1}'::JSON", "sumState(1)", "1::Variant(UInt8, String)"])
def test_a_type_that_cannot_be_passed_on_is_refused(client: Client, expression: str) -> None:
    with refused(48):
        client.execute(f"SELECT {expression}")
    assert client.execute("SELECT 1") == [(1,)]

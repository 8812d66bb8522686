# mypy: allow-untyped-calls
"""Inserts: every way to write one, and what an error leaves behind."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clickhouse_driver import Client, errors

from tests.embedded.clickhouse.asking import begin, eventually, refused, running

COLUMNS = (
    "a UInt32, b LowCardinality(String) DEFAULT 'dflt', m UInt64 MATERIALIZED a * 2, e UInt8 EPHEMERAL 1,"
    " `odd name` Int8 DEFAULT 3"
)
FORMS = [
    "INSERT INTO {t} (a, b) VALUES",
    "insert into `{t}`(`a`, b) values",
    "INSERT INTO default.{t} (a, b) VALUES;",
    "/* x */ INSERT /* SELECT */ INTO TABLE {t} -- y\n (a, b)\nVALUES ",
    "INSERT INTO {t} (a, b) FORMAT Native",
    "INSERT INTO {t} (a, b) SETTINGS async_insert=0 VALUES",
    "INSERT INTO {t} (* EXCEPT(`odd name`)) VALUES",
]


@pytest.fixture
def target(client: Client, table: str) -> str:
    """An empty table with columns of every kind."""
    client.execute(f"CREATE TABLE {table} ({COLUMNS}) ENGINE = MergeTree ORDER BY a")
    return table


def count(client: Client, table: str) -> int:
    [(rows,)] = client.execute(f"SELECT count() FROM {table}")
    return int(rows)


@pytest.mark.parametrize("form", FORMS)
def test_an_insert_may_be_written_in_many_ways(client: Client, target: str, form: str) -> None:
    assert client.execute(form.format(t=target), [(1, "x"), (2, "y")]) == 2
    assert client.execute(f"SELECT a, b, `odd name`, m FROM {target} ORDER BY a") == [(1, "x", 3, 2), (2, "y", 3, 4)]


@pytest.mark.parametrize("columns", ["", "(a, b)"])
def test_an_insert_may_go_into_a_function(client: Client, columns: str) -> None:
    assert client.execute(f"INSERT INTO FUNCTION null('a UInt32, b String') {columns} VALUES", [(1, "x")]) == 1


def test_an_insert_may_carry_its_own_rows(client: Client, target: str) -> None:
    client.execute(f"INSERT INTO {target} (a, b) SELECT number, 'format' FROM numbers(3)")
    client.execute(f"INSERT INTO {target} (a, b) WITH 7 AS x SELECT x, 'w'")
    client.execute(f"INSERT INTO {target} (a, b) VALUES (8, 'VALUES'), (9, 'SELECT 1 INTO OUTFILE x')")
    client.execute(f"INSERT INTO {target} (a, b) FORMAT CSV 10,csv\n11,csv\n")
    assert client.execute(f"SELECT groupArray(a) FROM (SELECT a FROM {target} ORDER BY a)") == [
        ([0, 1, 2, 7, 8, 9, 10, 11],)
    ]


def test_many_blocks_become_one_insert(any_client: Client, table: str) -> None:
    any_client.execute(f"CREATE TABLE {table} (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
    rows: Iterator[dict[str, Any]] = ({"a": number, "b": str(number % 7)} for number in range(50_000))
    insert = f"INSERT INTO {table} (a, b) VALUES"
    assert any_client.execute(insert, rows, settings={"insert_block_size": 4096}) == 50_000
    assert any_client.execute(f"SELECT sum(a), uniq(b) FROM {table}") == [(sum(range(50_000)), 7)]
    parts = f"SELECT count() FROM system.parts WHERE table = '{table}' AND active"
    assert any_client.execute(parts) == [(1,)]


def test_an_insert_of_nothing_is_nothing(client: Client, target: str) -> None:
    assert client.execute(f"INSERT INTO {target} (a, b) VALUES", []) == 0
    assert count(client, target) == 0


def test_an_insert_that_cannot_begin_is_refused(client: Client, target: str) -> None:
    with refused(60):
        client.execute("INSERT INTO nope (a) VALUES", [(1,)])
    with refused(47):
        client.execute(f"INSERT INTO {target} (zzz) VALUES", [(1,)])
    with pytest.raises(errors.TypeMismatchError):
        client.execute(f"INSERT INTO {target} (a) VALUES", [("x",)], types_check=True)
    assert count(client, target) == 0


def test_a_constraint_that_fails_at_the_end_keeps_everything_out(any_client: Client, table: str) -> None:
    any_client.execute(f"CREATE TABLE {table} (a UInt32, CONSTRAINT c CHECK a < 99999) ENGINE = MergeTree ORDER BY a")
    rows = [(number,) for number in range(100_000)]
    with refused(469):
        any_client.execute(f"INSERT INTO {table} VALUES", rows, settings={"insert_block_size": 10_000})
    assert count(any_client, table) == 0


def test_a_materialised_view_that_fails_is_told(client: Client, table: str) -> None:
    client.execute(f"CREATE TABLE {table} (a UInt32) ENGINE = MergeTree ORDER BY a")
    select = f"SELECT toUInt8(throwIf(a = 500)) AS a FROM {table}"
    client.execute(f"CREATE MATERIALIZED VIEW {table}_view ENGINE = MergeTree ORDER BY a AS {select}")
    insert = f"INSERT INTO {table} VALUES"
    with refused(395):
        client.execute(insert, [(number,) for number in range(1000)])
    assert client.execute(insert, [(number,) for number in range(100)]) == 100
    client.execute(f"DROP TABLE {table}_view")


def test_a_slow_reader_stops_no_writer(connect: Callable[..., Client], table: str) -> None:
    slow, writer = connect(), connect()
    writer.execute(f"CREATE TABLE {table} (a UInt64) ENGINE = MergeTree ORDER BY a")
    begin(slow, "SELECT sleepEachRow(3) FROM numbers(1000) SETTINGS max_block_size = 1")
    assert eventually(lambda: running(writer, "sleepEachRow") == 1)
    for number in range(20):
        writer.execute(f"INSERT INTO {table} VALUES", [(number,)])
    assert (count(writer, table), running(writer, "sleepEachRow")) == (20, 1)

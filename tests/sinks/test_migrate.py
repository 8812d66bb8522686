from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from embedded.clickhouse import Server
from schemas.topics import TOPICS
from sinks.connection import ClickHouse, connect
from sinks.failures import CannotGoOn
from sinks.migrate import migrate, migrations, verify
from sinks.queries import counts
from sinks.tables import TABLES

WITHOUT_A_TABLE = {"raw"}


@pytest.fixture
def database(clickhouse: Server, topic_prefix: str) -> ClickHouse:
    """A database that does not exist yet."""
    return ClickHouse("127.0.0.1", clickhouse.port, topic_prefix.strip("."))


@pytest.fixture
def client(database: ClickHouse) -> Iterator[Any]:
    """A client, and the database with all its tables."""
    migrate(database)
    with connect(database) as connected:
        yield connected


def test_each_topic_of_records_has_a_table() -> None:
    topics = {name for name, topic in TOPICS.items() if topic.record is not None}
    assert {table.topic for table in TABLES.values()} == topics - WITHOUT_A_TABLE


def test_the_migrations_make_exactly_the_columns_that_the_records_ask_for(database: ClickHouse, client: Any) -> None:
    query = f"SELECT table, name, type, comment FROM system.columns WHERE database = '{database.database}'"
    found = client.execute(f"{query} AND table IN {tuple(TABLES)} ORDER BY table, position")
    wanted = [
        (name, column.name, column.type, column.comment) for name in sorted(TABLES) for column in TABLES[name].columns
    ]
    assert found == wanted


def test_each_table_has_a_view_and_each_of_them_says_what_it_is(database: ClickHouse, client: Any) -> None:
    query = f"SELECT name, comment FROM system.tables WHERE database = '{database.database}'"
    comments = dict(client.execute(query))
    assert {f"v_{name}" for name in TABLES} < set(comments)
    assert all(comments.values())


def test_versions_replace_and_no_window_drops_an_insert(database: ClickHouse, client: Any) -> None:
    query = f"SELECT name, engine_full FROM system.tables WHERE database = '{database.database}'"
    engines = dict(client.execute(query))
    assert engines["liquidations"].startswith("ReplacingMergeTree(revision, retracted)")
    assert all(engines[name].startswith("ReplacingMergeTree(") for name in TABLES)
    assert all("non_replicated_deduplication_window = 0" in engines[name] for name in TABLES)


def test_migrations_are_applied_once(database: ClickHouse) -> None:
    assert migrate(database) == [migration.name for migration in migrations()]
    assert migrate(database) == []
    with connect(database) as client:
        assert counts(client, database.database) == dict.fromkeys(sorted(TABLES), 0)


def test_a_migration_that_was_interrupted_begins_again(database: ClickHouse, client: Any) -> None:
    client.execute(f"TRUNCATE TABLE {database.database}.schema_migrations")
    client.execute(f"DROP TABLE {database.database}.funding")
    migrate(database)
    verify(client, database.database)


def test_a_field_without_a_column_is_told(database: ClickHouse, client: Any) -> None:
    client.execute(f"ALTER TABLE {database.database}.funding DROP COLUMN rate_8h")
    client.execute(f"ALTER TABLE {database.database}.minutes MODIFY COLUMN long_count Int32")
    expected = "funding.rate_8h is missing, expected Nullable(Float64); minutes.long_count is Int32, expected Int64"
    with pytest.raises(CannotGoOn) as told:
        verify(client, database.database)
    for problem in expected.split("; "):
        assert problem in str(told.value)
    assert str(told.value).endswith("run `liq setup`")


def test_a_name_that_could_be_a_statement_is_refused(database: ClickHouse) -> None:
    with pytest.raises(CannotGoOn, match="is no name for a database"):
        migrate(replace(database, database="a; DROP DATABASE b"))

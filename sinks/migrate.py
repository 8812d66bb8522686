"""Brings a database to the tables of this version: numbered SQL files, each applied once, in their order."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any, NamedTuple

from .connection import ClickHouse, connect
from .failures import CannotGoOn
from .tables import TABLES

FOLDER = files("sinks") / "migrations"
FILE = re.compile(r"(\d{4})_\w+\.sql")
END_OF_STATEMENT = re.compile(r";\s*$", re.MULTILINE)
DATABASE = re.compile(r"[A-Za-z_]\w*")
JOURNAL = """
CREATE TABLE IF NOT EXISTS {database}.schema_migrations
(
    number UInt32 COMMENT 'number of the file in sinks/migrations',
    name String COMMENT 'name of the file',
    applied_time DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when its last statement had succeeded, UTC'
)
ENGINE = ReplacingMergeTree ORDER BY number
COMMENT 'Migrations that were applied to this database.'
"""


class Migration(NamedTuple):
    """One file. Each statement bears being repeated, for a migration that was interrupted begins again."""

    number: int
    name: str
    statements: tuple[str, ...]


def migrations() -> list[Migration]:
    """Return all migrations in their order."""
    found = []
    for file in FOLDER.iterdir():
        if matched := FILE.fullmatch(file.name):
            statements = (part.strip() for part in END_OF_STATEMENT.split(file.read_text()))
            found.append(Migration(int(matched[1]), file.name, tuple(filter(None, statements))))
    return sorted(found)


def migrate(clickhouse: ClickHouse) -> list[str]:
    """Apply what was not applied yet; return the names of those files. Errors are those of clickhouse-driver."""
    if not DATABASE.fullmatch(clickhouse.database):
        raise CannotGoOn(f"{clickhouse.database!r} is no name for a database: use letters, digits and underscores")
    with connect(clickhouse) as client:
        client.execute(f"CREATE DATABASE IF NOT EXISTS {clickhouse.database}")
        client.execute(JOURNAL.replace("{database}", clickhouse.database))
        missing = due(client, clickhouse.database)
        for migration in missing:
            _apply(client, clickhouse.database, migration)
        return [migration.name for migration in missing]


def due(client: Any, database: str) -> list[Migration]:
    """Return what was not applied yet."""
    done = {number for (number,) in client.execute(f"SELECT number FROM {database}.schema_migrations")}
    return [migration for migration in migrations() if migration.number not in done]


def _apply(client: Any, database: str, migration: Migration) -> None:
    for statement in migration.statements:
        client.execute(statement.replace("{database}", database))
    row = (migration.number, migration.name)
    client.execute(f"INSERT INTO {database}.schema_migrations (number, name) VALUES", [row])


def verify(client: Any, database: str) -> None:
    """Raise `CannotGoOn` unless every table has the columns that the records ask for."""
    query = "SELECT table, name, type FROM system.columns WHERE database = %(database)s ORDER BY table, position"
    found: dict[str, dict[str, str]] = {}
    for table, name, kind in client.execute(query, {"database": database}):
        found.setdefault(table, {})[name] = kind
    problems = [problem for name in TABLES for problem in _differences(name, found.get(name))]
    if problems:
        raise CannotGoOn(f"database {database}: {'; '.join(problems)}: run `liq setup`")


def _differences(table: str, found: dict[str, str] | None) -> list[str]:
    if found is None:
        return [f"table {table} is missing"]
    wanted = {column.name: column.type for column in TABLES[table].columns}
    return [
        f"{table}.{name} is {found.get(name, 'missing')}, expected {kind}"
        for name, kind in wanted.items()
        if found.get(name) != kind
    ]

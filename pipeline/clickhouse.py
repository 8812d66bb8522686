"""Reaching ClickHouse with the settings at hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sinks import migrate as migrations
from sinks import queries
from sinks.connection import AWAY, REFUSED, ClickHouse, connect
from sinks.failures import in_one_line

from .exits import Ended, Unreachable
from .settings import Settings


def address(settings: Settings) -> ClickHouse:
    """Return server, database and user."""
    return ClickHouse(
        host=settings.clickhouse_host,
        port=settings.clickhouse_port,
        database=settings.database,
        user=settings.clickhouse_user,
        password=settings.clickhouse_password.get_secret_value(),
    )


@contextmanager
def reaching(settings: Settings) -> Iterator[ClickHouse]:
    """Hand over the address; inside, a server that does not answer or says no ends the command with one line."""
    where = address(settings)
    try:
        yield where
    except AWAY as error:
        hint = "start it or set LIQ_CLICKHOUSE_HOST and LIQ_CLICKHOUSE_PORT"
        raise Unreachable(f"{where} does not answer ({in_one_line(error)}): {hint}") from error
    except REFUSED as error:
        raise Ended(f"{where}: {in_one_line(error)}") from error


def migrate(settings: Settings) -> list[str]:
    """Bring the database to this version; return what was applied."""
    with reaching(settings) as where:
        return migrations.migrate(where)


def rows(settings: Settings) -> dict[str, int]:
    """Return how many rows each table holds."""
    with reaching(settings) as where, connect(where) as client:
        return queries.counts(client, where.database)

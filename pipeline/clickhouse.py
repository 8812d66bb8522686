"""Reaching ClickHouse with the settings at hand."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sinks import migrate as migrations
from sinks import queries
from sinks.connection import AWAY, REFUSED, ClickHouse, connect
from sinks.failures import NOT_LET_IN, CannotGoOn, code_of, in_one_line, is_of_tls

from .exits import Ended, Refused, Unreachable
from .settings import Settings

log = logging.getLogger(__name__)


def address(settings: Settings) -> ClickHouse:
    """Return server, database and user."""
    return ClickHouse(
        host=settings.clickhouse_host,
        port=settings.clickhouse_port,
        database=settings.database,
        user=settings.clickhouse_user,
        password=settings.clickhouse_password.get_secret_value(),
        tls=settings.clickhouse_tls,
        ca=settings.clickhouse_ca,
    )


@contextmanager
def reaching(settings: Settings) -> Iterator[ClickHouse]:
    """Hand over the address; inside, a server that does not answer or says no ends the command with one line."""
    where = address(settings)
    try:
        yield where
    except (*AWAY, REFUSED) as error:
        raise _explained(where, error) from error
    except CannotGoOn as error:
        raise Ended(str(error)) from error


def _explained(where: ClickHouse, error: Exception) -> Ended:
    said = in_one_line(error)
    if is_of_tls(error):
        return Refused(f"{where} is not trusted ({said}): set LIQ_CLICKHOUSE_CA to the authority of its certificate")
    if code_of(error) in NOT_LET_IN:
        return Refused(f"{where} refuses user {where.user} ({said}): compare user, password and grants with its own")
    if isinstance(error, REFUSED):
        return Ended(f"{where}: {said}")
    hint = "start it or set LIQ_CLICKHOUSE_HOST and LIQ_CLICKHOUSE_PORT"
    tls = "on" if where.tls else "off"
    return Unreachable(f"{where} does not answer ({said}): {hint}, and LIQ_CLICKHOUSE_TLS, which is {tls}")


def check_access(settings: Settings) -> None:
    """Raise `Refused` where ClickHouse does not let us in; one that is away may come back while the sink waits."""
    try:
        with reaching(settings) as where, connect(where) as client:
            client.execute("SELECT 1")
    except Refused:
        raise
    except Ended as error:
        log.warning("%s", error)


def migrate(settings: Settings) -> list[str]:
    """Bring the database to this version; return what was applied."""
    with reaching(settings) as where:
        return migrations.migrate(where)


def verify_tables(settings: Settings) -> None:
    """Raise `Ended` unless the database has all that this version declares."""
    with reaching(settings) as where, connect(where) as client:
        migrations.verify(client, where.database)
        if missing := migrations.due(client, where.database):
            names = ", ".join(migration.name for migration in missing)
            raise Ended(f"database {where.database}: {names} not applied yet: run `liq setup`")


def rows(settings: Settings) -> dict[str, int]:
    """Return how many rows each table holds."""
    with reaching(settings) as where, connect(where) as client:
        return queries.counts(client, where.database)


def evidence(settings: Settings, liquidation_id: str) -> dict[str, Any] | None:
    """Return a liquidation and the frames behind it; None where neither is known."""
    with reaching(settings) as where, connect(where) as client:
        return queries.evidence(client, where.database, liquidation_id)


def alive_share(settings: Settings) -> dict[str, float]:
    """Return by exchange which share of the last hour's minutes proves that no liquidation was missed."""
    with reaching(settings) as where, connect(where) as client:
        return queries.alive_share(client, where.database)

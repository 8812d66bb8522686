"""Inserts rows until ClickHouse has them: waits while it is away, finds the row that it refuses."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

from clickhouse_driver import errors

from . import metrics
from .connection import INSERT_SETTINGS, ClickHouse, connect
from .failures import CannotGoOn, Meaning, code_of, in_one_line, meaning_of
from .migrate import verify
from .rows import Rows
from .tables import Table

AWAY_LIMIT_S = 1800.0  # ClickHouse may be away that long; then the process ends, and Kafka still has everything
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
REFUSED_LIMIT = 20  # more refused rows than that in one batch: it is not the rows

log = logging.getLogger(__name__)


class RowRefused(Exception):
    """ClickHouse will never take these rows as they are."""


class Writer:
    """Writes to one database. `rest` waits for some seconds, and may raise to end the waiting."""

    def __init__(self, clickhouse: ClickHouse, rest: Callable[[float], None], away_limit_s: float = AWAY_LIMIT_S):
        """Connect at the first statement."""
        self._clickhouse = clickhouse
        self._client = connect(clickhouse)
        self._rest = rest
        self._away_limit_s = away_limit_s
        self._away_since_s: float | None = None  # outlives a batch that is abandoned

    def verify(self) -> None:
        """Raise unless the tables are as the code knows them; wait for ClickHouse."""
        self._patiently(lambda: verify(self._client, self._clickhouse.database))

    def write(self, table: Table, rows: Rows) -> list[tuple[int, str]]:
        """Return when all rows are stored but those it returns: the number of a refused row, and why."""
        refused = []
        for number, reason in self._write(table, rows, 0):
            refused.append((number, reason))
            if len(refused) > REFUSED_LIMIT:
                raise CannotGoOn(
                    f"{self._clickhouse} refuses more than {REFUSED_LIMIT} rows of one batch of {table.name}: "
                    f"{reason}. Compare the table with sinks/migrations"
                )
        metrics.ROWS.labels(table.name).inc(len(rows) - len(refused))
        metrics.REFUSED.labels(table.name).inc(len(refused))
        return refused

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()

    def _write(self, table: Table, rows: Rows, start: int) -> Iterator[tuple[int, str]]:
        """Halve the rows until the refused ones stand alone."""
        try:
            self._patiently(lambda: self._insert(table, rows))
        except RowRefused as error:
            if len(rows) == 1:
                yield start, str(error)
                return
            middle = len(rows) // 2
            yield from self._write(table, rows.part(0, middle), start)
            yield from self._write(table, rows.part(middle, len(rows)), start + middle)

    def _insert(self, table: Table, rows: Rows) -> None:
        names = ", ".join(f"`{column.name}`" for column in table.columns)
        self._client.execute(
            f"INSERT INTO {self._clickhouse.database}.{table.name} ({names}) VALUES",
            rows.columns,
            columnar=True,
            settings=INSERT_SETTINGS,
        )

    def _patiently(self, statement: Callable[[], None]) -> None:
        """Repeat a statement until it succeeds. After a time-out nobody knows whether it did, so it must bear that."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                statement()
            except (errors.Error, OSError, EOFError) as error:
                self._judge(error)
            else:
                self._away_since_s = None
                return
            self._rest(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _judge(self, error: Exception) -> None:
        """Return where repeating may help, else raise."""
        meaning, what = meaning_of(error), in_one_line(error)
        if meaning is Meaning.ROW:
            raise RowRefused(what) from error
        if meaning is Meaning.FINAL:
            raise CannotGoOn(f"{self._clickhouse} refuses a statement (code {code_of(error)}): {what}") from error
        if self._away_since_s is None:
            self._away_since_s = time.monotonic()
        if time.monotonic() - self._away_since_s >= self._away_limit_s:
            raise CannotGoOn(
                f"{self._clickhouse} did not take a statement for {self._away_limit_s:g} s, last: {what}. "
                "Bring it back and start the sink again: Kafka keeps what is not stored"
            ) from error
        metrics.RETRIES.labels(str(code_of(error))).inc()
        log.warning("statement repeated", extra={"code": code_of(error), "error": what})

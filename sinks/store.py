"""One batch into the tables: whatever ClickHouse refuses becomes a dead letter before the batch counts as stored."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from schemas.avro import Undecodable, decode_dict
from schemas.records import DeadLetter
from schemas.topics import full_name

from . import dead_letters
from .batch import Batch
from .failures import CannotGoOn
from .rows import Rows, rows_of
from .tables import TABLES, Table
from .writer import Writer

log = logging.getLogger(__name__)


class Store:
    """Stores batches; their topics begin with `prefix`, and `client` are librdkafka settings for the dead letters."""

    def __init__(self, writer: Writer, client: Mapping[str, Any], prefix: str) -> None:
        """Join the parts."""
        self._writer, self._client, self._prefix = writer, client, prefix

    def keep(self, batch: Batch) -> None:
        """Return when each record of the batch is a row or a dead letter."""
        for table in TABLES.values():
            if messages := batch.messages.get(full_name(self._prefix, table.topic)):
                self._keep(table, messages)

    def _keep(self, table: Table, messages: list[Any]) -> None:
        rows = _rows(table, messages)
        refused = self._writer.write(table, rows) if len(rows) else []
        if refused and table.topic == dead_letters.TOPIC:
            raise CannotGoOn(f"ClickHouse refuses a dead letter: {refused[0][1]}. Look at the newest of {table.topic}")
        if refused:
            log.warning("refused", extra={"table": table.name, "rows": len(refused), "reason": refused[0][1]})
            letters = [_letter(table, rows, messages, number, reason) for number, reason in refused]
            dead_letters.publish(self._client, self._prefix, letters)


def _letter(table: Table, rows: Rows, messages: list[Any], number: int, reason: str) -> DeadLetter:
    message = messages[rows.owners[number]]
    exchange = decode_dict(message.value(), table.record)["exchange"]
    return dead_letters.dead_letter(message, table.topic, exchange, rows.numbers[number], reason)


def _rows(table: Table, messages: list[Any]) -> Rows:
    try:
        return rows_of(table, [message.value() for message in messages])
    except Undecodable:
        _blame(table, messages)
        raise


def _blame(table: Table, messages: list[Any]) -> None:
    """Raise with the place of the first record that cannot be decoded."""
    for message in messages:
        try:
            rows_of(table, [message.value()])
        except Undecodable as error:
            place = f"{message.topic()}[{message.partition()}] at offset {message.offset()}"
            raise CannotGoOn(
                f"{place} is no {table.record.__name__} ({error}): find who writes to this topic, "
                "and start a version of the sink that knows the record"
            ) from error

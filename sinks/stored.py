"""Liquidations as ClickHouse holds them, for whoever corrects them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from schemas.records import Liquidation

from .tables import TABLES, TIME, Column

TABLE = TABLES["liquidations"]


def moment(parameter: str) -> str:
    """Return the time that a parameter of a query holds in ms since the epoch, as columns have it."""
    return f"fromUnixTimestamp64Milli(toInt64(%({parameter})s), 'UTC')"


RECEIVED = f"received_time >= {moment('from_ms')} AND received_time < {moment('to_ms')}"


def liquidations(client: Any, database: str, where: str, parameters: Mapping[str, Any]) -> Iterator[Liquidation]:
    """Yield what is known now of the liquidations that a condition selects, in no order."""
    fields = ", ".join(f"{_value(column)} AS {column.field}" for column in TABLE.columns)
    names = [column.field for column in TABLE.columns]
    for row in client.execute(f"SELECT {fields} FROM {database}.v_liquidations WHERE {where}", parameters):
        yield msgspec.convert(dict(zip(names, row, strict=True)), Liquidation)


def _value(column: Column) -> str:
    if column.type == TIME:
        return f"toUnixTimestamp64Milli({column.name})"
    return f"toBool({column.name})" if column.field == "retracted" else column.name


def highest_revision(client: Any, database: str, exchange: str, from_ms: int, to_ms: int) -> int:
    """Return the highest revision that is stored for a stretch of time, 0 where there is none."""
    versioned = [table.name for table in TABLES.values() if any(column.name == "version" for column in table.columns)]
    minute = f"minute_time >= {moment('from_ms')} AND minute_time < {moment('to_ms')}"
    queries = [f"SELECT max(revision) FROM {database}.liquidations WHERE exchange = %(exchange)s AND {RECEIVED}"]
    queries += [
        f"SELECT bitShiftRight(max(version), 32) FROM {database}.{name} WHERE exchange = %(exchange)s AND {minute}"
        for name in versioned
    ]
    parameters = {"exchange": exchange, "from_ms": from_ms, "to_ms": to_ms}
    return max(int(revision) for (revision,) in client.execute(" UNION ALL ".join(queries), parameters))


def received_outside(
    client: Any, database: str, known: Iterable[Liquidation], from_ms: int, to_ms: int
) -> frozenset[str]:
    """Return the ids of those of one exchange's liquidations that are stored as received before or after a stretch."""
    asked = list(known)
    if not asked:
        return frozenset()
    query = f"""
    SELECT id FROM {database}.v_liquidations
    WHERE exchange = %(exchange)s AND symbol IN %(symbols)s AND id IN %(ids)s AND NOT ({RECEIVED})
        AND event_time >= {moment("first_ms")} AND event_time <= {moment("last_ms")}
    """
    parameters = {
        "exchange": asked[0].exchange,
        "symbols": tuple({one.symbol for one in asked}),
        "ids": tuple(one.id for one in asked),
        "first_ms": min(one.event_ms for one in asked),
        "last_ms": max(one.event_ms for one in asked),
        "from_ms": from_ms,
        "to_ms": to_ms,
    }
    return frozenset(known_id for (known_id,) in client.execute(query, parameters))

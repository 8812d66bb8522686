"""Messages of a topic as the columns of its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.columns import Items, columns_of

from .tables import Table


@dataclass(frozen=True)
class Rows:
    """Rows in the table's order of columns. Row by row: which message it comes from, and which item of it."""

    columns: list[list[Any]]
    owners: Sequence[int]
    numbers: Sequence[int]

    def __len__(self) -> int:
        return len(self.owners)

    def part(self, start: int, end: int) -> Rows:
        """Return some of the rows."""
        return Rows([column[start:end] for column in self.columns], self.owners[start:end], self.numbers[start:end])


def rows_of(table: Table, values: Sequence[bytes]) -> Rows:
    """Return the rows of framed records; raise `schemas.avro.Undecodable`."""
    fields: dict[str, Any] = columns_of(values, table.record)
    if table.items is None:
        return Rows([fields[column.field] for column in table.columns], range(len(values)), [0] * len(values))
    items: Items = fields[table.items]
    columns = [
        items.columns[column.field]
        if column.field in items.columns
        else list(map(fields[column.field].__getitem__, items.owners))
        for column in table.columns
    ]
    return Rows(columns, items.owners, items.numbers)

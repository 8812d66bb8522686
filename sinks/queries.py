"""What others ask of the tables."""

from __future__ import annotations

from typing import Any

from .tables import TABLES


def counts(client: Any, database: str) -> dict[str, int]:
    """Return how many rows each table holds, superseded versions that are not merged away yet included."""
    query = "SELECT name, total_rows FROM system.tables WHERE database = %(database)s AND name IN %(tables)s"
    found = client.execute(query, {"database": database, "tables": tuple(TABLES)})
    return dict(sorted(found))

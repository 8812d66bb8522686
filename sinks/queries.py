"""What others ask of the tables."""

from __future__ import annotations

from typing import Any

from .tables import TABLES


def counts(client: Any, database: str) -> dict[str, int]:
    """Return how many rows each table holds, superseded versions that are not merged away yet included."""
    query = "SELECT name, total_rows FROM system.tables WHERE database = %(database)s AND name IN %(tables)s"
    found = client.execute(query, {"database": database, "tables": tuple(TABLES)})
    return dict(sorted(found))


def evidence(client: Any, database: str, liquidation_id: str) -> dict[str, Any] | None:
    """Return a liquidation and the frames behind it, rows by the names of their columns; None where neither is known.

    The liquidation is None where it was retracted, and there are no frames where they are older than 30 days.
    """
    found, frames = (
        _named(client, f"SELECT * FROM {database}.{view} WHERE id = %(id)s ORDER BY received_time", id=liquidation_id)
        for view in ("v_liquidations", "v_evidence")
    )
    if not found and not frames:
        return None
    return {"liquidation": found[0] if found else None, "frames": frames}


def alive_share(client: Any, database: str) -> dict[str, float]:
    """Return by exchange which share of the last hour's final minutes proves that no liquidation was missed."""
    query = f"""
        SELECT exchange, avg(is_alive) FROM {database}.v_coverage_final
        WHERE stream = 'liquidations' AND minute_time > now() - INTERVAL 1 HOUR
        GROUP BY exchange ORDER BY exchange"""
    return dict(client.execute(query))


def _named(client: Any, query: str, **parameters: str) -> list[dict[str, Any]]:
    found, columns = client.execute(query, parameters, with_column_types=True)
    return [dict(zip([name for name, _ in columns], row, strict=True)) for row in found]

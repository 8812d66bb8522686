"""ClickHouse without its server: the engine from chdb behind a listener for the native protocol."""

from embedded.clickhouse.server import Server

__all__ = ["Server"]

"""How to reach ClickHouse, and what every insert of ours insists on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clickhouse_driver import Client, errors

AWAY = (errors.NetworkError, errors.SocketTimeoutError, EOFError, ConnectionError)  # nobody answers, or not any more
REFUSED = errors.ServerException  # the server answers, and says no
CONNECT_LIMIT_S = 5
ANSWER_LIMIT_S = 30  # far below Kafka's max.poll.interval: a server that hangs does not cost us our partitions

# A repeated insert must never be dropped as a duplicate: rows replace themselves, by identity and version.
INSERT_SETTINGS: Mapping[str, Any] = {
    "async_insert": 0,
    "insert_deduplicate": 0,
    "throw_on_max_partitions_per_insert_block": 0,  # old records come in whatever months they are from
}


@dataclass(frozen=True)
class ClickHouse:
    """A server and one database of it, over the native protocol."""

    host: str
    port: int
    database: str
    user: str = "default"
    password: str = field(default="", repr=False)
    tls: bool = False
    ca: Path | None = None  # PEM of the authority behind its certificate; None: well-known ones

    def __str__(self) -> str:
        return f"ClickHouse at {self.host}:{self.port}"


def connect(clickhouse: ClickHouse) -> Any:
    """Return a client; it connects with its first statement, and again after each failure.

    One thread uses it. Its methods have no types.
    """
    logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)  # its stack trace for each attempt; ours is a line
    client: Any = Client
    return client(
        clickhouse.host,
        port=clickhouse.port,
        user=clickhouse.user,
        password=clickhouse.password,
        secure=clickhouse.tls,
        verify=True,
        ca_certs=str(clickhouse.ca) if clickhouse.ca else None,
        compression="lz4",
        connect_timeout=CONNECT_LIMIT_S,
        send_receive_timeout=ANSWER_LIMIT_S,
        tcp_keepalive=(30, 5, 3),
    )

# mypy: allow-untyped-calls
"""What tests of the server have in common: expected errors, waiting, hashing without end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from clickhouse_driver import Client, errors

ENDLESS = "SELECT sum(sipHash64(number)) FROM numbers(100000000000)"  # minutes, if nothing ends it
DEADLINE_S = 20.0


@contextmanager
def refused(code: int) -> Iterator[None]:
    """Inside, the server answers with this error code."""
    with pytest.raises(errors.ServerException) as caught:
        yield
    assert caught.value.code == code, caught.value


def eventually(condition: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def begin(client: Client, sql: str) -> None:
    """Sends a query and does not wait for its answer."""
    client.connection.force_connect()
    client.connection.send_query(sql)
    client.connection.send_external_tables(None)


def running(client: Client, part: str) -> int:
    """How many queries with this in their text are running, but for this one."""
    sql = f"SELECT count() FROM system.processes WHERE query LIKE '%{part}%' AND query NOT LIKE '%system.processes%'"
    [(queries,)] = client.execute(sql)
    return int(queries)

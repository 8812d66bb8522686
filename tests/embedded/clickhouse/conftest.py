# mypy: allow-untyped-calls
"""A server for the tests of it, clients and tables."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clickhouse_driver import Client

from embedded.clickhouse import Server

COMPRESSIONS = {"plain": False, "lz4": "lz4", "zstd": "zstd"}


@pytest.fixture(scope="session")
def clickhouse() -> Iterator[Server]:
    """A server of these tests' own: they look at its process. `reader` has the password `look`."""
    with Server(reader_password="look") as own:
        yield own


@pytest.fixture
def connect(clickhouse: Server) -> Iterator[Callable[..., Client]]:
    """Makes clients of it, which end with the test."""
    clients: list[Client] = []

    def make(**options: Any) -> Client:
        clients.append(Client("127.0.0.1", clickhouse.port, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.disconnect()


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()


@pytest.fixture(params=COMPRESSIONS)
def any_client(connect: Callable[..., Client], request: pytest.FixtureRequest) -> Client:
    """The test runs once with each compression."""
    return connect(compression=COMPRESSIONS[request.param])


@pytest.fixture
def table(client: Client) -> Iterator[str]:
    """A name that is free; a table of that name is dropped after the test."""
    name = f"t_{secrets.token_hex(4)}"
    yield name
    client.execute(f"DROP TABLE IF EXISTS {name}")

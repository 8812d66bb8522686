"""Real servers for all tests: one of each for the whole session, shared, so tests keep apart by their names."""

import secrets
from collections.abc import Iterator

import pytest

from embedded.clickhouse import Server
from embedded.kafka import Broker


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """One temporary broker. Tests that stop or kill a broker start their own."""
    with Broker() as shared:
        yield shared


@pytest.fixture
def topic_prefix() -> str:
    """What the topics and groups of one test start with, such as `t3f9a61.`."""
    return f"t{secrets.token_hex(3)}."


@pytest.fixture(scope="session")
def clickhouse() -> Iterator[Server]:
    """One temporary ClickHouse; `reader` has the password `look`. Tests that stop or kill one start their own."""
    with Server(reader_password="look") as shared:
        yield shared

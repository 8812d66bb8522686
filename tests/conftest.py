"""Real servers for all tests: one of each for all workers of a run, so tests keep apart by their names."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from embedded.clickhouse import Server
from embedded.kafka import Broker

Kind = TypeVar("Kind", Broker, Server)

SHARED = pytest.StashKey[tuple[Broker, Server]]()  # of the process that starts the workers, where there are any


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where the servers are, and start them for the first."""
    if SHARED not in node.config.stash:
        node.config.stash[SHARED] = Broker(), Server()
        for server in node.config.stash[SHARED]:
            server.start()
    servers = node.config.stash[SHARED]
    node.workerinput["servers"] = {type(server).__name__: (str(server.directory), server.port) for server in servers}


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers that workers shared."""
    for server in config.stash.get(SHARED, ()):
        server.stop()


def _shared(kind: type[Kind], config: pytest.Config) -> Iterator[Kind]:
    """Yield the server that all workers share, and without workers one of this process's own."""
    if told := getattr(config, "workerinput", None):
        directory, port = told["servers"][kind.__name__]
        yield kind(Path(directory), port=port)  # never started here: an address, no more
    else:
        with kind() as own:
            yield own


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """One temporary broker. Tests that stop or kill a broker start their own."""
    yield from _shared(Broker, request.config)


@pytest.fixture
def topic_prefix() -> str:
    """What the topics and groups of one test start with, such as `t3f9a61.`."""
    return f"t{secrets.token_hex(3)}."


@pytest.fixture(scope="session")
def clickhouse(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One temporary ClickHouse, where everybody may write. Tests that stop, kill or measure one start their own."""
    yield from _shared(Server, request.config)

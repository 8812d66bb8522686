"""Real servers for all tests: one of each for all workers of a run, so tests keep apart by their names."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.clickhouse import Server
from embedded.kafka import Broker

SHARED = pytest.StashKey[tuple[Broker, Server]]()  # of the process that starts the workers, where there are any


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where the servers are, and start them for the first."""
    if SHARED not in node.config.stash:
        node.config.stash[SHARED] = Broker(), Server()
        for server in node.config.stash[SHARED]:
            server.start()
    node.workerinput["servers"] = [(str(server.directory), server.port) for server in node.config.stash[SHARED]]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers that workers shared."""
    for server in config.stash.get(SHARED, ()):
        server.stop()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """One temporary broker. Tests that stop or kill a broker start their own."""
    if shared := getattr(request.config, "workerinput", None):
        directory, port = shared["servers"][0]
        yield Broker(Path(directory), port=port)  # never started here: an address, no more
    else:
        with Broker() as own:
            yield own


@pytest.fixture
def topic_prefix() -> str:
    """What the topics and groups of one test start with, such as `t3f9a61.`."""
    return f"t{secrets.token_hex(3)}."


@pytest.fixture(scope="session")
def clickhouse(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One temporary ClickHouse, where everybody may write. Tests that stop, kill or measure one start their own."""
    if shared := getattr(request.config, "workerinput", None):
        directory, port = shared["servers"][1]
        yield Server(Path(directory), port=port)  # never started here: an address, no more
    else:
        with Server() as own:
            yield own

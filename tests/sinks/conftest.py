"""A market for each module that needs one: topics and tables of its own on the shared servers."""

import secrets
from collections.abc import Callable, Iterator

import pytest

from embedded.clickhouse import Server
from embedded.kafka import Broker
from sinks.connection import ClickHouse
from tests.sinks.harness import Market


@pytest.fixture(scope="session")
def new_market(broker: Broker, clickhouse: Server) -> Callable[[], Market]:
    """Make a market; tests that kill ClickHouse give it another one."""

    def make() -> Market:
        name = f"t{secrets.token_hex(3)}"
        return Market(broker.bootstrap, f"{name}.", ClickHouse("127.0.0.1", clickhouse.port, name))

    return make


@pytest.fixture
def market(new_market: Callable[[], Market]) -> Market:
    """A market of this test's own."""
    return new_market()


@pytest.fixture(scope="module")
def live(new_market: Callable[[], Market]) -> Iterator[Market]:
    """A market with a sink at work, shared by the tests of a module: each uses symbols of its own."""
    made = new_market()
    with made.sink() as ended:
        yield made
        assert not ended.done()
    assert ended.result() == 0


@pytest.fixture
def symbol() -> str:
    """A symbol that no other test uses."""
    return f"{secrets.token_hex(4).upper()}USDT"

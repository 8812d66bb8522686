"""A market for each test that needs one: topics and tables of its own on the shared servers."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from embedded.clickhouse import Server
from embedded.kafka import Broker
from pipeline.clickhouse import migrate
from pipeline.settings import Settings
from pipeline.setup import create_topics

ASSET_PARTITIONS = 2


class OfTest(Settings):
    """Settings whose topics begin with a name of their own."""

    own: str

    @property
    def prefix(self) -> str:
        """Return the prefix of every topic and group."""
        return f"{self.own}."


@pytest.fixture(scope="session")
def new_settings(broker: Broker, clickhouse: Server) -> Callable[[], Settings]:
    """Make a market."""

    def make() -> Settings:
        name = f"t{secrets.token_hex(3)}"
        made = OfTest.model_validate(
            {
                "own": name,
                "kafka_brokers": broker.bootstrap,
                "asset_partitions": ASSET_PARTITIONS,
                "clickhouse_port": clickhouse.port,
                "clickhouse_database": name,
            }
        )
        create_topics(made)
        migrate(made)
        return made

    return make

"""Minutes in which zero and unknown differ, and the frames behind liquidations, on the real engine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from embedded.clickhouse import Server
from schemas.avro import encode
from schemas.records import Coverage, Evidence, Liquidation, MarketMinute, MinuteAggregate
from sinks.connection import ClickHouse, connect
from sinks.migrate import migrate
from sinks.queries import alive_share, evidence
from sinks.rows import rows_of
from sinks.tables import TABLES
from sinks.writer import Writer
from tests.records import example

MINUTE_MS = 60_000
T0 = 1_789_670_100_000
MARKET = example(MarketMinute, symbol="BTCUSDT", asset="BTC", minute_ms=T0, is_final=True, version=1)
LIQUIDATED = example(MinuteAggregate, symbol="BTCUSDT", asset="BTC", minute_ms=T0, is_final=True, version=1)
ALIVE = example(
    Coverage, exchange=MARKET.exchange, stream="liquidations", minute_ms=T0, is_alive=True, is_final=True, version=1
)
FRAME = example(Evidence, id="a" * 32, received_ms=int(time.time()) * 1000, payload=b'{"topic":"allLiquidation"}')
COUNTS = ("long_count", "short_count", "long_base", "short_base", "long_usd", "short_usd", "largest_usd")
FLAGS = ("is_covered", "is_final")


class Database:
    """The tables of one test, filled as the sink does it."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        migrate(clickhouse)
        self.name, self.client = clickhouse.database, connect(clickhouse)
        self._writer = Writer(clickhouse, rest=lambda _: None)

    def write(self, *records: Any) -> None:
        """Store records in the tables of their kind."""
        tables = {table.record: table for table in TABLES.values()}
        for record in records:
            table = tables[type(record)]
            assert self._writer.write(table, rows_of(table, [encode(record)])) == []

    def ask(self, query: str, **settings: int) -> list[dict[str, Any]]:
        """Return rows by the names of their columns; `{database}` stands for ours."""
        found, columns = self.client.execute(
            query.replace("{database}", self.name), with_column_types=True, settings=settings
        )
        return [dict(zip([name for name, _ in columns], row, strict=True)) for row in found]

    def dense(self, view: str = "v_minutes_dense", **settings: int) -> list[dict[str, Any]]:
        """Return the dense minutes in their order."""
        return self.ask(f"SELECT * FROM {{database}}.{view} ORDER BY exchange, symbol, minute_time", **settings)

    def close(self) -> None:
        self._writer.close()
        self.client.disconnect()


@pytest.fixture
def database(clickhouse: Server, topic_prefix: str) -> Iterator[Database]:
    """A database of this test's own."""
    made = Database(ClickHouse("127.0.0.1", clickhouse.port, topic_prefix.strip(".")))
    yield made
    made.close()


def picked(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


@pytest.mark.parametrize("join_use_nulls", [0, 1])
def test_a_minute_without_liquidations_is_zero_where_the_feed_was_alive_else_null(
    database: Database, join_use_nulls: int
) -> None:
    later = [T0 + n * MINUTE_MS for n in range(1, 3)]
    database.write(
        MARKET,
        *(replace(MARKET, minute_ms=minute_ms) for minute_ms in later),
        ALIVE,
        replace(ALIVE, minute_ms=later[0], is_alive=False),
    )
    alive, dead, unknown = database.dense(join_use_nulls=join_use_nulls)
    assert picked(alive, *COUNTS, *FLAGS) == (0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, True, True)
    assert picked(dead, *COUNTS, *FLAGS) == (None,) * 7 + (False, True)
    assert picked(unknown, *COUNTS, *FLAGS) == (None,) * 7 + (False, False)
    assert picked(alive, "price_low", "source_quality", "late_count") == (None, None, None)
    assert picked(dead, "mark_close", "trades", "asset") == (MARKET.mark_close, MARKET.trades, "BTC")


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_minute_with_liquidations_is_itself_and_says_whether_it_is_covered(
    database: Database, is_alive: bool
) -> None:
    unproven = replace(LIQUIDATED, long_usd=None, largest_usd=None)
    database.write(MARKET, unproven, replace(ALIVE, is_alive=is_alive))
    [row] = database.dense()
    assert picked(row, *COUNTS) == tuple(getattr(unproven, name) for name in COUNTS)
    assert picked(row, "price_vwap", "source_quality", "mark_open", *FLAGS) == (
        unproven.price_vwap,
        str(unproven.source_quality),
        MARKET.mark_open,
        is_alive,
        True,
    )


def test_a_symbol_without_a_market_minute_is_there_for_its_liquidations(database: Database) -> None:
    database.write(LIQUIDATED, ALIVE)
    [row] = database.dense()
    assert picked(row, "long_count", "asset", "mark_close", *FLAGS) == (LIQUIDATED.long_count, "BTC", None, True, True)


def test_coverage_of_other_streams_and_exchanges_proves_nothing(database: Database) -> None:
    database.write(MARKET, replace(ALIVE, stream="quotes"), replace(ALIVE, exchange="other"))
    [row] = database.dense()
    assert picked(row, "long_count", *FLAGS) == (None, False, False)


def test_the_final_view_waits_for_all_three(database: Database) -> None:
    records = (MARKET, LIQUIDATED, ALIVE)
    database.write(*records)
    assert len(database.dense("v_minutes_dense_final")) == 1
    for record in records:
        database.write(replace(record, is_final=False, version=record.version + 1))
        assert database.dense("v_minutes_dense_final") == []
        database.write(replace(record, version=record.version + 2))
    assert len(database.dense("v_minutes_dense_final")) == 1


def test_a_revision_takes_a_zero_back(database: Database) -> None:
    database.write(MARKET, ALIVE, replace(ALIVE, is_alive=False, gap_ms=10, version=2), ALIVE)
    [row] = database.dense()
    [coverage] = database.ask("SELECT * FROM {database}.v_coverage")
    assert picked(row, "long_count", "is_covered") == (None, False)
    assert picked(coverage, "gap_ms", "version") == (10, 2)


def test_a_query_for_an_hour_of_a_symbol_reads_no_more_than_its_part_of_each_table(database: Database) -> None:
    condition = f"symbol = 'BTCUSDT' AND minute_time >= fromUnixTimestamp64Milli({T0}, 'UTC')"
    database.write(MARKET, LIQUIDATED, ALIVE)
    plan = database.ask(f"EXPLAIN indexes = 1 SELECT * FROM {{database}}.v_minutes_dense WHERE {condition}")
    conditions = [
        line for line in (row["explain"] for row in plan) if "Condition: and" in line or "Condition: (" in line
    ]
    assert sum("symbol in ['BTCUSDT', 'BTCUSDT']" in line for line in conditions) == 2
    assert sum("toYYYYMM(minute_time)" in line for line in conditions) == 3


def test_each_column_of_the_dense_minutes_says_its_unit(database: Database) -> None:
    comments = database.ask(
        "SELECT name FROM system.columns WHERE database = '{database}' AND table = 'v_minutes_dense' AND comment = ''"
    )
    assert comments == []


def test_evidence_is_the_liquidation_and_its_frame(database: Database) -> None:
    one = example(Liquidation, id="a" * 32, retracted=False)
    database.write(one, FRAME, FRAME, replace(one, id="b" * 32), replace(FRAME, id="b" * 32))
    found = evidence(database.client, database.name, "a" * 32)
    assert found is not None
    assert picked(found["liquidation"], "id", "price") == ("a" * 32, one.price)
    assert [picked(row, "id", "payload", "is_cut") for row in found["frames"]] == [
        ("a" * 32, '{"topic":"allLiquidation"}', True)
    ]


def test_evidence_of_what_was_retracted_or_is_too_old_is_what_is_left(database: Database) -> None:
    gone = example(Liquidation, id="a" * 32, retracted=True)
    database.write(gone, FRAME, replace(gone, id="b" * 32, retracted=False))
    retracted, old, unknown = (evidence(database.client, database.name, letter * 32) for letter in "abc")
    assert retracted is not None
    assert (retracted["liquidation"], len(retracted["frames"])) == (None, 1)
    assert old is not None
    assert (old["liquidation"]["id"], old["frames"]) == ("b" * 32, [])
    assert unknown is None


def test_the_share_of_the_last_hour_is_of_final_minutes(database: Database) -> None:
    [now] = database.ask("SELECT toUnixTimestamp(toStartOfMinute(now())) * 1000 AS ms")
    minutes = [replace(ALIVE, minute_ms=now["ms"] - n * MINUTE_MS, is_alive=n > 1) for n in range(4)]
    database.write(*minutes, replace(minutes[0], is_final=False, version=2), ALIVE)
    assert alive_share(database.client, database.name) == {ALIVE.exchange: pytest.approx(2 / 3)}

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import TopicPartition

from embedded import processes
from embedded.clickhouse import Server
from embedded.kafka import Broker
from schemas.records import (
    DeadLetter,
    Funding,
    Instrument,
    Liquidation,
    MarketEntry,
    MarketMinute,
    MarketSlice,
    MinuteAggregate,
    OpenInterest,
)
from schemas.topics import full_name
from sinks.connection import ClickHouse
from tests.records import example
from tests.sinks.harness import PATIENCE_S, Market, wait_until

NOW_MS = int(time.time()) * 1000  # seconds of the market are kept for some days only

CHILD = """
import logging, sys
from pathlib import Path
from sinks.connection import ClickHouse
from sinks.run import run
bootstrap, prefix, port, database, health = sys.argv[1:]
logging.basicConfig()
sys.exit(run(prefix=prefix, client={"bootstrap.servers": bootstrap}, group=prefix + "sink", instance="0",
             clickhouse=ClickHouse("127.0.0.1", int(port), database), health_file=Path(health)))
"""


def child(market: Market, health_file: Path) -> subprocess.Popen[bytes]:
    where = (market.bootstrap, market.prefix, str(market.clickhouse.port), market.clickhouse.database)
    return subprocess.Popen([sys.executable, "-c", CHILD, *where, str(health_file)], stderr=subprocess.PIPE)


def recorded(record: Any, **changes: Any) -> dict[str, Any]:
    """A record as a row with the names of the columns."""
    fields = {**msgspec.to_builtins(record, builtin_types=(bytes,)), **changes}
    return {f"{name[:-3]}_time" if name.endswith("_ms") else name: value for name, value in fields.items()}


@pytest.mark.parametrize(
    ("topic", "table", "record"),
    [
        ("open-interest", "open_interest", OpenInterest),
        ("funding", "funding", Funding),
        ("instruments", "instruments", Instrument),
        ("minutes", "minutes", MinuteAggregate),
        ("market-minutes", "market_minutes", MarketMinute),
    ],
)
def test_a_record_becomes_a_row(live: Market, symbol: str, topic: str, table: str, record: type[Any]) -> None:
    written = example(record, symbol=symbol)
    live.publish(topic, written)
    wait_until(lambda: live.rows(table, f"symbol = '{symbol}'"), f"a row in {table}")
    assert live.rows(table, f"symbol = '{symbol}'") == [recorded(written)]


def test_a_liquidation_becomes_a_row_with_null_where_nothing_is_proven(live: Market, symbol: str) -> None:
    unproven = {"quantity_base": None, "notional_usd": None, "native_id": None, "retracted": False}
    written = example(Liquidation, symbol=symbol, id="0" * 32, **unproven)
    live.publish("liquidations", written)
    wait_until(lambda: live.rows("liquidations", f"symbol = '{symbol}'"), "the liquidation")
    assert live.rows("liquidations", f"symbol = '{symbol}'") == [recorded(written, retracted=0)]


def test_each_entry_of_a_slice_becomes_a_row(live: Market, symbol: str) -> None:
    entries = tuple(example(MarketEntry, symbol=f"{symbol}{number}", index=None) for number in range(3))
    written = example(MarketSlice, second_ms=NOW_MS, entries=entries)
    live.publish("market", example(MarketSlice, second_ms=NOW_MS, entries=()), written)
    wait_until(lambda: len(live.rows("market_seconds", f"startsWith(symbol, '{symbol}')")) == 3, "three rows")
    of_the_slice = {"exchange": written.exchange, "second_time": NOW_MS, "received_time": written.received_ms}
    expected = [of_the_slice | recorded(entry) for entry in entries]
    assert live.rows("market_seconds", f"startsWith(symbol, '{symbol}')") == expected


def test_a_dead_letter_keeps_its_bytes(live: Market, symbol: str) -> None:
    written = example(DeadLetter, reason=symbol, offset=7)
    live.publish("dead-letters", written)
    wait_until(lambda: live.rows("dead_letters", f"reason = '{symbol}'"), "the dead letter")
    assert live.rows("dead_letters", f"reason = '{symbol}'") == [recorded(written)]


def test_a_replay_replaces_a_liquidation_and_an_older_mapping_does_not_come_back(live: Market, symbol: str) -> None:
    old = example(Liquidation, symbol=symbol, id="1" * 32, revision=1, retracted=False, price=1.0)
    new = msgspec.structs.replace(old, revision=2, price=2.0)
    last = msgspec.structs.replace(old, id="2" * 32)
    live.publish("liquidations", new)
    live.publish("liquidations", old, old, last)
    wait_until(lambda: len(live.rows("liquidations", f"symbol = '{symbol}'")) == 2, "both identities")
    assert live.rows("liquidations", f"symbol = '{symbol}'") == [
        recorded(new, retracted=0),
        recorded(last, retracted=0),
    ]


def test_a_retraction_hides_a_liquidation(live: Market, symbol: str) -> None:
    wrong = example(Liquidation, symbol=symbol, id="3" * 32, revision=1, retracted=False)
    live.publish("liquidations", wrong)
    wait_until(lambda: live.rows("liquidations", f"symbol = '{symbol}'"), "the liquidation")
    live.publish("liquidations", msgspec.structs.replace(wrong, revision=2, retracted=True))
    wait_until(lambda: not live.rows("liquidations", f"symbol = '{symbol}'"), "its retraction")


def test_only_the_newest_version_of_a_minute_is_seen_and_final_minutes_have_a_view(live: Market, symbol: str) -> None:
    moving = example(MinuteAggregate, symbol=symbol, is_final=False, version=4)
    final = msgspec.structs.replace(moving, is_final=True, version=5)
    other = msgspec.structs.replace(moving, minute_ms=moving.minute_ms + 60_000)
    live.publish("minutes", final, moving, other)
    wait_until(lambda: len(live.rows("minutes", f"symbol = '{symbol}'")) == 2, "both minutes")
    assert live.rows("minutes", f"symbol = '{symbol}'") == [recorded(final), recorded(other)]
    assert live.rows("minutes_final", f"symbol = '{symbol}'") == [recorded(final)]


def test_a_row_that_clickhouse_refuses_becomes_a_dead_letter_and_its_neighbours_are_stored(
    live: Market, symbol: str
) -> None:
    good = [example(MinuteAggregate, symbol=symbol, minute_ms=60_000 * number) for number in range(9)]
    bad = example(MinuteAggregate, symbol=symbol, exchange="gate", version=-1)
    live.publish("minutes", *good[:5], bad, *good[5:])
    wait_until(lambda: live.rows("dead_letters", f"position(payload, '{symbol}') > 0"), "the dead letter")
    (letter,) = live.rows("dead_letters", f"position(payload, '{symbol}') > 0")
    assert (letter["exchange"], letter["stage"], letter["topic"]) == ("gate", "sink", "minutes")
    assert "version" in letter["reason"]
    wait_until(lambda: len(live.rows("minutes", f"symbol = '{symbol}'")) == len(good), "the neighbours")


def test_heartbeats_leave_no_row_and_are_committed(market: Market) -> None:
    with market.sink():
        market.publish("liquidations", None, None, None)
        wait_until(lambda: market.committed("liquidations") == 3, "the commit of three heartbeats")
    assert market.rows("liquidations") == []


def test_a_record_that_cannot_be_decoded_ends_the_sink_with_its_place(
    market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    market.publish("funding", example(Funding, symbol="A"), example(Funding, symbol="B"), b"\0\0\0\0\1nonsense")
    with market.sink() as ended:
        assert ended.result(PATIENCE_S) == 1
    place = f"{full_name(market.prefix, 'funding')}[0] at offset 1 is no Funding"
    assert place in caplog.text
    assert market.committed("funding") == 0


def test_a_commit_beyond_what_the_topic_holds_ends_the_sink(market: Market, caplog: pytest.LogCaptureFixture) -> None:
    topic = full_name(market.prefix, "funding")
    market.observer.commit(offsets=[TopicPartition(topic, 0, 1000)], asynchronous=False)
    with market.sink() as ended:
        assert ended.result(PATIENCE_S) == 1
    expected = f"{topic}[0] holds the offsets 0 to 0, the commit is 1000: the records after the commit are no longer"
    assert expected in caplog.text


def test_a_database_without_tables_ends_the_sink(market: Market, caplog: pytest.LogCaptureFixture) -> None:
    market.command("DROP TABLE {database}.funding")
    with market.sink() as ended:
        assert ended.result(PATIENCE_S) == 1
    assert "table funding is missing: run `liq setup`" in caplog.text


def test_a_clickhouse_that_never_comes_ends_the_sink_with_an_advice(
    market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = ClickHouse("127.0.0.1", processes.free_port(), market.clickhouse.database)
    with market.sink(clickhouse=nobody, away_limit_s=0.2) as ended:
        assert ended.result(PATIENCE_S) == 1
    assert "Bring it back and start the sink again" in caplog.text


def test_kill_9_loses_nothing_and_counts_nothing_twice(market: Market, tmp_path: Path) -> None:
    written = [example(Liquidation, id=f"{number:032}", retracted=False) for number in range(3000)]
    market.publish("liquidations", *written[:1000])
    for part in (written[1000:2000], written[2000:]):
        victim = child(market, tmp_path / "health")
        wait_until((tmp_path / "health").exists, "an assignment")
        market.publish("liquidations", *part)
        wait_until(lambda: market.rows("liquidations"), "the first rows")
        victim.kill()
        victim.communicate()
        (tmp_path / "health").unlink()
    last = child(market, tmp_path / "health")
    wait_until(lambda: market.committed("liquidations") == len(written), "the commit of everything")
    last.send_signal(signal.SIGTERM)
    _, errors = last.communicate(timeout=PATIENCE_S)
    assert (last.returncode, [row["id"] for row in market.rows("liquidations")]) == (0, [w.id for w in written]), errors


def test_clickhouse_may_be_away_and_the_sink_stays_healthy(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    health_file = tmp_path / "health"
    with Server(tmp_path / "clickhouse") as server:
        market = Market(broker.bootstrap, topic_prefix, ClickHouse("127.0.0.1", server.port, "away"))
        written = [example(Liquidation, id=f"{number:032}", retracted=False) for number in range(200)]
        with market.sink(health_file=health_file) as ended:
            market.publish("liquidations", *written[:100])
            wait_until(lambda: market.rows("liquidations"), "the first rows")
            server.kill()
            market.publish("liquidations", *written[100:])
            os.utime(health_file, (0, 0))
            wait_until(lambda: health_file.stat().st_mtime > 0, "a sign of life while ClickHouse is away")
            server.start()
            wait_until(lambda: market.committed("liquidations") == len(written), "the commit of everything")
            assert not ended.done()
        assert [row["id"] for row in market.rows("liquidations")] == [record.id for record in written]


def test_a_second_sink_takes_its_share_and_hands_it_back_and_nothing_is_lost(market: Market) -> None:
    written = [example(Liquidation, id=f"{number:032}", retracted=False) for number in range(400)]
    with market.sink() as first:
        market.publish("liquidations", *written[:100])
        wait_until(lambda: market.committed("liquidations") == 100, "the commit of the first")
        with market.sink() as second:
            for at in range(100, 300, 20):
                market.publish("liquidations", *written[at : at + 20])
            wait_until(lambda: market.committed("liquidations") == 300, "the commits of both")
            assert not second.done()
        market.publish("liquidations", *written[300:])
        wait_until(lambda: market.committed("liquidations") == 400, "the commit of what came last")
        assert not first.done()
    assert [row["id"] for row in market.rows("liquidations")] == [record.id for record in written]

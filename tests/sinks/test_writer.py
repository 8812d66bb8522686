from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from clickhouse_driver import errors

from schemas.avro import encode
from schemas.records import Liquidation, MarketEntry, MarketSlice, MinuteAggregate
from sinks.failures import CannotGoOn
from sinks.rows import Rows, rows_of
from sinks.tables import TABLES
from sinks.writer import REFUSED_LIMIT, Writer
from tests.records import example
from tests.sinks.harness import Market

MINUTES, LIQUIDATIONS = TABLES["minutes"], TABLES["liquidations"]


@pytest.fixture(scope="module")
def shared(new_market: Callable[[], Market]) -> Market:
    """A market without a sink, for all tests of the module."""
    return new_market()


@contextmanager
def writer_to(market: Market, rest: Callable[[float], None]) -> Iterator[Writer]:
    with closing(Writer(market.clickhouse, rest)) as writer:
        yield writer


def never(seconds: float) -> None:
    pytest.fail(f"nothing to wait {seconds} s for")


def minutes(symbol: str, versions: list[int]) -> Rows:
    records = [
        example(MinuteAggregate, symbol=symbol, minute_ms=number * 60_000, version=version)
        for number, version in enumerate(versions)
    ]
    return rows_of(MINUTES, [encode(record) for record in records])


def stored(market: Market, symbol: str) -> list[int]:
    return [row["minute_time"] // 60_000 for row in market.rows("minutes", f"symbol = '{symbol}'")]


def test_refused_rows_are_found_and_all_others_stored(shared: Market, symbol: str) -> None:
    versions = [1] * 40
    versions[3] = versions[17] = -1
    with writer_to(shared, never) as writer:
        refused = writer.write(MINUTES, minutes(symbol, versions))
    assert [number for number, _ in refused] == [3, 17]
    assert stored(shared, symbol) == [number for number in range(40) if number not in (3, 17)]


def test_when_nearly_all_rows_are_refused_it_is_not_the_rows(shared: Market, symbol: str) -> None:
    with (
        writer_to(shared, never) as writer,
        pytest.raises(CannotGoOn, match=f"refuses more than {REFUSED_LIMIT} rows of one batch of minutes"),
    ):
        writer.write(MINUTES, minutes(symbol, [-1] * (REFUSED_LIMIT + 1)))


def test_a_server_that_cannot_take_rows_now_is_asked_again(market: Market) -> None:
    market.command("ALTER TABLE {database}.minutes MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1")
    pauses = []

    def rest(seconds: float) -> None:
        pauses.append(seconds)
        market.command("ALTER TABLE {database}.minutes MODIFY SETTING parts_to_throw_insert = 100")

    with writer_to(market, rest) as writer:
        writer.write(MINUTES, minutes("FIRST", [1]))
        writer.write(MINUTES, minutes("SECOND", [1]))
    assert (pauses, stored(market, "SECOND")) == ([0.1], [0])


def test_an_insert_with_an_unknown_outcome_is_repeated_with_its_nulls(
    shared: Market, symbol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    written = example(Liquidation, symbol=symbol, id="a" * 32, notional_usd=None, native_id=None, retracted=False)
    with writer_to(shared, pauses.append) as writer:
        execute = writer._client.execute

        def execute_and_time_out(*args: Any, **kwargs: Any) -> None:
            execute(*args, **kwargs)
            monkeypatch.undo()
            raise errors.SocketTimeoutError

        monkeypatch.setattr(writer._client, "execute", execute_and_time_out)
        writer.write(LIQUIDATIONS, rows_of(LIQUIDATIONS, [encode(written)]))
    (row,) = shared.rows("liquidations", f"symbol = '{symbol}'")
    assert (len(pauses), row["notional_usd"], row["native_id"]) == (1, None, None)


def test_a_refusal_that_no_row_explains_ends_the_sink(market: Market) -> None:
    market.command("DROP TABLE {database}.minutes")
    with writer_to(market, never) as writer, pytest.raises(CannotGoOn, match=r"refuses a statement \(code 60\)"):
        writer.write(MINUTES, minutes("ANY", [1]))


def test_rows_of_a_slice_know_their_record_and_their_place_in_it() -> None:
    entries = [example(MarketEntry, symbol=name) for name in "ABC"]
    slices = [example(MarketSlice, entries=tuple(entries[:2])), example(MarketSlice, entries=(entries[2],))]
    rows = rows_of(TABLES["market_seconds"], [encode(each) for each in slices])
    symbols = rows.columns[[column.name for column in TABLES["market_seconds"].columns].index("symbol")]
    found = sorted(zip(symbols, rows.owners, rows.numbers, strict=True))
    assert found == [("A", 0, 0), ("B", 0, 1), ("C", 1, 0)]

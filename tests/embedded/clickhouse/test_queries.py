# mypy: allow-untyped-calls
"""Queries as users of clickhouse-driver write them: results, headers, settings, parameters, external tables, limits."""

from collections.abc import Callable
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver import connect as dbapi_connect

from embedded.clickhouse import Server
from tests.embedded.clickhouse.asking import ENDLESS, refused

BLOCK_SIZE = "SELECT getSetting('max_block_size')"


def test_a_client_meets_a_modern_server(client: Client) -> None:
    client.execute("SELECT 1")
    info = client.connection.server_info
    assert (info.name, info.used_revision, info.display_name) == ("ClickHouse", 54459, "chdb")
    assert info.version_tuple() >= (26,)
    assert client.connection.ping()


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("SELECT 7 AS a, 'x' AS b", ([(7, "x")], [("a", "UInt8"), ("b", "String")])),
        ("SELECT 7 AS a WHERE 0 -- nothing", ([], [("a", "UInt8")])),
        ("SHOW TABLES LIKE 'no such table'", ([], [("name", "String")])),
        ("CREATE DATABASE IF NOT EXISTS default", ([], [])),
    ],
)
def test_an_answer_names_its_columns(any_client: Client, sql: str, answer: object) -> None:
    assert any_client.execute(sql, with_column_types=True) == answer


def test_a_long_answer_arrives_whole(any_client: Client) -> None:
    count = 300_000
    rows = any_client.execute_iter(f"SELECT number, number % 3 ? toString(number) : '' FROM numbers({count})")
    assert all(row == (number, str(number) if number % 3 else "") for number, row in enumerate(rows))
    assert any_client.execute("SELECT 1") == [(1,)]


def test_the_format_is_left_to_the_client(client: Client) -> None:
    assert client.execute("SELECT 1 AS format FORMAT JSON") == [(1,)]
    assert client.execute("SELECT 'FORMAT x' AS a, 2 FORMAT JSON SETTINGS max_threads = 1") == [("FORMAT x", 2)]


@pytest.mark.parametrize(
    ("code", "sql"),
    [
        (47, "SELECT nope"),
        (62, "SELEC"),
        (60, "SELECT * FROM nope"),
        (395, "SELECT throwIf(number = 300000) FROM numbers(1000000)"),
        (62, "SELECT 1; SELECT 2"),
        (6, "SELECT toUInt8('x')"),
        (81, "DROP DATABASE nope"),
        (48, "SELECT 1 INTO OUTFILE '/tmp/never'"),
        (159, f"{ENDLESS} SETTINGS max_execution_time = 0.2"),
        (241, "SELECT length(groupArray(number)) FROM numbers(1000000000) SETTINGS max_memory_usage = 100000000"),
        (396, "SELECT number FROM numbers(1000000) SETTINGS max_result_rows = 1000"),
    ],
)
def test_an_error_has_a_code_and_the_session_goes_on(client: Client, code: int, sql: str) -> None:
    with refused(code):
        client.execute(sql)
    assert client.execute("SELECT 1") == [(1,)]


def test_settings_of_a_query_end_with_it(client: Client) -> None:
    before = client.execute(BLOCK_SIZE)
    assert client.execute(BLOCK_SIZE, settings={"max_block_size": 777}) == [(777,)]
    assert client.execute(BLOCK_SIZE) == before


def test_settings_of_the_session_come_back_after_those_of_a_query(client: Client) -> None:
    client.execute("SET max_block_size = 555")
    assert client.execute(BLOCK_SIZE, settings={"max_block_size": 777}) == [(777,)]
    assert client.execute(BLOCK_SIZE) == [(555,)]


def test_a_wrong_setting_is_refused_an_unknown_one_only_if_important(connect: Callable[..., Client]) -> None:
    with refused(27):
        connect().execute("SELECT 1", settings={"max_block_size": "x"})
    assert connect().execute("SELECT 1", settings={"no_such_setting": 1}) == [(1,)]
    with refused(115):
        connect(settings_is_important=True).execute("SELECT 1", settings={"no_such_setting": 1})


def test_parameters_are_put_in_by_the_client_or_by_the_server(connect: Callable[..., Client]) -> None:
    text = "it's \\ \n"
    assert connect().execute("SELECT %(s)s, %(l)s", {"s": text, "l": [1, 2]}) == [(text, [1, 2])]
    server_side = connect(settings={"server_side_params": True})
    parameters = {"n": 5, "s": text, "l": ["x", "y'"]}
    answer = server_side.execute("SELECT {n:UInt32}, {s:String}, {l:Array(String)}", parameters)
    assert answer == [(5, text, ["x", "y'"])]


def test_external_tables_live_as_long_as_their_query(any_client: Client) -> None:
    ids: dict[str, Any] = {"name": "ids", "structure": [("x", "Int32"), ("s", "String")]}
    join = "SELECT number, s FROM numbers(10) AS n JOIN ids ON ids.x = n.number ORDER BY number"
    for letter in "ab":
        ids["data"] = [{"x": 2, "s": letter}, {"x": 3, "s": "c"}]
        assert any_client.execute(join, external_tables=[ids]) == [(2, letter), (3, "c")]
    with refused(60):
        any_client.execute(join)


def test_a_client_may_begin_in_a_database(connect: Callable[..., Client], table: str) -> None:
    connect().execute(f"CREATE DATABASE {table}")
    there = connect(database=table)
    assert there.execute("SELECT currentDatabase()") == [(table,)]
    there.execute("CREATE TABLE x (a Int8) ENGINE = Memory")
    there.execute("INSERT INTO x VALUES", [(1,)])
    assert there.execute("SELECT * FROM x") == [(1,)]
    connect().execute(f"DROP DATABASE {table}")
    with refused(81):
        connect(database="nope").execute("SELECT 1")


def test_progress_and_profile_are_told(client: Client) -> None:
    progress = client.execute_with_progress("SELECT sum(sleepEachRow(0.1)) FROM numbers(5) SETTINGS max_block_size = 1")
    assert [rows > 0 for rows, _ in progress]
    assert len(progress.get_result()) == 1
    assert client.last_query
    assert client.last_query.progress.rows > 0
    assert client.last_query.profile_info.rows == 1


def test_totals_do_not_break_an_answer(client: Client) -> None:
    sql = "SELECT number % 2 AS k, count() FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k SETTINGS extremes = 1"
    assert client.execute(sql)[:2] == [(0, 5), (1, 5)]
    assert client.execute("SELECT 1") == [(1,)]


def test_the_db_api_works(clickhouse: Server, table: str) -> None:
    with dbapi_connect(f"clickhouse://default@127.0.0.1:{clickhouse.port}/default") as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT 1 AS x WHERE 0")
        assert (cursor.fetchall(), cursor.description[0][0]) == ([], "x")
        cursor.execute(f"CREATE TABLE {table} (a Int32) ENGINE = Memory")
        cursor.executemany(f"INSERT INTO {table} (a) VALUES", [(number,) for number in range(10)])
        cursor.set_stream_results(True, 100)
        cursor.execute(f"SELECT a FROM {table} ORDER BY a")
        assert cursor.fetchall() == [(number,) for number in range(10)]

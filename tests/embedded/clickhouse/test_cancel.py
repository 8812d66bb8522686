# mypy: allow-untyped-calls
"""A query ends when its client cancels it or leaves, also before its first row."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from clickhouse_driver import Client

from tests.embedded.clickhouse.asking import DEADLINE_S, ENDLESS, begin, eventually, running


def test_a_cancel_before_the_first_row_ends_the_query(connect: Callable[..., Client]) -> None:
    client, other = connect(), connect()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(client.execute, ENDLESS.replace("number)", "number, 'cancelled')"))
        assert eventually(lambda: running(other, "cancelled") == 1)
        client.connection.send_cancel()
        assert answer.result(DEADLINE_S) == []
    assert running(other, "cancelled") == 0
    assert client.execute("SELECT 1") == [(1,)]


def test_an_answer_streams_and_may_be_cancelled_in_its_middle(any_client: Client) -> None:
    sql = "SELECT number, toString(number) FROM numbers(1000000000000)"
    rows = any_client.execute_iter(sql, settings={"max_block_size": 65_536})
    assert [next(rows) for _ in range(3)] == [(0, "0"), (1, "1"), (2, "2")]
    any_client.cancel()
    assert any_client.execute("SELECT 1") == [(1,)]


def test_a_client_that_leaves_ends_its_query(connect: Callable[..., Client]) -> None:
    leaver, other = connect(), connect()
    begin(leaver, ENDLESS.replace("number)", "number, 'left')"))
    assert eventually(lambda: running(other, "left") == 1)
    leaver.disconnect()
    assert eventually(lambda: running(other, "left") == 0)


def test_a_cancelled_insert_leaves_nothing(connect: Callable[..., Client], table: str) -> None:
    client, other = connect(), connect()
    other.execute(f"CREATE TABLE {table} (a UInt64) ENGINE = MergeTree ORDER BY a")
    begin(client, f"INSERT INTO {table} VALUES")
    sample = client.receive_sample_block()
    client.connection.send_cancel()
    client.receive_end_of_query()
    assert sample.columns_with_types == [("a", "UInt64")]
    assert other.execute(f"SELECT count() FROM {table}") == [(0,)]
    assert client.execute("SELECT 1") == [(1,)]

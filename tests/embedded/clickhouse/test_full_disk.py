# mypy: allow-untyped-calls
"""A disk without room: inserts fail and say so, the server and every acknowledged row stay.

A limit on the size of files stands in for the full disk: write(2) fails in the same way, and the engine, which ignores
that, ends up with the same pieces of files.
"""

from collections.abc import Iterator

import pytest
from clickhouse_driver import Client, errors

from embedded.clickhouse import Server
from tests.embedded.clickhouse.asking import eventually, refused

MAX_FILE_BYTES = 1_000_000
ROWS = "SELECT number AS a, randomPrintableASCII(100) AS s FROM numbers"
NO_MERGES = "max_bytes_to_merge_at_max_space_in_pool = 1"
CONTENT = "SELECT count(), sum(length(s)) FROM t"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(max_file_bytes=MAX_FILE_BYTES) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """There is an empty table `t`."""
    with Client("127.0.0.1", server.port) as client:
        client.execute("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
        yield client
        client.execute("DROP TABLE t")


def test_an_insert_whose_rows_find_no_room_fails_alone(client: Client) -> None:
    client.execute("INSERT INTO t VALUES", [(1, "before")])
    with refused(243):
        client.execute("INSERT INTO t VALUES", [(2, "x" * 2 * MAX_FILE_BYTES)])
    client.execute("INSERT INTO t VALUES", [(3, "after")])
    assert client.execute("SELECT * FROM t ORDER BY a") == [(1, "before"), (3, "after")]


def test_a_write_that_fails_within_the_engine_is_told_and_undone(client: Client) -> None:
    """Without our doing, this INSERT reports success, and every later SELECT fails."""
    client.execute("INSERT INTO t VALUES", [(1, "before")])
    for _ in range(2):
        with refused(243):
            client.execute(f"INSERT INTO t {ROWS}(50000)")
        assert client.execute("SELECT * FROM t") == [(1, "before")]
    client.execute("INSERT INTO t VALUES", [(3, "after")])
    assert client.execute("SELECT * FROM t ORDER BY a") == [(1, "before"), (3, "after")]


def test_a_merge_that_fails_is_told_and_undone(client: Client) -> None:
    before = insert_parts_too_big_to_merge(client)
    with refused(243):
        client.execute("OPTIMIZE TABLE t FINAL")
    assert client.execute(CONTENT) == before


def test_a_merge_that_fails_in_the_background_is_undone(server: Server, client: Client) -> None:
    before = insert_parts_too_big_to_merge(client)
    client.execute("ALTER TABLE t RESET SETTING max_bytes_to_merge_at_max_space_in_pool")
    assert eventually(lambda: "reloading" in server.log.read_text())
    assert eventually(lambda: answer(client, f"ALTER TABLE t MODIFY SETTING {NO_MERGES}") == [])
    assert eventually(lambda: answer(client, CONTENT) == before)
    assert client.execute("SELECT count() FROM system.detached_parts") == [(0,)]


def insert_parts_too_big_to_merge(client: Client) -> object:
    """Returns their content. The engine leaves them alone until it is told otherwise."""
    client.execute(f"ALTER TABLE t MODIFY SETTING {NO_MERGES}")
    for _ in range(12):
        client.execute(f"INSERT INTO t {ROWS}(4000)")
    return client.execute(CONTENT)


def answer(client: Client, sql: str) -> object:
    """None from a server that is reloading, or has a broken part that it has not noticed yet."""
    try:
        return client.execute(sql)
    except (errors.Error, EOFError, OSError):
        return None

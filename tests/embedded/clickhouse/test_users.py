# mypy: allow-untyped-calls
"""Two users: `default` may everything, `reader` may look at tables and at nothing else."""

from collections.abc import Callable

import pytest
from clickhouse_driver import Client

from tests.embedded.clickhouse.asking import refused

FILE = "file('/etc/hostname')"
FORBIDDEN = [
    "INSERT INTO {t} VALUES (1)",
    "INSERT INTO {t} SELECT 1",
    "DROP TABLE {t}",
    "CREATE TABLE x (a Int8) ENGINE = Memory",
    "SET max_execution_time = 0",
    "SET readonly = 0",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "KILL QUERY WHERE 1",
    "SYSTEM FLUSH LOGS",
    "BACKUP TABLE {t} TO File('/tmp/never')",
    "INSERT INTO FUNCTION file('/tmp/never', 'CSV', 'a Int8') SELECT 1",
    "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    "SELECT * FROM `/etc/hostname`",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1:1', 'system.one')",
    "SELECT * FROM Python(t)",
    f"SELECT {FILE}",
    "SELECT `file`('/etc/hostname')",
    "SELECT `fi\\x6ce`('/etc/hostname')",
    "SELECT \"file\" ('/etc/hostname')",
    "SELECT 1 FROM (SELECT /* */ file ('/etc/hostname'))",
    f"(SELECT {FILE})",
    f"WITH {FILE} AS x SELECT x",
    f"EXPLAIN SELECT {FILE}",
    f"DESCRIBE {FILE}",
    f"SHOW TABLES WHERE name = {FILE}",
]


@pytest.fixture
def reader(connect: Callable[..., Client]) -> Client:
    return connect(user="reader", password="look")


@pytest.fixture
def visible(client: Client, table: str) -> str:
    client.execute(f"CREATE TABLE {table} (a Int32) ENGINE = MergeTree ORDER BY a")
    return table


@pytest.mark.parametrize(("user", "password"), [("nobody", ""), ("reader", ""), ("default", "x")])
def test_a_wrong_password_is_refused(connect: Callable[..., Client], user: str, password: str) -> None:
    with refused(516):
        connect(user=user, password=password).execute("SELECT 1")


def test_a_reader_may_look(reader: Client, visible: str) -> None:
    assert reader.execute(f"SELECT a FROM {visible}", with_column_types=True) == ([], [("a", "Int32")])
    assert reader.execute(f"SHOW TABLES LIKE '{visible}'") == [(visible,)]
    assert reader.execute(f"DESCRIBE TABLE {visible}")[0][:2] == ("a", "Int32")
    reader.execute("USE default")
    reader.execute("EXPLAIN SELECT 1")


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_a_reader_may_not_change_anything_nor_read_files(reader: Client, visible: str, sql: str) -> None:
    with refused(164):
        reader.execute(sql.format(t=visible))


def test_a_reader_may_not_insert_nor_lift_its_limits(reader: Client, visible: str) -> None:
    with refused(164):
        reader.execute(f"INSERT INTO {visible} VALUES", [(1,)])
    with refused(164):
        reader.execute("SELECT 1", settings={"max_execution_time": 0})
    limits = "SELECT getSetting('max_execution_time'), getSetting('max_result_rows')"
    assert reader.execute(limits) == [(60.0, 10_000_000)]

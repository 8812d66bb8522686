# mypy: allow-untyped-calls
"""After kill -9, every acknowledged row is there, and no half of a batch."""

import random
import threading
from pathlib import Path

from clickhouse_driver import Client, errors

from embedded.clickhouse import Server
from tests.embedded.clickhouse.asking import DEADLINE_S, eventually

KILLS = 3
BATCH = 500
COMPRESSIONS = (False, "lz4", "zstd")


class Writer:
    """Inserts batches until its server is gone, and remembers which were acknowledged."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tried = 0
        self.acknowledged: set[tuple[int, int]] = set()

    def run(self, port: int) -> None:
        with Client("127.0.0.1", port, compression=COMPRESSIONS[self.number]) as client:
            try:
                while True:
                    self._insert(client)
            except (EOFError, OSError, errors.NetworkError):  # the server was killed
                pass

    def _insert(self, client: Client) -> None:
        batch, self.tried = self.tried, self.tried + 1  # a batch without an answer is never tried again
        columns = [[self.number] * BATCH, [batch] * BATCH, list(range(BATCH))]
        client.execute("INSERT INTO k VALUES", columns, columnar=True)
        self.acknowledged.add((self.number, batch))


def kill_while_they_write(server: Server, writers: list[Writer], moment: random.Random) -> None:
    """SIGKILL after a few more batches of everybody."""
    threads = [threading.Thread(target=writer.run, args=(server.port,)) for writer in writers]
    goals = [writer.tried + moment.randrange(3, 20) for writer in writers]
    for thread in threads:
        thread.start()
    assert eventually(lambda: all(w.tried >= goal for w, goal in zip(writers, goals, strict=True)))
    server.kill()
    for thread in threads:
        thread.join(DEADLINE_S)


def test_kill_minus_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    writers = [Writer(number) for number in range(len(COMPRESSIONS))]
    moment = random.Random(1)
    server = Server(tmp_path)
    with server, Client("127.0.0.1", server.port) as client:
        client.execute("CREATE TABLE k (w UInt8, b UInt64, n UInt32) ENGINE = MergeTree ORDER BY (w, b, n)")
        for _ in range(KILLS):
            kill_while_they_write(server, writers, moment)
            server.start()
            batches = client.execute("SELECT w, b, count(), uniqExact(n) FROM k GROUP BY w, b")
            assert {(rows, different) for _, _, rows, different in batches} == {(BATCH, BATCH)}
            assert {batch[:2] for batch in batches} >= set.union(*(writer.acknowledged for writer in writers))


def test_rows_on_their_way_into_a_killed_server_are_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / "spool" / "left"
    left.parent.mkdir()
    left.write_bytes(b"rows")
    with Server(tmp_path):
        assert not left.exists()

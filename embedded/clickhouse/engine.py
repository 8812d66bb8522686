"""The ClickHouse engine in this process (chdb): connections, statements, and the write errors it keeps to itself."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from chdb import ChdbError
from chdb.state.sqlitelike import Connection

from embedded.clickhouse.native import Block, split_blocks
from embedded.clickhouse.refusal import NOT_ENOUGH_SPACE, Refused
from embedded.clickhouse.statements import quoted


class SpoolFile:
    def __init__(self, file: IO[bytes]) -> None:
        self.path = file.name
        self._file = file  # unbuffered, so that a full disk shows in `write` and not when it is closed

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as e:
            raise Refused(NOT_ENOUGH_SPACE, f"Cannot keep the rows of this INSERT in {self.path}: {e.strerror}") from e


class Engine:
    """One connection; all those of a process share one engine, which ends when the last is closed."""

    def __init__(self, directory: Path, options: Mapping[str, str], failed_before: int) -> None:
        """`failed_before` is what `failed_writes` was before this process last opened the directory, 0 at first: merges
        begin, and may fail, before this returns. Raises ChdbError where the directory cannot be opened.
        """
        parameters = "&".join(f"{name}={value}" for name, value in options.items())
        try:
            self._connection = Connection(f"{directory / 'engine'}?{parameters}")
        except RuntimeError as e:
            raise ChdbError(str(e)) from e
        self._spool = directory / "spool"
        self._failed_before = failed_before

    def close(self) -> None:
        self._connection.close()

    def run(self, sql: str) -> None:
        self._connection.query(sql)

    def rows(self, sql: str, form: str = "JSONCompactEachRow") -> list[list[Any]]:
        return [json.loads(line) for line in self._connection.query(sql, form).bytes().splitlines()]

    def blocks(self, sql: str) -> Iterator[Block]:
        """The whole answer at once."""
        return split_blocks(self._connection.query(sql, "Native").bytes() or b"")

    @contextmanager
    def stream(self, sql: str) -> Iterator[Iterator[Block]]:
        """The answer of a SELECT while it is computed; leaving ends the query."""
        chunks = self._connection.send_query(sql, "Native")
        try:
            yield (block for chunk in chunks for block in split_blocks(chunk.bytes() or b""))
        finally:
            chunks.close()  # type: ignore[no-untyped-call]  # chdb left it without types

    def classify(self, sql: str) -> tuple[bool, int]:
        """Whether a text can change nothing, and how many statements it has."""
        facts = self._connection._conn.classify_query(sql)  # chdb's Connection does not hand it on
        return facts["query_class"].name == "READ_ONLY", facts["statement_count"]

    def kill(self, tag: str) -> None:
        """Ends the queries whose connection has this tag as `log_comment`, soon."""
        self.run(f"KILL QUERY WHERE Settings['log_comment'] = {quoted(tag)} ASYNC")

    def version_and_timezone(self) -> tuple[tuple[int, int, int], str]:
        version, timezone = self.rows("SELECT version(), serverTimezone()")[0]
        major, minor, patch = map(int, version.split(".")[:3])
        return (major, minor, patch), timezone

    def on_progress(self, receive: Callable[[dict[str, int]], None]) -> None:
        """Has `receive` called about ten times a second in the middle of a query."""
        self._connection.set_progress_callback(receive)

    @contextmanager
    def spool(self) -> Iterator[SpoolFile]:
        """A file for the rows of one INSERT. It lies beside the data, where a full disk is noticed, not in /tmp."""
        with tempfile.NamedTemporaryFile(dir=self._spool, buffering=0) as file:
            yield SpoolFile(file)

    def insert_from(self, spool: SpoolFile, insert: str, settings: str = "") -> None:
        """Not chdb's `send_insert`: that reports success where a constraint or a materialised view failed."""
        self.run(f"{insert} FROM INFILE {quoted(spool.path)} {settings} FORMAT Native")

    def has_lost_writes(self) -> bool:
        """Whether a write to a file failed since the directory was opened.

        chdb 4.4 goes on where write(2) fails (disk full, file too large): it reports success and keeps a broken
        part. Its counter is the only trace, so whoever wrote must ask before telling a client that all is well.
        """
        return self.failed_writes() != self._failed_before

    def remove_broken_parts(self) -> None:
        """Frees the room of parts that were left out when the tables were opened."""
        for (path,) in self.rows("SELECT path FROM system.detached_parts WHERE reason = 'broken-on-start'"):
            shutil.rmtree(path)

    def failed_writes(self) -> int:
        """How many there were in the life of this process."""
        found = self.rows("SELECT value FROM system.events WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'")
        return int(found[0][0]) if found else 0

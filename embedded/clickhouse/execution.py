"""One query of a client: what it sends along goes to the engine, what the engine answers goes back in blocks."""

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from embedded.clickhouse.engine import Engine
from embedded.clickhouse.native import Block, header
from embedded.clickhouse.reader import Malformed
from embedded.clickhouse.refusal import NOT_IMPLEMENTED, READONLY, SYNTAX_ERROR, LostWrites, Refused
from embedded.clickhouse.settings import Settings
from embedded.clickhouse.statements import (
    INTO_OUTFILE,
    Insert,
    Word,
    block_insert,
    first_word,
    quoted_name,
    touches_files,
    without_format,
    words,
)
from embedded.clickhouse.wire import Query, Wire

COLUMN_NAME = re.compile(r"\s*(`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|[\w.]+)\s*(?:,|$)")
NOT_INSERTABLE = ("MATERIALIZED", "ALIAS", "EPHEMERAL")
STREAMED = ("SELECT", "WITH", "FROM")


class Running:
    """Whether a session's query is running, for another thread that may want to end it."""

    def __init__(self, tag: str) -> None:
        self.tag = tag  # the engine knows the query by it
        self.now = False
        self.cancelled = False
        self._lock = threading.Lock()

    @contextmanager
    def query(self) -> Iterator[None]:
        self.now = True
        try:
            yield
        finally:
            with self._lock:  # no `cancel` is under way once this is left
                self.now = False

    def cancel(self, admin: Engine) -> None:
        """Ends the query, if one is running, through another connection than its own."""
        self.cancelled = True
        with self._lock:
            if self.now:
                admin.kill(self.tag)


@dataclass
class Sent:
    """What a client got of an answer."""

    rows: int = 0
    blocks: int = 0
    size: int = 0  # bytes, before compression


class Execution:
    """Runs a session's queries, one after the other. Raises ChdbError, Refused or Cancelled."""

    def __init__(self, engine: Engine, wire: Wire, running: Running, readonly: bool) -> None:
        self._engine = engine
        self._wire = wire
        self._running = running
        self._readonly = readonly
        self._settings = Settings(engine)

    def run(self, query: Query) -> None:
        tables: dict[str, list[Block]] = {}
        for name, block in self._wire.blocks():
            tables.setdefault(name, []).append(block)
        self._settings.apply(query.settings, query.parameters)
        with self._external_tables(tables):
            tokens = words(query.sql)
            if insert := block_insert(query.sql, tokens):
                self._insert(insert)
            else:
                self._statement(without_format(query.sql, tokens).rstrip("; \t\r\n"), tokens)

    @contextmanager
    def _external_tables(self, tables: dict[str, list[Block]]) -> Iterator[None]:
        """Tables that a client sends along with a query live as long as it does."""
        try:
            for name, blocks in tables.items():
                columns = ", ".join(f"{quoted_name(column)} {kind}" for column, kind in blocks[0].columns)
                self._engine.run(f"CREATE TEMPORARY TABLE {quoted_name(name)} ({columns}) ENGINE = Memory")
                with self._engine.spool() as spool:
                    for block in blocks:
                        spool.write(block.data)
                    self._engine.insert_from(spool, f"INSERT INTO {quoted_name(name)}")
            yield
        finally:
            for name in tables:
                self._engine.run(f"DROP TEMPORARY TABLE IF EXISTS {quoted_name(name)}")

    # Statements whose answer is rows.

    def _statement(self, sql: str, tokens: list[Word]) -> None:
        reads_only, statements = self._engine.classify(sql)
        streamed = first_word(tokens) in STREAMED
        if statements > 1:
            raise Refused(SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")
        if streamed and not reads_only and INTO_OUTFILE.search(sql):
            raise Refused(NOT_IMPLEMENTED, "INTO OUTFILE is for the client to do, not for this server")
        may_change = not reads_only and first_word(tokens) != "USE"
        if self._readonly and (may_change or touches_files(tokens)):
            raise Refused(READONLY, "Cannot execute query in readonly mode")
        with self._running.query():
            sent = self._stream(sql) if streamed else self._send(self._engine.blocks(sql))
        if not reads_only:
            self._check_writes()
        elif not sent.blocks and not self._running.cancelled:
            self._wire.send_block(header(self._describe(sql, streamed)))
        self._wire.send_profile(sent.rows, sent.blocks, sent.size)

    def _stream(self, sql: str) -> Sent:
        with self._engine.stream(sql) as blocks:
            return self._send(blocks)

    def _send(self, blocks: Iterable[Block]) -> Sent:
        sent = Sent()
        try:
            for block in blocks:
                if self._running.cancelled:
                    break
                if not sent.blocks:
                    self._wire.send_block(header(block.columns))
                self._wire.send_block(block)
                sent.rows += block.rows
                sent.blocks += 1
                sent.size += len(block.data)
        except Malformed as e:
            raise Refused(NOT_IMPLEMENTED, str(e)) from e  # a type of the answer; nothing of its block was sent
        return sent

    def _describe(self, sql: str, select: bool) -> list[tuple[str, str]]:
        """The columns of an answer without rows: the engine then returns nothing, clients expect a header."""
        if select:
            return [(name, kind) for name, kind, *_ in self._engine.rows(f"DESCRIBE ({sql}\n)")]
        names, kinds = self._engine.rows(sql, "JSONCompactEachRowWithNamesAndTypes")[:2]
        return list(zip(names, kinds, strict=True))

    # Inserts whose rows come in blocks.

    def _insert(self, insert: Insert) -> None:
        columns = self._columns(insert)
        with self._engine.spool() as spool:
            self._wire.send_block(header(columns))
            self._wire.flush()
            rows = 0
            for _, block in self._wire.blocks():
                spool.write(block.data)
                rows += block.rows
                self._wire.send_profile_events()
            if rows:
                with self._running.query():
                    self._engine.insert_from(spool, insert.head, insert.settings)
        self._check_writes()
        self._wire.send_profile_events()

    def _columns(self, insert: Insert) -> list[tuple[str, str]]:
        """The columns an INSERT expects, in its order."""
        described = self._engine.rows(f"DESCRIBE TABLE {insert.target}")
        if not insert.columns.strip():
            return [(name, kind) for name, kind, default, *_ in described if default not in NOT_INSERTABLE]
        kinds = {name: kind for name, kind, *_ in described}
        names = [name[1:-1] if name[0] in '`"' else name for name in COLUMN_NAME.findall(insert.columns)]
        if len(names) == len(insert.columns.split(",")) and all(name in kinds for name in names):
            return [(name, kinds[name]) for name in names]
        return self._describe(f"SELECT {insert.columns} FROM {insert.target}", select=True)  # such as * EXCEPT (a)

    def _check_writes(self) -> None:
        if self._engine.has_lost_writes():
            raise LostWrites()

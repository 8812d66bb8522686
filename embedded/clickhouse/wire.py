"""ClickHouse's native protocol, revision 54459, as a server sees it: packets in, packets out."""

import re
import socket
import struct
import threading
from collections.abc import Iterator
from typing import NamedTuple

from embedded.clickhouse.compression import LZ4, frames, read_frame
from embedded.clickhouse.native import Block, read_block
from embedded.clickhouse.reader import Malformed, Reader, text, varint

REVISION = 54459  # the first with server-side parameters; nothing that this project's clients need came later
FROM_HELLO, FROM_QUERY, FROM_DATA, FROM_CANCEL, FROM_PING = range(5)
HELLO, DATA, EXCEPTION, PROGRESS, PONG, END, PROFILE = range(7)
PROFILE_EVENTS = 14
TCP_INTERFACE = 1
IMPORTANT = 1  # a setting's flag: fail where it is unknown
BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # field 1: no overflow row, field 2: bucket -1, end
EMPTY_BLOCK = b"\0\0"
MAX_SHORT_TEXT, MAX_SETTING, MAX_SQL = 1 << 10, 1 << 20, 64 << 20  # bytes
RECEIVE_BYTES = SEND_BYTES = 1 << 18
SETTING_NAME = re.compile(r"[A-Za-z_][\w.]*")


class Hello(NamedTuple):
    client: str
    revision: int
    database: str
    user: str
    password: str


class Setting(NamedTuple):
    value: str
    important: bool


class Query(NamedTuple):
    sql: str
    settings: dict[str, Setting]
    parameters: dict[str, str]


class Cancelled(Exception):
    """The client does not want the answer any more."""


class Wire:
    """One client's socket. Reading is for one thread; sending may happen in several, packets stay whole."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._plain = Reader(lambda: sock.recv(RECEIVE_BYTES))
        self._unpacked = Reader(self._frame)
        self._compressed = False  # as the query asked for
        self._method = LZ4  # what the client compresses with
        self._out = bytearray()
        self._lock = threading.Lock()

    # Packets in. EOFError and OSError: the client is gone. Malformed: it does not speak the protocol.

    def packet(self, idle_timeout_s: float | None, packet_timeout_s: float) -> int:
        """The kind of the next packet: patient before it begins, less so once it has."""
        self._plain.mark()
        if self._plain.at_end():
            self.sock.settimeout(idle_timeout_s)
            self._plain.pull()
        self.sock.settimeout(packet_timeout_s)
        return self._plain.varint()

    def hello(self) -> Hello:
        reader = self._plain
        client = reader.text(MAX_SHORT_TEXT)
        reader.varint()  # its major version
        reader.varint()  # and minor
        revision = reader.varint()
        return Hello(client, revision, *(reader.text(MAX_SHORT_TEXT) for _ in range(3)))

    def addendum(self) -> None:
        self._plain.text()  # a quota key

    def query(self) -> Query:
        reader = self._plain
        reader.text(MAX_SHORT_TEXT)  # query id: the engine gives its own
        if reader.byte():
            self._client_info()
        settings = self._settings()
        reader.text()  # interserver secret
        reader.varint()  # stage
        self._compressed = bool(reader.varint())
        self._unpacked.forget()
        sql = reader.text(MAX_SQL)
        parameters = {name: setting.value for name, setting in self._settings().items()}
        return Query(sql, settings, parameters)

    def _client_info(self) -> None:
        reader = self._plain
        for _ in range(3):
            reader.text()  # the first user, query id and address of a distributed query
        reader.skip(8)  # its start
        if reader.byte() != TCP_INTERFACE:
            raise Malformed("an interface other than TCP")
        for _ in range(3):
            reader.text()  # system user, host, client
        for _ in range(3):
            reader.varint()  # the client's version and revision
        reader.text()  # quota key
        reader.varint()  # depth of a distributed query
        reader.varint()  # patch version
        if reader.byte():  # OpenTelemetry: trace and span, state, flags
            reader.skip(24)
            reader.text()
            reader.byte()
        for _ in range(3):
            reader.varint()  # parallel replicas

    def _settings(self) -> dict[str, Setting]:
        out = {}
        while name := self._plain.text(MAX_SHORT_TEXT):
            if not SETTING_NAME.fullmatch(name):
                raise Malformed(f"setting {name!r}")
            flags = self._plain.varint()
            out[name] = Setting(self._plain.text(MAX_SETTING), bool(flags & IMPORTANT))
        return out

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """What follows a query, by name, up to the empty block that ends it. Raises Cancelled."""
        while True:
            packet = self._plain.varint()
            if packet == FROM_CANCEL:
                raise Cancelled
            if packet != FROM_DATA:
                raise Malformed(f"packet {packet} among data")
            name, block = self.block()
            if not block.columns:
                return
            yield name, block

    def block(self) -> tuple[str, Block]:
        """The rest of a data packet: the name of its table (empty: the one of the INSERT) and its rows."""
        name = self._plain.text()
        reader = self._unpacked if self._compressed else self._plain
        while field := reader.varint():
            reader.skip(1 if field == 1 else 4)
        return name, read_block(reader, from_client=True)

    def _frame(self) -> bytes:
        self._method, content = read_frame(self._plain)
        return content

    # Packets out. OSError: the client is gone.

    def send(self, packet: int, body: bytes = b"") -> None:
        with self._lock:
            self._out += varint(packet) + body
            if len(self._out) > SEND_BYTES:
                self._flush()

    def flush(self) -> None:
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        data, self._out = self._out, bytearray()
        self.sock.sendall(data)

    def send_hello(self, version: tuple[int, int, int], timezone: str) -> None:
        major, minor, patch = version
        server = text("ClickHouse") + varint(major) + varint(minor) + varint(REVISION)
        self.send(HELLO, server + text(timezone) + text("chdb") + varint(patch))
        self.flush()

    def send_block(self, block: Block) -> None:
        body = BLOCK_INFO + block.data
        if self._compressed:
            body = b"".join(frames(body, self._method))
        self.send(DATA, text("") + body)

    def send_profile_events(self) -> None:
        """From revision 54456 on a client waits for this after each block it inserts."""
        self.send(PROFILE_EVENTS, text("") + BLOCK_INFO + EMPTY_BLOCK)
        self.flush()

    def send_progress(self, rows: int, size: int, total_rows: int) -> None:
        written_rows = written_bytes = 0
        self.send(PROGRESS, _numbers(rows, size, total_rows, written_rows, written_bytes))
        self.flush()

    def send_profile(self, rows: int, blocks: int, size: int) -> None:
        limit_applied, rows_before_limit_known = b"\0", b"\1"
        self.send(PROFILE, _numbers(rows, blocks, size) + limit_applied + varint(rows) + rows_before_limit_known)

    def send_exception(self, code: int, message: str) -> None:
        nested = b"\0"
        self.send(EXCEPTION, struct.pack("<i", code) + text("DB::Exception") + text(message) + text("") + nested)
        self.flush()


def _numbers(*values: int) -> bytes:
    return b"".join(map(varint, values))

# mypy: allow-untyped-calls
"""Whatever bytes a peer sends, only its own session ends."""

import random
import socket
from pathlib import Path

import pytest
from clickhouse_driver import Client

from embedded.clickhouse import Server
from tests.embedded.clickhouse.asking import DEADLINE_S

HELLO = b"\0\x01x\x01\x01\xbb\xa9\x03\0\x07default\0"  # "x" 1.1, revision 54459, user default, no password
OLD_HELLO = b"\0\x01x\x01\x01\xba\xa9\x03\0\x07default\0"  # revision 54458
ADDENDUM = b"\0"
EMPTY_BLOCK = b"\x02\0\x01\0\x02\xff\xff\xff\xff\0\0\0"
ONE_ROW = b"\x02\0\0\x01\x01\x01a"  # a data packet as far as its first column's name
ENDLESS_NUMBER = b"\xff" * 10


def query(sql: bytes, data: bytes = EMPTY_BLOCK) -> bytes:
    return b"\x01\0\0\0\0\x02\0" + bytes([len(sql)]) + sql + b"\0" + data


GARBAGE = {
    "HTTP": [b"GET / HTTP/1.1\r\n\r\n"],
    "ones": [b"\xff" * 500],
    "an endless name": [b"\0\xff\xff\xff\xff\xff\xff\xff\xff\x7f"],
    "an unknown packet": [HELLO, ADDENDUM + b"\x09"],
    "an endless query id": [HELLO, ADDENDUM + b"\x01" + ENDLESS_NUMBER],
    "an endless statement": [HELLO, ADDENDUM + b"\x01\0\0\0\0\x02\0" + b"\xff" * 7 + b"\x7f"],
    "no data": [HELLO, ADDENDUM + query(b"SELECT 1", b"\x07")],
    "an unknown type": [HELLO, ADDENDUM + query(b"SELECT 1", ONE_ROW + b"\x08Whatever\0")],
    "a type of no width": [HELLO, ADDENDUM + query(b"SELECT 1", ONE_ROW + b"\x0eFixedString(x)\0")],
    "an endless text": [HELLO, ADDENDUM + query(b"SELECT 1", ONE_ROW + b"\x06String\0" + ENDLESS_NUMBER)],
    "a bottomless type": [HELLO, ADDENDUM + query(b"SELECT 1", ONE_ROW + b"\xff\x7f" + b"Array(" * 2730 + b"Int\0\0")],
    "an old client": [OLD_HELLO],
}


def converse(port: int, *messages: bytes) -> bytes:
    """Sends each message after an answer to the one before; returns everything up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as peer:
        heard = b""
        try:
            for message in messages:
                peer.sendall(message)
                heard += peer.recv(4096)
            while more := peer.recv(4096):
                heard += more
        except ConnectionResetError:  # it left bytes of ours unread
            pass
        return heard


@pytest.mark.parametrize("messages", GARBAGE.values(), ids=GARBAGE)
def test_garbage_ends_only_its_own_session(clickhouse: Server, client: Client, messages: list[bytes]) -> None:
    assert b"DB::Exception" in converse(clickhouse.port, *messages)
    assert client.execute("SELECT 1") == [(1,)]


def test_an_old_client_learns_what_is_missing(clickhouse: Server) -> None:
    told = b"x speaks revision 54458 of the protocol, this server needs 54459 or later: install a newer client"
    assert told in converse(clickhouse.port, OLD_HELLO)


def test_noise_ends_only_its_own_session(clickhouse: Server, client: Client) -> None:
    noise = random.Random(1)
    for _ in range(20):
        peer = socket.create_connection(("127.0.0.1", clickhouse.port), DEADLINE_S)
        with peer:
            peer.sendall(HELLO)
            peer.recv(4096)
            peer.sendall(ADDENDUM + noise.randbytes(noise.randrange(1, 5000)))
    assert client.execute("SELECT 1") == [(1,)]


def test_a_promise_of_many_bytes_takes_no_memory(clickhouse: Server, client: Client) -> None:
    memory_before = resident_bytes(clickhouse.pid)
    peers = [socket.create_connection(("127.0.0.1", clickhouse.port), DEADLINE_S) for _ in range(20)]
    for peer in peers:
        peer.sendall(HELLO)
        peer.recv(4096)
        peer.sendall(ADDENDUM + query(b"SELECT 1", ONE_ROW + b"\x06String\0\xff\xff\xff\x7fabc"))  # 256 MiB to come
    assert client.execute("SELECT 1") == [(1,)]
    assert resident_bytes(clickhouse.pid) - memory_before < 200_000_000
    for peer in peers:
        peer.close()


def resident_bytes(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024

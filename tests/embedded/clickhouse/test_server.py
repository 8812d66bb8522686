# mypy: allow-untyped-calls
"""The server's life: where it starts, when it ends, what it leaves, and why it does not start."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from clickhouse_driver import Client

from embedded.clickhouse import Server
from embedded.processes import CannotStart
from tests.embedded.clickhouse.asking import DEADLINE_S, ENDLESS, begin, eventually, refused, running


def test_tables_outlive_the_server_and_its_port_stays(tmp_path: Path) -> None:
    steps: list[str] = []
    server = Server(tmp_path / 'it\'s a \\ "name" & more', on_progress=steps.append)
    with server:
        with Client("127.0.0.1", server.port) as client:
            client.execute("CREATE TABLE x (a Int32) ENGINE = MergeTree ORDER BY a")
            client.execute("INSERT INTO x VALUES", [(1,)])
    with server:
        with Client("127.0.0.1", server.port) as client:
            assert client.execute("SELECT * FROM x") == [(1,)]
    address = f"127.0.0.1:{server.port}"
    life = [f"ClickHouse: starting on {address}", f"ClickHouse: ready on {address}", "ClickHouse: stopping"]
    assert steps == life * 2


def test_a_stop_does_not_wait_for_queries() -> None:
    steps: list[str] = []
    with Server(on_progress=steps.append) as server:
        with Client("127.0.0.1", server.port) as client, Client("127.0.0.1", server.port) as other:
            begin(client, ENDLESS)
            assert eventually(lambda: running(other, "sipHash64") == 1)
            server.stop()
    assert steps[-1] == "ClickHouse: stopping"  # and no word of another exit code than 0
    assert not server.running


def test_a_temporary_directory_goes_with_its_server() -> None:
    with Server() as server:
        assert (server.directory / "engine").is_dir()
    assert not server.directory.exists()


def test_it_listens_on_this_machine_only(clickhouse: Server) -> None:
    listening = [c.laddr for c in psutil.Process(clickhouse.pid).net_connections("tcp") if c.status == "LISTEN"]
    assert listening == [("127.0.0.1", clickhouse.port)]


def test_a_directory_in_use_is_refused_with_the_process_that_uses_it(
    clickhouse: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedded.processes.LOCK_PATIENCE_S", 0.0)
    with pytest.raises(CannotStart, match=f"in use by process {clickhouse.pid}"):
        Server(clickhouse.directory).start()
    assert clickhouse.running


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"port {port} is taken: choose another"):
            Server(tmp_path, port=port).start()


def test_a_directory_whose_name_the_engine_would_misread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="choose another directory"):
        Server(tmp_path / "data*").start()


def test_an_engine_that_cannot_open_its_directory_says_why(tmp_path: Path) -> None:
    (tmp_path / "engine").write_text("no directory")
    with pytest.raises(CannotStart, match=f"cannot serve {tmp_path}"):
        Server(tmp_path).start()


def test_the_password_is_not_on_the_command_line(tmp_path: Path) -> None:
    with Server(password="secret") as server:
        assert b"secret" not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
        with Client("127.0.0.1", server.port, password="secret") as client:
            assert client.execute("SELECT 1") == [(1,)]


def test_too_many_clients_are_refused() -> None:
    server = Server(max_clients=1)
    with server, Client("127.0.0.1", server.port) as first, Client("127.0.0.1", server.port) as second:
        assert first.execute("SELECT 1") == [(1,)]
        with refused(202):
            second.execute("SELECT 2")
        assert first.execute("SELECT 3") == [(3,)]


def test_a_query_beyond_the_memory_of_the_server_fails_alone() -> None:
    server = Server(options={"max_server_memory_usage": "600000000"})
    with server, Client("127.0.0.1", server.port) as first, Client("127.0.0.1", server.port) as second:
        assert first.execute("SELECT 1") == [(1,)]
        with refused(241):
            second.execute("SELECT length(groupArray(number)) FROM numbers(1000000000)")
        assert (first.execute("SELECT 2"), second.execute("SELECT 3")) == ([(2,)], [(3,)])


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time; from embedded.clickhouse import Server\n"
        "print(Server(pathlib.Path(sys.argv[1])).start().pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait(DEADLINE_S)
        assert eventually(lambda: not Path(f"/proc/{pid}").exists())

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from simulator.exchanges.registry import EXCHANGES
from simulator.run import run
from simulator.truth import Known

PATIENCE_S = 15.0
PROGRAM = """
import sys
from pathlib import Path
from simulator.run import run

here = Path(sys.argv[1])
sys.exit(run("bybit", port=0, liquidations_per_second=200, truth=here / "truth", health_file=here / "health",
             port_file=here / "port"))
"""


def wait_for(file: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a file has something in it, or is there at all where nothing is written into it."""
    deadline = time.monotonic() + PATIENCE_S
    while not (file.exists() and (file.name == "health" or file.stat().st_size)):
        assert process.poll() is None, "the simulator ended"
        assert time.monotonic() < deadline, f"no {file.name}"
        time.sleep(0.02)


@contextmanager
def simulator(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(directory)])
    try:
        for name in ("port", "health", "truth"):
            wait_for(directory / name, process)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_code_0(tmp_path: Path, number: signal.Signals) -> None:
    with simulator(tmp_path) as process:
        port = int((tmp_path / "port").read_text())
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S):
            process.send_signal(number)
            assert process.wait(PATIENCE_S) == 0


def test_kill_leaves_whole_lines_of_truth(tmp_path: Path) -> None:
    with simulator(tmp_path) as process:
        process.kill()
        process.wait(PATIENCE_S)

    written = (tmp_path / "truth").read_bytes()
    known = [msgspec.json.decode(line, type=Known) for line in written.splitlines()]
    assert written.endswith(b"\n")
    assert {(one.exchange, one.sent_ns) for one in known} == {("bybit", 0)}


def test_a_taken_port_is_one_clear_error_and_code_1(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.ERROR):
        code = run("bybit", port=taken.getsockname()[1])

    (record,) = caplog.records
    assert code == 1
    assert "address already in use" in record.getMessage()
    assert record.getMessage().endswith("choose another port, and a truth file that can be written")


def test_an_unknown_exchange_is_one_clear_error_and_code_1(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        code = run("mtgox")

    (record,) = caplog.records
    assert (code, record.getMessage()) == (
        1,
        f"no such exchange: 'mtgox', the simulator plays {', '.join(EXCHANGES)}",
    )

"""Children that end with their parent, and the ports and directories they hold."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from embedded import processes
from embedded.processes import CannotStart

SLEEP = ["/bin/sleep", "60"]


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_child_writes_into_its_log_and_knows_its_place(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", "pwd; echo $NAME; echo trouble >&2"]
    log = tmp_path / "log"
    child = processes.spawn(command, directory=tmp_path, log=log, environment={"NAME": "value"})
    assert child.wait(20) == 0
    assert log.read_text() == f"{tmp_path}\nvalue\ntrouble\n"


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from embedded import processes
print(processes.spawn({SLEEP!r}, directory=Path("/"), log=Path(sys.argv[1])).pid, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = Path("/proc", parent.stdout.readline().strip())
        assert eventually(lambda: b"sleep" in (child / "cmdline").read_bytes().split(b"\0")[0])
        parent.send_signal(signal.SIGKILL)
    assert eventually(lambda: not child.exists())


def test_who_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    deaf = processes.spawn(["/bin/sh", "-c", "trap '' TERM; echo deaf; sleep 60"], directory=tmp_path, log=log)
    assert eventually(lambda: log.read_text() == "deaf\n")
    assert processes.terminate(deaf, patience_s=0.1) == -signal.SIGKILL
    os.killpg(deaf.pid, signal.SIGKILL)  # its sleep


def test_sigterm_is_enough_for_the_others(tmp_path: Path) -> None:
    child = processes.spawn(SLEEP, directory=tmp_path, log=tmp_path / "log")
    assert processes.terminate(child, patience_s=20) == -signal.SIGTERM


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not processes.is_free(port)
    assert processes.is_free(port)


def test_free_ports_are_not_those_of_outgoing_connections() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(1024 < processes.free_port() < lowest for _ in range(100))


def test_a_claim_lasts_as_long_as_the_child_that_inherited_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = processes.lock(tmp_path)
    child = processes.spawn(SLEEP, directory=tmp_path, log=tmp_path / "log", inherit=[claim.fileno()])
    processes.sign(claim, child.pid)
    monkeypatch.setattr(processes, "LOCK_PATIENCE_S", 0)
    with pytest.raises(CannotStart) as refusal:
        processes.lock(tmp_path)
    in_use = f"{tmp_path} is in use by process {child.pid}: stop it, or choose another directory"
    assert str(refusal.value) == in_use
    processes.terminate(child, patience_s=20)
    processes.lock(tmp_path).close()


def test_a_claim_waits_for_a_server_that_is_about_to_end(tmp_path: Path) -> None:
    claim = processes.lock(tmp_path)
    child = processes.spawn(SLEEP, directory=tmp_path, log=tmp_path / "log", inherit=[claim.fileno()])
    processes.sign(claim, child.pid)
    child.terminate()
    processes.lock(tmp_path).close()
    assert child.wait(20) == -signal.SIGTERM


def test_the_end_of_a_log_goes_without_stack_frames(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("early\nwhat happened\n\tat some.Class\n\tat another.Class\nlast\n")
    assert processes.last_lines(log, 2) == "what happened\nlast"

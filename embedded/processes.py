"""Servers as children: they end with their parent, and own a port and a directory while they live."""

import fcntl
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO

TIED = Path(__file__).with_name("tied.py")
LOCK_PATIENCE_S = 5.0  # a server whose parent was killed still needs a moment to end


class CannotStart(Exception):
    """A server cannot run as asked; the message says why and what to do."""


def spawn(
    command: Sequence[str],
    *,
    directory: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
    inherit: Collection[int] = (),
) -> subprocess.Popen[bytes]:
    """Run a command in a directory, its output into a log; it gets SIGTERM when this process dies.

    Linux ties the signal to the thread that calls this: start servers from a thread that lives as long as they do.
    Other systems have no such signal, there the server stays. It gets a session of its own, so that a Ctrl-C in the
    terminal reaches only the parent, which then stops everything in its order. `environment` None hands on ours;
    `inherit` are file descriptors that the child keeps open.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-IS", str(TIED), str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=directory,
            env=environment,
            pass_fds=inherit,
            start_new_session=True,
        )


def terminate(process: subprocess.Popen[bytes], patience_s: float) -> int:
    """Ask with SIGTERM, insist with SIGKILL when the patience is over; returns the exit code."""
    process.terminate()
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A free port of 127.0.0.1 that stays free while its server restarts.

    It lies below the ports that systems give to outgoing connections. From among those, a client that tries again and
    again to reach a server which is down would sooner or later get the server's port, and connect to itself.
    """
    while True:
        port = 15_000 + secrets.randbelow(15_000)
        if is_free(port):
            return port


def lock(directory: Path) -> IO[str]:
    """Claim a directory for one server. The claim lasts until everybody who inherited the file is gone.

    Hand `fileno()` to the child, then sign with `sign()`. Raises CannotStart when another server holds the directory.
    """
    file = (directory / "lock").open("a+")
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
    with file:
        file.seek(0)
        raise CannotStart(f"{directory} is in use by process {file.read()}: stop it, or choose another directory")


def sign(claim: IO[str], pid: int) -> None:
    """Write into a claimed directory which process holds it, and let go: the child keeps the claim."""
    with claim:
        claim.truncate(0)
        claim.write(str(pid))


def last_lines(log: Path, count: int = 10) -> str:
    """The end of a log for an error message, without the frames of Java's stack traces, which would fill it."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if not line.startswith("\t")]
    return "\n".join(lines[-count:])

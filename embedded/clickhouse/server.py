"""The real ClickHouse engine on this machine as a child of this process, behind the native protocol: no Docker."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from embedded import processes
from embedded.processes import CannotStart

MIB = 1024 * 1024
PACKAGES = Path(__file__).parents[2]  # where the child finds `embedded`
READY = b"ready for clients"
GLOB_CHARACTERS = "*?{}"  # the engine would take a path with one of them for a pattern
STOP_PATIENCE_S = 40.0
OPTIONS = {
    # A laptop has other uses for its memory: a query that needs more than this fails, with code 241.
    "max_server_memory_usage": str(2048 * MIB),
    # An INSERT is refused before the disk is full, with code 243: what happens then, see Engine.has_lost_writes.
    "min_free_disk_bytes_to_perform_insert": str(256 * MIB),
}


class Server:
    """One server with the users `default` and `reader` (who may only read), on 127.0.0.1.

        with Server() as server:
            clickhouse_driver.Client("127.0.0.1", server.port)

    `directory` None is a temporary one, removed by `stop`; another keeps its tables, also over `kill`. `port` None is
    a free one; a Server keeps its port over restarts. `options` are server and user settings that win over ours.
    `max_file_bytes` makes writes beyond it fail, as a full disk would. `on_progress` receives a line per step. It ends
    with this process, and on Linux with the thread that calls `start`.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        port: int | None = None,
        password: str = "",
        reader_password: str = "",
        options: Mapping[str, str] | None = None,
        max_clients: int = 100,
        max_file_bytes: int | None = None,
        start_patience_s: float = 60.0,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        self.directory = (directory or _temporary_directory()).absolute()
        self.port = port or processes.free_port()
        self._temporary = directory is None
        self._passwords = {"CLICKHOUSE_PASSWORD": password, "CLICKHOUSE_READER_PASSWORD": reader_password}
        self._options = OPTIONS | dict(options or {})
        self._max_clients = max_clients
        self._max_file_bytes = max_file_bytes
        self._start_patience_s = start_patience_s
        self._say = on_progress or (lambda line: None)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process of the last start."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    @property
    def log(self) -> Path:
        """What the server said since its last start; `clickhouse.log.1` beside it is from the start before."""
        return self.directory / "clickhouse.log"

    def start(self) -> Self:
        """Return when clients can connect. Raises CannotStart, with a message that says what to do."""
        if self.running:
            raise RuntimeError(f"the server runs already, as process {self.pid}")
        if set(GLOB_CHARACTERS) & set(str(self.directory)):
            raise CannotStart(f"{self.directory} contains one of {GLOB_CHARACTERS}: choose another directory")
        try:
            with self._claim_directory() as claim:
                if not processes.is_free(self.port):
                    raise CannotStart(
                        f"port {self.port} is taken: choose another, or stop the program that listens there"
                    )
                self._launch(claim)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop cleanly, if it runs, and remove a temporary directory."""
        if self._process is not None and self.running:
            self._say("ClickHouse: stopping")
            code = processes.terminate(self._process, STOP_PATIENCE_S)
            if code != 0:
                self._say(f"ClickHouse: exit code {code} at its stop, see {self.log}")
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL, as a crash would; `start` brings it back with what it had acknowledged."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _claim_directory(self) -> IO[str]:
        """Make the directory and claim it; whoever inherits the open file holds it. Raises CannotStart."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return processes.lock(self.directory)
        except OSError as error:
            message = f"cannot use the directory {self.directory} ({error.strerror}): choose another one"
            raise CannotStart(message) from error

    def _launch(self, claim: IO[str]) -> None:
        self._say(f"ClickHouse: starting on 127.0.0.1:{self.port}")
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        arguments = [str(self.directory), f"--port={self.port}", f"--max-clients={self._max_clients}"]
        arguments += [f"--option={name}={value}" for name, value in self._options.items()]
        if self._max_file_bytes is not None:
            arguments.append(f"--max-file-bytes={self._max_file_bytes}")
        self._process = processes.spawn(
            [sys.executable, "-m", "embedded.clickhouse", *arguments],
            directory=self.directory,
            log=self.log,
            environment={**os.environ, **self._passwords, "PYTHONPATH": os.pathsep.join([str(PACKAGES), *sys.path])},
            inherit=[claim.fileno()],
        )
        processes.sign(claim, self._process.pid)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_patience_s
        while READY not in self.log.read_bytes():
            if not self.running:
                raise CannotStart(f"ClickHouse ended while it started:\n{processes.last_lines(self.log)}")
            if time.monotonic() > deadline:
                patience = f"{self._start_patience_s:g} s"
                raise CannotStart(f"ClickHouse was not ready in {patience}:\n{processes.last_lines(self.log)}")
            time.sleep(0.02)
        self._say(f"ClickHouse: ready on 127.0.0.1:{self.port}")


def _temporary_directory() -> Path:
    return Path(tempfile.gettempdir()) / f"liqstream-clickhouse-{secrets.token_hex(8)}"

"""The real ClickHouse engine on this machine as a child of this process, behind the native protocol: no Docker."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from embedded.home import Home
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
        self._home = Home("ClickHouse", "server", directory, port, "clickhouse.log", on_progress)
        self.directory = self._home.directory
        self.port = self._home.port
        self.log = self._home.log  # since the last start; `clickhouse.log.1` beside it is from the start before
        self._passwords = {"CLICKHOUSE_PASSWORD": password, "CLICKHOUSE_READER_PASSWORD": reader_password}
        self._options = OPTIONS | dict(options or {})
        self._max_clients = max_clients
        self._max_file_bytes = max_file_bytes
        self._start_patience_s = start_patience_s

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._home.running

    @property
    def pid(self) -> int:
        """The process of the last start."""
        return self._home.pid

    def start(self) -> Self:
        """Return when clients can connect. Raises CannotStart, with a message that says what to do."""
        self._home.check_vacant()
        if set(GLOB_CHARACTERS) & set(str(self.directory)):
            raise CannotStart(f"{self.directory} contains one of {GLOB_CHARACTERS}: choose another directory")
        path = os.pathsep.join([str(PACKAGES), *sys.path])
        with self._home.starting(READY, self._start_patience_s, self.stop) as claim:
            self._home.prepare()
            self._home.launch(self._command(), claim, {**os.environ, **self._passwords, "PYTHONPATH": path})
        return self

    def stop(self) -> None:
        """Stop cleanly, if it runs, and remove a temporary directory."""
        self._home.end(STOP_PATIENCE_S)
        self._home.leave()

    def kill(self) -> None:
        """SIGKILL, as a crash would; `start` brings it back with what it had acknowledged."""
        self._home.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _command(self) -> list[str]:
        arguments = [str(self.directory), f"--port={self.port}", f"--max-clients={self._max_clients}"]
        arguments += [f"--option={name}={value}" for name, value in self._options.items()]
        if self._max_file_bytes is not None:
            arguments.append(f"--max-file-bytes={self._max_file_bytes}")
        return [sys.executable, "-m", "embedded.clickhouse", *arguments]

"""A directory with a port and the server process that lives there: claimed, started, awaited, ended, removed."""

import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from embedded import processes
from embedded.processes import CannotStart


class Home:
    """Where a server lives over all its starts. Progress calls it by its name ("Kafka"), errors by its noun ("broker").

    `path` None is a temporary directory, removed by `leave`; `port` None is a free one; `log` is a file in there.
    """

    def __init__(
        self, name: str, noun: str, path: Path | None, port: int | None, log: str, say: Callable[[str], None] | None
    ) -> None:
        self._name = name
        self._noun = noun
        self._temporary = path is None
        if path is None:
            path = Path(tempfile.gettempdir()) / f"liqstream-{name.lower()}-{secrets.token_hex(8)}"
        self.directory = path.absolute()
        self.log = self.directory / log
        self.port = port or processes.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.say = say or (lambda line: None)
        self.process: subprocess.Popen[bytes] | None = None  # of the last start

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """The process of the last start."""
        if self.process is None:
            raise RuntimeError(f"the {self._noun} does not run")
        return self.process.pid

    def check_vacant(self) -> None:
        """Raise RuntimeError where the process runs already."""
        if self.running:
            raise RuntimeError(f"the {self._noun} runs already, as process {self.pid}")

    @contextmanager
    def starting(self, ready: bytes, patience_s: float, stop: Callable[[], None]) -> Iterator[IO[str]]:
        """Claim the directory for a `launch`, then wait until the log says `ready`; after any failure, `stop`."""
        try:
            with self._claim() as claim:
                yield claim
            self._wait_for(ready, patience_s)
        except BaseException:
            stop()
            raise

    def prepare(self) -> None:
        """Raise CannotStart where the port is taken; put the log of the start before aside, as `.log.1`."""
        if not processes.is_free(self.port):
            raise CannotStart(f"port {self.port} is taken: choose another, or stop the program that listens there")
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))

    def launch(self, command: Sequence[str], claim: IO[str], environment: Mapping[str, str] | None = None) -> None:
        """Let the process move in; it keeps the claim. `environment` None hands on ours."""
        self.say(f"{self._name}: starting on {self.address}")
        self.process = processes.spawn(
            command, directory=self.directory, log=self.log, environment=environment, inherit=[claim.fileno()]
        )
        processes.sign(claim, self.process.pid)

    def end(self, patience_s: float, clean_exits: Collection[int] = (0,)) -> bool:
        """Stop the process, and say so where it does not end cleanly; returns whether it ran."""
        if self.process is None or not self.running:
            return False
        self.say(f"{self._name}: stopping")
        code = processes.terminate(self.process, patience_s)
        if code not in clean_exits:
            self.say(f"{self._name}: exit code {code} at its stop, see {self.log}")
        return True

    def leave(self) -> None:
        """Remove a temporary directory."""
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _claim(self) -> IO[str]:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return processes.lock(self.directory)
        except OSError as error:
            message = f"cannot use the directory {self.directory} ({error.strerror}): choose another one"
            raise CannotStart(message) from error

    def _wait_for(self, ready: bytes, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while ready not in self.log.read_bytes():
            if not self.running:
                raise CannotStart(f"{self._name} ended while it started:\n{processes.last_lines(self.log)}")
            if time.monotonic() > deadline:
                raise CannotStart(f"{self._name} was not ready in {patience_s:g} s:\n{processes.last_lines(self.log)}")
            time.sleep(0.02)
        self.say(f"{self._name}: ready on {self.address}")

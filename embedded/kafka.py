"""A real Apache Kafka broker on this machine, a child of this process: no Docker, no system Java."""

import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from embedded import jars, kafka_properties, processes
from embedded.java import Runtime
from embedded.processes import CannotStart

MIB = 1024 * 1024
STARTED = b"Kafka Server started"  # its last step: the broker is registered, unfenced, and answers
CLEAN_EXITS = (0, 143)  # Java ends a clean stop on SIGTERM with 128 + 15
STOP_PATIENCE_S = 60.0  # the first stop on a machine writes the class archive, which takes some seconds
SMALLEST_DISK_MIB = 256
DRAFT = "classes.aot"
LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",  # says STARTED
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
)


class Broker:
    """One broker that is its own controller (KRaft, plain text, 127.0.0.1 only).

        with Broker() as broker:
            producer = Producer({"bootstrap.servers": broker.bootstrap})

    directory         None: a temporary one, removed by `stop`. Another keeps its records, also over `kill`.
    port              None: a free one. A Broker keeps its port over restarts.
    retention_bytes   of each partition that is not compacted, unless its topic says otherwise
    properties        server properties, which win over ours
    start_patience_s  until `start` gives up
    cache             where the jars are, or go
    on_progress       receives a line per step

    It ends with this process, and on Linux also with the thread that called `start`.
    """

    _runtime: Runtime  # of the last start

    def __init__(
        self,
        directory: Path | None = None,
        *,
        port: int | None = None,
        heap_mb: int = 256,
        retention_bytes: int = 64 * MIB,
        properties: Mapping[str, str] | None = None,
        start_patience_s: float = 60.0,
        cache: Path = jars.CACHE,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        self.directory = (directory or _temporary_directory()).absolute()
        self.port = port or processes.free_port()
        self._temporary = directory is None
        self._heap_mb = heap_mb
        self._retention_bytes = retention_bytes
        self._properties = dict(properties or {})
        self._start_patience_s = start_patience_s
        self._cache = cache
        self._say = on_progress or (lambda line: None)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process of the last start."""
        if self._process is None:
            raise RuntimeError("the broker does not run")
        return self._process.pid

    @property
    def log(self) -> Path:
        """What the broker said since its last start; `broker.log.1` beside it is from the start before."""
        return self.directory / "broker.log"

    def start(self) -> Self:
        """Return when topics can be created. Raises CannotStart, with a message that says what to do."""
        if self.running:
            raise RuntimeError(f"the broker runs already, as process {self.pid}")
        self._runtime = Runtime.of(jars.verified(self._cache, self._say), self._cache)
        try:
            with self._claim_directory() as claim:
                self._check_room_and_port()
                self._prepare_directory()
                self._format()
                self._launch(claim)
            self._wait_until_started()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop cleanly, if it runs, and remove a temporary directory."""
        if self._process is not None and self.running:
            self._say("Kafka: stopping")
            code = processes.terminate(self._process, STOP_PATIENCE_S)
            if code not in CLEAN_EXITS:
                self._say(f"Kafka: exit code {code} at its stop, see {self.log}")
            self._runtime.keep(self.directory / DRAFT)
        self._process = None
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

    def _check_room_and_port(self) -> None:
        free_mib = shutil.disk_usage(self.directory).free // MIB
        if free_mib < SMALLEST_DISK_MIB:
            raise CannotStart(
                f"the disk of {self.directory} has {free_mib} MiB left: free {SMALLEST_DISK_MIB} at least"
            )
        if not processes.is_free(self.port):
            raise CannotStart(f"port {self.port} is taken: choose another, or stop the program that listens there")

    def _prepare_directory(self) -> None:
        shutil.rmtree(self.directory / "tmp", ignore_errors=True)
        (self.directory / "tmp").mkdir()
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        ours = kafka_properties.server_properties(self.port, processes.free_port(), self._retention_bytes)
        kafka_properties.write(ours | self._properties, self.directory / "server.properties")

    def _format(self) -> None:
        """Let Kafka's own tool write the ids of a new node and its feature levels (meta.properties last, and whole).

        The ids alone would be two lines of text, but a node without the levels refuses the new group protocol, KIP-848.
        """
        if (self.directory / "data" / "meta.properties").exists():
            return
        self._say(f"Kafka: preparing {self.directory}")
        cluster_id = secrets.token_hex(11)  # 22 characters that read as base64, none of them a dash
        tool = [*LOGGING, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", "server.properties"]
        command = [*self._runtime.command(self._heap_mb), *tool]
        with self.log.open("ab") as output:
            done = subprocess.run(command, cwd=self.directory, stdout=output, stderr=output, check=False)
        if done.returncode != 0:
            raise CannotStart(f"Kafka cannot prepare {self.directory}:\n{processes.last_lines(self.log)}")

    def _launch(self, claim: IO[str]) -> None:
        self._say(f"Kafka: starting on {self.bootstrap}")
        server = [*LOGGING, "-Djava.io.tmpdir=tmp", "kafka.Kafka", "server.properties"]
        command = [*self._runtime.command(self._heap_mb, draft=DRAFT), *server]
        inherit = [claim.fileno()]
        self._process = processes.spawn(command, directory=self.directory, log=self.log, inherit=inherit)
        processes.sign(claim, self._process.pid)

    def _wait_until_started(self) -> None:
        deadline = time.monotonic() + self._start_patience_s
        while STARTED not in self.log.read_bytes():
            if not self.running:
                raise CannotStart(f"Kafka ended while it started:\n{processes.last_lines(self.log)}")
            if time.monotonic() > deadline:
                patience = f"{self._start_patience_s:g} s"
                raise CannotStart(f"Kafka was not ready in {patience}:\n{processes.last_lines(self.log)}")
            time.sleep(0.02)
        self._say(f"Kafka: ready on {self.bootstrap}")


def _temporary_directory() -> Path:
    return Path(tempfile.gettempdir()) / f"liqstream-kafka-{secrets.token_hex(8)}"

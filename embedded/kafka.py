"""A real Apache Kafka broker on this machine, a child of this process: no Docker, no system Java."""

import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from embedded import jars, kafka_properties, processes
from embedded.home import Home
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
        self._home = Home("Kafka", "broker", directory, port, "broker.log", on_progress)
        self.directory = self._home.directory
        self.port = self._home.port
        self.log = self._home.log  # since the last start; `broker.log.1` beside it is from the start before
        self._heap_mb = heap_mb
        self._retention_bytes = retention_bytes
        self._properties = dict(properties or {})
        self._start_patience_s = start_patience_s
        self._cache = cache

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return self._home.address

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._home.running

    @property
    def pid(self) -> int:
        """The process of the last start."""
        return self._home.pid

    def start(self) -> Self:
        """Return when topics can be created. Raises CannotStart, with a message that says what to do."""
        self._home.check_vacant()
        self._runtime = Runtime.of(jars.verified(self._cache, self._home.say), self._cache)
        with self._home.starting(STARTED, self._start_patience_s, self.stop) as claim:
            self._check_room()
            self._home.prepare()
            self._prepare_directory()
            self._format()
            server = [*LOGGING, "-Djava.io.tmpdir=tmp", "kafka.Kafka", "server.properties"]
            self._home.launch([*self._runtime.command(self._heap_mb, draft=DRAFT), *server], claim)
        return self

    def stop(self) -> None:
        """Stop cleanly, if it runs, and remove a temporary directory."""
        if self._home.end(STOP_PATIENCE_S, CLEAN_EXITS):
            self._runtime.keep(self.directory / DRAFT)
        self._home.process = None  # after a stop there is no `pid`
        self._home.leave()

    def kill(self) -> None:
        """SIGKILL, as a crash would; `start` brings it back with what it had acknowledged."""
        self._home.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _check_room(self) -> None:
        free_mib = shutil.disk_usage(self.directory).free // MIB
        if free_mib < SMALLEST_DISK_MIB:
            raise CannotStart(
                f"the disk of {self.directory} has {free_mib} MiB left: free {SMALLEST_DISK_MIB} at least"
            )

    def _prepare_directory(self) -> None:
        shutil.rmtree(self.directory / "tmp", ignore_errors=True)
        (self.directory / "tmp").mkdir()
        ours = kafka_properties.server_properties(self.port, processes.free_port(), self._retention_bytes)
        kafka_properties.write(ours | self._properties, self.directory / "server.properties")

    def _format(self) -> None:
        """Let Kafka's own tool write the ids of a new node and its feature levels (meta.properties last, and whole).

        The ids alone would be two lines of text, but a node without the levels refuses the new group protocol, KIP-848.
        """
        if (self.directory / "data" / "meta.properties").exists():
            return
        self._home.say(f"Kafka: preparing {self.directory}")
        cluster_id = secrets.token_hex(11)  # 22 characters that read as base64, none of them a dash
        tool = [*LOGGING, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", "server.properties"]
        command = [*self._runtime.command(self._heap_mb), *tool]
        with self.log.open("ab") as output:
            done = subprocess.run(command, cwd=self.directory, stdout=output, stderr=output, check=False)
        if done.returncode != 0:
            raise CannotStart(f"Kafka cannot prepare {self.directory}:\n{processes.last_lines(self.log)}")

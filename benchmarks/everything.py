"""The product as a user starts it, `liq run`, in a directory of its own and on free ports."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from embedded.processes import free_port, is_free, last_lines, spawn, terminate
from pipeline.settings import Settings, child_environment, load
from sinks.connection import AWAY, REFUSED, ClickHouse, connect
from sinks.queries import counts

LIMIT_S = 120.0
STOP_S = 60.0
POLL_S = 0.05
READY = "all parts are ready"


@dataclass(frozen=True)
class Everything:
    """A started `liq run`, which need not be ready yet."""

    process: subprocess.Popen[bytes]
    log: Path
    settings: Settings
    started_s: float  # monotonic

    def wait_for_rows(self) -> float:
        """Return how many seconds after the start the first row lay in ClickHouse."""
        where = ClickHouse(self.settings.clickhouse_host, self.settings.clickhouse_port, self.settings.database)
        while not self._rows(where):
            self.check()
            time.sleep(POLL_S)
        return time.monotonic() - self.started_s

    def wait_until_ready(self) -> None:
        """Return when all parts work."""
        while READY not in self.log.read_text():
            self.check()
            time.sleep(POLL_S)

    def child(self, *arguments: str) -> psutil.Process:
        """Return the service that was started with these arguments."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return next(child for child in children if child.cmdline()[-len(arguments) :] == list(arguments))

    def children(self) -> set[tuple[int, float]]:
        """Return pid and start of every process in it."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return {(child.pid, child.create_time()) for child in children}

    def check(self) -> None:
        """Raise where it ended, or takes too long."""
        if self.process.poll() is not None or time.monotonic() - self.started_s > LIMIT_S:
            raise RuntimeError(f"`liq run` did not go on:\n{last_lines(self.log)}")

    def _rows(self, where: ClickHouse) -> int:
        if is_free(where.port):
            return 0
        try:
            with connect(where) as client:
                return sum(counts(client, where.database).values())
        except (*AWAY, REFUSED):
            return 0


@contextmanager
def everything(rate: int) -> Iterator[Everything]:
    """Start `liq run` with so many simulated frames a second; stop it afterwards."""
    with tempfile.TemporaryDirectory(prefix="liqstream-bench-") as name:
        directory, log = Path(name), Path(name) / "run.log"
        kafka, clickhouse, simulator = free_port(), free_port(), free_port()
        where = {"kafka_brokers": f"127.0.0.1:{kafka}", "clickhouse_port": clickhouse}
        settings = load({"market": "sim", "data_dir": directory, **where})
        ports = ["--kafka-port", kafka, "--clickhouse-port", clickhouse, "--simulator-port", simulator]
        command = [sys.executable, "-m", "pipeline", "run", "--rate", str(rate), *map(str, ports)]
        started_s = time.monotonic()
        process = spawn(command, directory=Path.cwd(), log=log, environment=child_environment(settings))
        try:
            yield Everything(process, log, settings, started_s)
        finally:
            terminate(process, STOP_S)

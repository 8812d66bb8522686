"""The processes of the all-in-one run: started, watched, started again, stopped."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embedded.processes import last_lines, spawn, terminate

from .exits import Ended

log = logging.getLogger(__name__)

RESTARTS = 5  # in RESTART_WINDOW_S; a service that dies more often will not heal by itself
RESTART_WINDOW_S = 120.0
STOP_LIMIT_S = 25.0


@dataclass
class Service:
    """One process of ours: `liq ARGUMENTS`, with a log and a health file."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    process: subprocess.Popen[bytes] | None = None
    starts: deque[float] = field(default_factory=deque)

    @property
    def log(self) -> Path:
        """Return where its output goes."""
        return self.directory / f"{self.name}.log"

    @property
    def health(self) -> Path:
        """Return the file that it touches while it works."""
        return self.directory / f"{self.name}.alive"

    def start(self) -> None:
        """Start it; it ends when this process does. Call from a thread that lives as long."""
        self.health.unlink(missing_ok=True)
        self.starts.append(time.monotonic())
        command = [sys.executable, "-m", "pipeline", *self.arguments]
        environment = {**self.environment, "LIQ_HEALTH_FILE": str(self.health.absolute())}
        self.process = spawn(command, directory=Path.cwd(), log=self.log, environment=environment)

    @property
    def is_ready(self) -> bool:
        """Say whether it works already."""
        return self.health.exists()

    def watch(self) -> None:
        """Start it again where it died; raise `Ended` where it keeps dying."""
        if self.process is None or self.process.poll() is None:
            return
        now = time.monotonic()
        while self.starts and self.starts[0] < now - RESTART_WINDOW_S:
            self.starts.popleft()
        if len(self.starts) > RESTARTS:
            raise Ended(
                f"{self.name} ended {RESTARTS} times, last with code {self.process.returncode}:\n{last_lines(self.log)}"
            )
        log.warning(
            "%s ended with code %d, starting it again; its log: %s", self.name, self.process.returncode, self.log
        )
        self.start()

    def stop(self) -> None:
        """End it and wait for that."""
        if self.process and self.process.poll() is None:
            terminate(self.process, STOP_LIMIT_S)


def wait_until_ready(services: Sequence[Service], limit_s: float) -> None:
    """Wait until every service works, say so for each; raise `Ended` where one ends or takes too long."""
    waiting, deadline = list(services), time.monotonic() + limit_s
    while waiting:
        for service in [service for service in waiting if service.is_ready]:
            log.info("%s is ready", service.name)
            waiting.remove(service)
        for service in waiting:
            assert service.process is not None
            if service.process.poll() is not None:
                raise Ended(f"{service.name} ended with code {service.process.returncode}:\n{last_lines(service.log)}")
        if time.monotonic() > deadline:
            logs = "\n".join(f"{service.log} ends with:\n{last_lines(service.log)}" for service in waiting)
            raise Ended(f"not ready after {limit_s:.0f} s: {', '.join(s.name for s in waiting)}\n{logs}")
        time.sleep(0.05)

"""A real Apache Kafka broker on this machine, a child of this process: no Docker, no system Java."""

import base64
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from embedded import jars, processes
from embedded.archive import Archive
from embedded.java import OPTIONS, java
from embedded.processes import CannotStart

MIB = 1024 * 1024
STARTED = b"Kafka Server started"  # KafkaRaftServer says so once the broker is registered and answers
STOPPED_BY_SIGTERM = 143  # what Java makes of it; a clean stop
STOP_PATIENCE_S = 30.0
SMALLEST_FREE_DISK = 256 * MIB


class Broker:
    """One broker that is its own controller (KRaft, PLAINTEXT, 127.0.0.1 only).

        with Broker() as broker:
            Producer({"bootstrap.servers": broker.bootstrap})

    `directory` None is a temporary one, removed by `stop`; another keeps its records, also over `kill`. `port` None
    is a free one; a Broker keeps its port over restarts. `retention_bytes` bounds each partition that is not
    compacted and sets no bound itself. `properties` are server properties that win over ours. `on_progress` receives
    a line per step. It ends with this process, and on Linux with the thread that calls `start`.
    """

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
        self.port = port or processes.free_port()
        self._asked_directory = directory
        self._heap_mb = heap_mb
        self._retention_bytes = retention_bytes
        self._properties = dict(properties or {})
        self._start_patience_s = start_patience_s
        self._cache = cache
        self._say = on_progress or (lambda line: None)
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, also before `start`."""
        return f"127.0.0.1:{self.port}"

"""One run of one contestant: from the start of its process until its last output, with the CPU it spent on the job."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from embedded.processes import last_lines, spawn, terminate

from .contestants.job import Job
from .topics import Offsets, Topics

LIMIT_S = 60.0
POLL_S = 0.02
STOP_S = 25.0


@dataclass(frozen=True)
class Done:
    """What a run came to."""

    cpu_s: float  # from the first record to the last output, all threads, user and system
    wall_s: float
    start: Offsets  # where its outputs lie
    end: Offsets


@contextmanager
def child(name: str, told: msgspec.Struct, log: Path) -> Iterator[psutil.Process]:
    """Run `contestants/<name>.py`; stop it afterwards."""
    text = msgspec.json.encode(told, enc_hook=str).decode()
    command = [sys.executable, "-m", f"{__package__}.contestants.{name}", text]
    process = spawn(command, directory=Path.cwd(), log=log)
    try:
        yield psutil.Process(process.pid)
    finally:
        terminate(process, STOP_S)


def run(name: str, job: Job, topics: Topics, outputs: int) -> Done:
    """Run a contestant until it has published so many records."""
    start = topics.ends(job.outputs)
    due, deadline = sum(start.values()) + outputs, time.monotonic() + LIMIT_S
    log = job.note.with_suffix(".log")
    with child(name, job, log) as process:
        while not job.note.exists() and time.monotonic() < deadline and process.is_running():
            time.sleep(POLL_S)
        began_s = time.monotonic()
        while True:
            now = topics.ends(job.outputs)
            spent = process.cpu_times()
            if sum(now.values()) >= due:
                break
            if time.monotonic() > deadline or process.status() == psutil.STATUS_ZOMBIE:
                done = f"{sum(now.values()) - sum(start.values())} of {outputs} outputs are published"
                raise RuntimeError(f"{name} did not end, {done}:\n{last_lines(log)}")
            time.sleep(POLL_S)
        wall_s = time.monotonic() - began_s
        cpu_s = spent.user + spent.system - float(job.note.read_text())
    end = topics.ends(job.outputs)
    return Done(cpu_s, wall_s, start, end)


@contextmanager
def notes() -> Iterator[Path]:
    """Hand over a directory for notes and logs of the runs."""
    with tempfile.TemporaryDirectory(prefix="liqstream-bench-") as directory:
        yield Path(directory)

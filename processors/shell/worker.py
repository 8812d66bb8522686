"""Run one stage as a worker process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

import faust
from prometheus_client import REGISTRY

from schemas.topics import full_name

from ..processor import Processor
from . import app, drain, transport
from .connection import Client
from .lanes import Lanes
from .loading import Loader
from .metrics import StageMetrics
from .outbox import Outbox
from .state import StateTopic
from .tuning import Tuning
from .warm_up import warm_up

EXIT_WRONG = 1
CHATTY = ("faust", "mode", "aiokafka", *(module.__name__ for module in (app, drain, transport)))  # pages a rebalance
SOAKED = Tuning()
log = logging.getLogger(__name__)


def run_worker(
    name: str,
    make: Callable[[int], Processor],
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    prefix: str,
    client: Client,
    instance: str | None = None,
    health_file: Path | None = None,
    tuning: Tuning = SOAKED,
) -> NoReturn:
    """Run the stage `name` until it is told to stop; `make(lane)` makes the processor of one partition number.

    `inputs` and `outputs` are topics without prefix; so is `state.<name>`, which holds the snapshots. `client` holds
    librdkafka's settings. A stable `instance` per replica lets a restarted worker have its partitions back at once.
    The caller has seen that all topics are there, inputs and state with equal numbers of partitions: for what is
    missing Faust would wait in silence. Exit codes: 0 after SIGTERM, 1 after a crash, 4 when Kafka goes away
    during the start. Logging stays as the caller configured it; metrics are in the default registry of
    prometheus_client.
    """
    named = partial(full_name, prefix)
    read, write, state = {n: named(n) for n in inputs}, {n: named(n) for n in outputs}, named(f"state.{name}")
    outbox, store = Outbox(client, write), StateTopic(client, state)
    lanes = Lanes(Loader(make, read, partial(warm_up, client), tuning), outbox, store)
    made = app.create_app(
        f"{prefix}{name}", lanes, outbox, list(read.values()), client=client, instance=instance, tuning=tuning
    )
    if health_file:
        app.watch(made, health_file, tuning.patience_s)
    REGISTRY.register(StageMetrics(name, lanes, outbox))
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    worker = faust.Worker(made, quiet=True, redirect_stdouts=False, override_logging=False)
    worker.spinner = None  # it would write to the terminal
    worker.execute_from_commandline()
    raise SystemExit(EXIT_WRONG)

"""The sink: every topic with a table into ClickHouse, at least once, each row under its own identity."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.topics import full_name

from .connection import ClickHouse
from .failures import CannotGoOn
from .inbox import Abandoned, Inbox
from .store import Store
from .tables import TABLES
from .writer import AWAY_LIMIT_S, Writer

FAILURE = 1

log = logging.getLogger(__name__)


def run(
    *,
    prefix: str,
    client: Mapping[str, Any],
    clickhouse: ClickHouse,
    group: str,
    instance: str | None = None,
    health_file: Path | None = None,
    away_limit_s: float = AWAY_LIMIT_S,
    stop: threading.Event | None = None,
) -> int:
    """Run until SIGTERM or SIGINT, or until another thread sets `stop`; return the exit code.

    `client` are librdkafka settings, `group` is the consumer group, and `instance` names this replica for static
    membership. `health_file` appears with the first assignment and is touched while the work goes on.
    """
    stop = stop or _stop_at_signals()
    topics = [full_name(prefix, table.topic) for table in TABLES.values()]
    inbox = Inbox(client, topics, group=group, instance=instance, stop=stop, health_file=health_file)
    writer = Writer(clickhouse, inbox.rest, away_limit_s)
    store = Store(writer, client, prefix)
    try:
        _work(inbox, writer, store, stop)
    except CannotGoOn as error:
        log.error("%s", error)
        return FAILURE
    finally:
        writer.close()
        inbox.close()
    return 0


def _stop_at_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _work(inbox: Inbox, writer: Writer, store: Store, stop: threading.Event) -> None:
    is_verified = False
    while not stop.is_set():
        try:
            if not is_verified:
                writer.verify()
                is_verified = True
            batch = inbox.gather()
            store.keep(batch)
            inbox.commit(batch)
        except Abandoned:
            log.info("abandoned")

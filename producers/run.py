"""The process of one exchange: from settings to an exit code."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import aiohttp

from schemas.avro import decode
from schemas.raw import RawBatch

from .collector import Collector
from .dry_run import Lines
from .exchange import Exchange
from .kafka import KafkaAway, KafkaFailed, RawTopic
from .raw import Frames, Sink
from .registry import EXCHANGES
from .rest import Rest
from .spool import Spool, SpoolUnusable
from .tail import last_stored, proven_until, spooled_until

log = logging.getLogger(__name__)

DRAIN_S = 3.0  # with the second that sockets may take to close, below the five that a stop may take
SCHEMES = ("ws://", "wss://", "http://", "https://")


def run(
    exchange: str,
    *,
    urls: Mapping[str, str],
    majors: Sequence[str],
    prefix: str,
    client: Mapping[str, str],
    spool_dir: Path,
    spool_mib: int,
    health_file: Path | None = None,
    dry_run: bool = False,
) -> int:
    """Collect one exchange until SIGTERM or SIGINT; return the exit code. For the main thread of a process.

    `exchange` is one of the registry. `urls` override its hosts by name (`ws`, `rest`); `majors` are the assets whose
    trades are read too; `client` are librdkafka's settings. `spool_dir`, of this producer alone, keeps up to
    `spool_mib` MiB while Kafka is away; at the start too, where it holds something of a life before, else the code is
    4. `health_file` appears once everything is subscribed and is touched every second while heartbeats are safe, in
    Kafka or in the spool. With `dry_run` frames are printed, and neither Kafka nor the spool is used.
    """
    if error := _mistake(exchange, urls):
        log.error("%s", error)
        return 2
    chosen = EXCHANGES[exchange]
    try:
        if dry_run:
            return asyncio.run(_collect(chosen, urls, majors, Lines(sys.stdout), 0, health_file))
        with Spool(spool_dir, spool_mib << 20) as spool:
            topic, since_ns = open_topic(exchange, prefix, client, spool)
            with closing(topic):
                return asyncio.run(_collect(chosen, urls, majors, topic, since_ns, health_file))
    except (KafkaFailed, SpoolUnusable) as error:
        log.error("%s", error)
        return 4 if isinstance(error, KafkaAway) else 1


def _mistake(exchange: str, urls: Mapping[str, str]) -> str:
    for name, url in urls.items():
        if name not in EXCHANGES[exchange].hosts:
            return f"{exchange} has no host {name!r}, expected one of: {', '.join(EXCHANGES[exchange].hosts)}"
        if not url.startswith(SCHEMES):
            return f"{exchange}: the host {name} is {url!r}, expected it to start with one of: {', '.join(SCHEMES)}"
    return ""


def open_topic(exchange: str, prefix: str, client: Mapping[str, str], spool: Spool) -> tuple[RawTopic, int]:
    """Return the topic, and until when raw is complete; raise `KafkaAway` where neither Kafka nor the spool tells."""
    try:
        since_ns = resume(exchange, prefix, client, spool)
    except KafkaAway as away:
        since_ns, oldest = spooled_until(_newest_first(spool)), spool.peek()
        if not since_ns or not oldest:
            raise
        log.warning("frames go behind the %d batches in %s: %s", len(spool), spool.directory, away)
        stored = partial(last_stored, exchange, prefix, client, oldest.timestamp_ms)
        return RawTopic(exchange, prefix, client, spool, stored), since_ns
    return RawTopic(exchange, prefix, client, spool), since_ns


def resume(exchange: str, prefix: str, client: Mapping[str, str], spool: Spool) -> int:
    """Let the spool go of what is stored, and return until when raw is complete once all of the spool is."""
    if oldest := spool.peek():
        spool.discard(last_stored(exchange, prefix, client, oldest.timestamp_ms))
        log.info("%s: %d batches of a run before wait in %s", exchange, len(spool), spool.directory)
    return proven_until(exchange, prefix, client, _newest_first(spool))


def _newest_first(spool: Spool) -> Iterator[RawBatch]:
    return (decode(entry.value, RawBatch) for entry in spool.newest_first())


async def _collect(
    exchange: Exchange,
    urls: Mapping[str, str],
    majors: Sequence[str],
    sink: Sink,
    since_ns: int,
    health_file: Path | None,
) -> int:
    hosts = {name: url.rstrip("/") for name, url in {**exchange.hosts, **urls}.items()}
    frames = Frames(exchange.name, sink)
    log.info("%s: run %s begins, stored before until %d", exchange.name, frames.run_id, since_ns)
    _forget(health_file)
    try:
        async with aiohttp.ClientSession() as session:
            rest = Rest(session, exchange, hosts, frames)
            collector = Collector(exchange, hosts, majors, frames, rest, since_ns=since_ns)
            await _until_signal(collector, sink, health_file)
    finally:
        _forget(health_file)
    frames.flush()
    lost = await sink.drain(DRAIN_S)
    if lost:
        raise KafkaFailed(f"{exchange.name}: {lost} batches not delivered; the next start says which gap they left")
    return 0


async def _until_signal(collector: Collector, sink: Sink, health_file: Path | None) -> None:
    """Work until a signal or a failure, which is raised."""
    work = asyncio.create_task(collector.run(sink, health_file))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        log.info("stopped")
    except ExceptionGroup as failures:
        expected = failures.subgroup(KafkaFailed)
        raise expected.exceptions[0] if expected else failures from None


def _forget(health_file: Path | None) -> None:
    if health_file:
        health_file.unlink(missing_ok=True)

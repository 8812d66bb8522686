"""CPU that three exchanges take together: their producers and the worker of the stage, from sockets to topics.

Each exchange is played from a tape by a process of its own; the sockets, the producers, the broker and the worker are
the real ones. What plays the tapes, and the broker, are not counted.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from confluent_kafka import Consumer, TopicPartition

from embedded.kafka import Broker
from embedded.processes import free_port
from pipeline.services import Service, wait_until_ready
from pipeline.settings import Settings, child_environment, load
from pipeline.setup import create_topics
from pipeline.status import lag
from schemas.avro import decode
from schemas.exchanges import RAW_PARTITION
from schemas.raw import RawBatch, SourceKind
from schemas.topics import full_name
from simulator.exchanges.registry import urls

from .contestants.replay import Played
from .figures import Figure
from .run import LIMIT_S, child
from .tape import MAJORS
from .topics import ASSET_PARTITIONS, READING

EXCHANGES = ("binance", "bybit", "okx")
RATE = 5_000  # frames a second, of each
LEAST_RECEIVED = 0.99  # of them
MOST_CORES = 1.2
START_S, WARM_S, WINDOW_S = 60, 8, 20  # everything is up once START_S are over, and the tapes begin
POLL_S = 0.2
LONGEST_LAG = 1_000  # batches that the worker has not committed: some three seconds of all exchanges
RETENTION_BYTES = 1 << 30
WORKER = "worker"


class Window(NamedTuple):
    """What was spent in some time."""

    begin_s: float  # since the epoch
    end_s: float
    cpu_s: Mapping[str, float]  # by exchange, of its producer, and of the worker
    lag: int  # batches that the worker had not committed at the end


def measure() -> list[Figure]:
    """Measure one window."""
    with _everything() as (settings, processes):
        window = _window(settings, processes)
        received = {exchange: _received(settings, exchange, window) for exchange in EXCHANGES}
    seconds = window.end_s - window.begin_s
    cores = {name: spent / seconds for name, spent in window.cpu_s.items()}
    rates = {exchange: count / seconds for exchange, count in received.items()}
    return [
        *(
            Figure(f"{exchange}: frames received", rate, "frames/s", at_least=LEAST_RECEIVED * RATE)
            for exchange, rate in rates.items()
        ),
        *(
            Figure(f"{exchange}: its producer", cores[exchange] / rate * 1e6, "us/frame")
            for exchange, rate in rates.items()
        ),
        Figure("the worker", cores[WORKER] / sum(rates.values()) * 1e6, "us/frame"),
        Figure("the worker: batches behind", window.lag, "", at_most=LONGEST_LAG),
        Figure("producers", sum(cores.values()) - cores[WORKER], "cores"),
        Figure("producers and worker", sum(cores.values()), "cores", at_most=MOST_CORES),
    ]


@contextmanager
def _everything() -> Iterator[tuple[Settings, Mapping[str, psutil.Process]]]:
    """Run three exchanges, their producers and the worker; hand over those who are measured, once the tapes play."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="liqstream-bench-")))
        begin_s = time.time() + START_S
        ports = {exchange: _play(stack, exchange, begin_s, directory) for exchange in EXCHANGES}
        broker = stack.enter_context(Broker(retention_bytes=RETENTION_BYTES))
        settings = load(
            {
                "market": "sim",
                "data_dir": directory,
                "kafka_brokers": broker.bootstrap,
                "asset_partitions": ASSET_PARTITIONS,
            }
        )
        create_topics(settings)
        hosts = {f"urls__{name}__{host}": url for name in EXCHANGES for host, url in urls(name, ports[name]).items()}
        environment = child_environment(settings, kafka_brokers=broker.bootstrap, majors=",".join(MAJORS), **hosts)
        commands = {WORKER: ("process", "normalize"), **{name: ("produce", name) for name in EXCHANGES}}
        services = [Service(name, command, environment, directory) for name, command in commands.items()]
        for service in services:
            service.start()
            stack.callback(service.stop)
            wait_until_ready([service], begin_s - time.time())
        time.sleep(max(0.0, begin_s + WARM_S - time.time()))
        yield settings, {each.name: psutil.Process(each.process.pid) for each in services if each.process}


def _play(stack: ExitStack, exchange: str, begin_s: float, directory: Path) -> int:
    """Play an exchange's tape on a port, which is returned; what fails to be ready ends the benchmark later."""
    port = free_port()
    played = Played(
        exchange=exchange,
        port=port,
        begin_ms=int(begin_s * 1000),
        seconds=WARM_S + WINDOW_S + WARM_S,
        rate=RATE,
    )
    stack.enter_context(child("replay", played, directory / f"replay-{exchange}.log"))
    return port


def _window(settings: Settings, processes: Mapping[str, psutil.Process]) -> Window:
    begin_s, before = time.time(), _cpu_s(processes)
    time.sleep(WINDOW_S)
    end_s, after = time.time(), _cpu_s(processes)
    behind = lag(settings)["normalize"]
    spent = {name: after[name] - before[name] for name in processes}
    return Window(begin_s, end_s, spent, -1 if behind is None else behind)


def _cpu_s(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Return user and system time, of all threads."""
    times = {name: process.cpu_times() for name, process in processes.items()}
    return {name: spent.user + spent.system for name, spent in times.items()}


def _received(settings: Settings, exchange: str, window: Window) -> int:
    """Return how many frames of the window lie in raw; those that the producer says itself are not counted."""
    partition = TopicPartition(full_name(settings.prefix, "raw"), RAW_PARTITION[exchange])
    consumer = Consumer({**settings.kafka, **READING})
    _, end = consumer.get_watermark_offsets(partition, timeout=LIMIT_S)
    partition.offset = 0
    consumer.assign([partition])
    found = position = 0
    while position < end:
        for message in consumer.consume(100, POLL_S):
            position = (message.offset() or 0) + 1
            found += _within(decode(message.value() or b"", RawBatch), window)
    consumer.close()
    return found


def _within(batch: RawBatch, window: Window) -> int:
    return sum(
        batch.sources[frame.source].kind is SourceKind.FRAME
        and window.begin_s <= frame.received_ns / 1e9 < window.end_s
        for frame in batch.frames()
    )

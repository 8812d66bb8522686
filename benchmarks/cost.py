"""CPU that three exchanges take together: their producers and the worker of the stage, from sockets to topics.

Each exchange is played from a tape by a process of its own; the sockets, the producers, the broker and the worker are
the real ones. What plays the tapes, and the broker, are not counted.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
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
from pipeline.status import held, lag
from processors.normalize.publications import OUTPUTS
from processors.processor import Input
from processors.stages import normalize
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
LEAST = 0.99  # of them
MOST_CORES = 1.2
START_S, WARM_S, WINDOW_S = 60, 8, 20  # everything is up once START_S are over, and the tapes begin
POLL_S = 0.2
LEAST_WORKED_OFF = 0.9  # of the batches that come, by what is committed: that is as much as a second behind
RETENTION_BYTES = 1 << 30
WORKER = "worker"
FRAME = SourceKind.FRAME  # looked up once: Python 3.11 is slow at it


class Window(NamedTuple):
    """What was spent in some time."""

    begin_s: float  # since the epoch
    end_s: float
    cpu_s: Mapping[str, float]  # by exchange, of its producer, and of the worker
    fallen_behind: int  # batches that came and were not committed, beyond those at its begin
    machine: float  # cores that were busy, with everything that anybody ran


class Came(NamedTuple):
    """What an exchange brought in that time."""

    frames: int
    batches: int


def measure() -> list[Figure]:
    """Measure one window."""
    with _everything() as (settings, processes):
        window = _window(settings, processes)
        stored = {exchange: _stored(settings, exchange) for exchange in EXCHANGES}
        refused = held(settings)[full_name(settings.prefix, "dead-letters")]
    came = {exchange: _came(records, window) for exchange, records in stored.items()}
    stage_us = {exchange: _stage_us(exchange, records) for exchange, records in stored.items()}
    return [
        *_validity(window, came),
        Figure("dead letters", refused, "", at_most=0),
        *(Figure(f"{name}: the stage alone, without Kafka", cost, "us/frame") for name, cost in stage_us.items()),
        *_costs(window, came),
    ]


def _validity(window: Window, came: Mapping[str, Came]) -> list[Figure]:
    """Say whether the load was the one promised, and was worked off: another one costs something else."""
    seconds = window.end_s - window.begin_s
    return [
        *(
            Figure(f"{exchange}: frames received", count.frames / seconds, "frames/s", at_least=LEAST * RATE)
            for exchange, count in came.items()
        ),
        Figure("the worker: of what came, worked off", _worked_off(window, came), "", at_least=LEAST_WORKED_OFF),
        Figure("everything that runs on this machine", window.machine, "cores"),
    ]


def _costs(window: Window, came: Mapping[str, Came]) -> list[Figure]:
    """A worker that falls behind is no cheap worker: its cost is that of the frames it worked off."""
    producers_us = {exchange: window.cpu_s[exchange] / came[exchange].frames * 1e6 for exchange in EXCHANGES}
    frames = sum(count.frames for count in came.values())
    worker_us = window.cpu_s[WORKER] / (frames * _worked_off(window, came)) * 1e6
    producers, worker = sum(producers_us.values()) * RATE / 1e6, worker_us * len(EXCHANGES) * RATE / 1e6
    return [
        *(Figure(f"{exchange}: its producer", cost, "us/frame") for exchange, cost in producers_us.items()),
        Figure("the worker", worker_us, "us/frame"),
        Figure("producers", producers, "cores"),
        Figure("the worker", worker, "cores"),
        Figure("producers and worker", producers + worker, "cores", at_most=MOST_CORES),
    ]


def _worked_off(window: Window, came: Mapping[str, Came]) -> float:
    return 1 - window.fallen_behind / sum(count.batches for count in came.values())


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
    lag_before = _lag(settings)
    psutil.cpu_percent()
    begin_s, before = time.time(), _cpu_s(processes)
    time.sleep(WINDOW_S)
    end_s, after = time.time(), _cpu_s(processes)
    busy = psutil.cpu_percent() / 100 * psutil.cpu_count()
    spent = {name: after[name] - before[name] for name in processes}
    return Window(begin_s, end_s, spent, _lag(settings) - lag_before, busy)


def _lag(settings: Settings) -> int:
    behind = lag(settings)["normalize"]
    if behind is None:
        raise RuntimeError("the worker has committed nothing")
    return behind


def _cpu_s(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Return user and system time, of all threads."""
    times = {name: process.cpu_times() for name, process in processes.items()}
    return {name: spent.user + spent.system for name, spent in times.items()}


def _stored(settings: Settings, exchange: str) -> list[Input]:
    """Return what lies in raw."""
    partition = TopicPartition(full_name(settings.prefix, "raw"), RAW_PARTITION[exchange], 0)
    consumer = Consumer({**settings.kafka, **READING})
    _, end = consumer.get_watermark_offsets(partition, timeout=LIMIT_S)
    consumer.assign([partition])
    found: list[Input] = []
    while len(found) < end:
        for message in consumer.consume(100, POLL_S):
            found.append(Input("raw", partition.partition, len(found), 0, None, message.value(), ()))
    consumer.close()
    return found


def _came(records: Iterable[Input], window: Window) -> Came:
    """Count what came within the window; frames that the producer says itself are not counted."""
    begin_ns, end_ns = int(window.begin_s * 1e9), int(window.end_s * 1e9)
    frames = batches = 0
    for record in records:
        batch = decode(record.value or b"", RawBatch)
        within = [frame for frame in batch.frames() if begin_ns <= frame.received_ns < end_ns]
        frames += sum(batch.sources[frame.source].kind is FRAME for frame in within)
        batches += bool(within)
    return Came(frames, batches)


def _stage_us(exchange: str, records: Iterable[Input]) -> float:
    """Return the CPU us per frame of the stage, from bytes to bytes."""
    stage, began_s = normalize(exchange, ASSET_PARTITIONS, OUTPUTS), time.process_time()
    for record in records:
        stage.process(record)
    return (time.process_time() - began_s) / stage.frames * 1e6

"""From a frame at the producer's socket to its liquidation at a consumer: a median and a tail at two rates."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from embedded.kafka import Broker
from embedded.processes import free_port
from pipeline.services import Service, wait_until_ready
from pipeline.settings import Settings, child_environment, load
from pipeline.setup import create_topics
from schemas.avro import decode
from schemas.raw import RawBatch
from schemas.records import Liquidation
from schemas.topics import full_name

from .figures import Figure, middle, percentile
from .topics import ASSET_PARTITIONS, READING

RATES = (1_000, 5_000)
ASKED = 1.25  # times the rate: trades of some coins are not subscribed, and tickers without a change are not sent
LIQUIDATIONS = 50.0  # a second
RUNS, RUN_S, SETTLE_S = 5, 8.0, 4.0
READY_S = 60.0
LONGEST_MEDIAN_MS, LONGEST_P99_MS = 25.0, 150.0
COINS = "BTC,ETH,SOL,XRP,DOGE,PEPE,SHIB,BONK"  # whose trades are read: most of them


def measure() -> list[Figure]:
    """Measure each rate."""
    return [figure for rate in RATES for figure in _at(rate)]


def _at(rate: int) -> list[Figure]:
    with _flowing(rate) as settings:
        consumer = Consumer({**settings.kafka, **READING, "auto.offset.reset": "latest"})
        _assign(consumer, settings)
        _read(consumer, settings, SETTLE_S)
        runs = [_read(consumer, settings, RUN_S) for _ in range(RUNS)]
        consumer.close()
    for latencies, frames in runs:
        median, tail = percentile(latencies, 0.5), percentile(latencies, 0.99)
        print(f"  {frames / RUN_S:.0f} frames/s, {len(latencies)} liquidations, p50 {median:.1f} ms, p99 {tail:.1f} ms")
    medians = [percentile(latencies, 0.5) for latencies, _ in runs]
    tails = [percentile(latencies, 0.99) for latencies, _ in runs]
    return [
        Figure(
            f"{rate} frames/s: frames received",
            middle([frames / RUN_S for _, frames in runs]),
            "frames/s",
            at_least=rate,
        ),
        Figure(f"{rate} frames/s: p50", middle(medians), "ms", at_most=LONGEST_MEDIAN_MS),
        Figure(f"{rate} frames/s: p99", middle(tails), "ms", at_most=LONGEST_P99_MS),
    ]


def _read(consumer: Consumer, settings: Settings, seconds: float) -> tuple[list[float], int]:
    """Return the latencies (ms) of the liquidations that come, and how many raw frames came beside them.

    Of the raw batches only the first and the last are decoded: the frames of a run are numbered.
    """
    latencies, batches, end_s = [], [], time.monotonic() + seconds
    raw = full_name(settings.prefix, "raw")
    while time.monotonic() < end_s:
        message = consumer.poll(0.05)
        if message is None or message.error() or message.value() is None:
            continue
        now_ms, value = time.time() * 1000, message.value() or b""
        if message.topic() == raw:
            batches.append(value)
        else:
            latencies.append(now_ms - decode(value, Liquidation).received_ms)
    return latencies, decode(batches[-1], RawBatch).first_seq - decode(batches[0], RawBatch).first_seq


def _assign(consumer: Consumer, settings: Settings) -> None:
    found = consumer.list_topics(timeout=READY_S).topics
    names = [full_name(settings.prefix, name) for name in ("liquidations", "raw")]
    consumer.assign([TopicPartition(name, number) for name in names for number in found[name].partitions])


@contextmanager
def _flowing(rate: int) -> Iterator[Settings]:
    """Run a simulated exchange, its producer and the worker."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="liqstream-bench-")))
        broker = stack.enter_context(Broker())
        settings = load({"market": "sim", "kafka_brokers": broker.bootstrap, "asset_partitions": ASSET_PARTITIONS})
        create_topics(settings)
        port = free_port()
        urls = {"urls__bybit__ws": f"ws://127.0.0.1:{port}", "urls__bybit__rest": f"http://127.0.0.1:{port}"}
        environment = child_environment(settings, kafka_brokers=broker.bootstrap, majors=COINS, **urls)
        pace = ("--port", str(port), "--rate", str(ASKED * rate), "--liquidations", str(LIQUIDATIONS))
        for arguments in (("simulate", "bybit", *pace), ("process", "normalize"), ("produce", "bybit")):
            service = Service(arguments[0], arguments, environment, directory)
            service.start()
            stack.callback(service.stop)
            wait_until_ready([service], READY_S)
        yield settings

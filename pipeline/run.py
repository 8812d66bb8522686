"""`liq run`: everything on one machine, on real parts: Kafka, ClickHouse, the exchange, its producer, workers, sink."""

from __future__ import annotations

import logging
import platform
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.clickhouse import Server
from embedded.kafka import Broker
from embedded.processes import CannotStart, free_port, is_free
from processors.stages import STAGES
from producers.registry import EXCHANGES
from simulator.exchanges.registry import urls

from .clickhouse import migrate, rows
from .exits import BadConfiguration, Ended, Signalled
from .services import Service, wait_until_ready
from .settings import Settings, child_environment, of_own_servers
from .setup import create_topics
from .status import lag
from .tally import Tally

log = logging.getLogger(__name__)

DISK_NEEDED = 2 << 30  # bytes: the bounded broker, and tables of some days
READY_LIMIT_S = 60.0
DRAIN_LIMIT_S = 30.0
PREFERRED = {"kafka": 9092, "clickhouse": 9000, "simulator": 18_080}
EMBEDDED_ASSET_PARTITIONS = 4


@dataclass(frozen=True)
class Running:
    """All parts, ready."""

    settings: Settings
    services: Mapping[str, Service]
    tally: Tally
    started: float

    def watch(self) -> None:
        """Keep the services running; raise where one cannot be kept, or nothing can be counted."""
        for service in self.services.values():
            service.watch()
        if self.tally.failure:
            raise self.tally.failure

    def report(self) -> dict[str, Any]:
        """Return what has flowed since the start, and what lies in the tables."""
        return {
            "market": self.settings.market,
            "simulated": self.settings.market == "sim",
            "frames": self.tally.frames,
            "records": dict(self.tally.records),
            "rows": rows(self.settings),
            "lag": lag(self.settings),
            "dead_letters": self.tally.records["dead-letters"],
            "gaps": len(self.tally.gaps),
        }


def check_settings(settings: Settings) -> None:
    """Raise `BadConfiguration` for settings under which the parts could not run together."""
    for name, chosen in (("LIQ_EXCHANGES", settings.exchanges), ("LIQ_URLS", settings.urls)):
        if strange := [exchange for exchange in chosen if exchange not in EXCHANGES]:
            raise BadConfiguration(f"{name} names {', '.join(strange)}, expected some of {', '.join(EXCHANGES)}")
    if not settings.exchanges:
        raise BadConfiguration(f"LIQ_EXCHANGES names no exchange, expected some of {', '.join(EXCHANGES)}")
    if settings.metrics_port:
        raise BadConfiguration("LIQ_METRICS_PORT is one port, and `liq run` starts many services: unset it, or set 0")


def check_machine(directory: Path) -> None:
    """Raise `Ended` where the embedded parts cannot run."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise Ended(
            f"the embedded parts run on Linux x86_64, this is {sys.platform} {platform.machine()}: "
            "run the services one by one"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadConfiguration(f"{directory} cannot be used ({error.strerror}): set LIQ_DATA_DIR") from error
    free = shutil.disk_usage(directory).free
    if free < DISK_NEEDED:
        raise Ended(
            f"{directory.absolute()} has {free >> 20} MB free, {DISK_NEEDED >> 20} MB are needed: "
            "free some or set LIQ_DATA_DIR"
        )


def choose_port(name: str, wanted: int | None) -> int:
    """Return the port that was asked for, else the preferred one, else a free one."""
    if wanted is not None:
        if not is_free(wanted):
            raise Ended(f"port {wanted} for {name} is taken: end what uses it, or choose another port")
        return wanted
    return PREFERRED[name] if is_free(PREFERRED[name]) else free_port()


@contextmanager
def running(settings: Settings, ports: Mapping[str, int | None], rate: float) -> Iterator[Running]:
    """Start everything, hand it over when it is ready, stop everything in order."""
    started, directory = time.monotonic(), settings.data_dir / settings.market
    check_settings(settings)
    check_machine(directory)
    with ExitStack() as stack:
        settings = _start_servers(stack, settings, directory, ports)
        created = create_topics(settings)
        log.info("topics are ready: %d created", len(created))
        migrate(settings)
        log.info("tables are ready in database %s", settings.database)
        tally = Tally(settings).start()
        stack.callback(tally.stop)
        services = _start_services(stack, settings, directory, ports, rate)
        log.info("all parts are ready after %.1f s", time.monotonic() - started)
        log.info(
            "other commands find them with LIQ_KAFKA_BROKERS=%s LIQ_CLICKHOUSE_PORT=%d LIQ_ASSET_PARTITIONS=%d",
            *(settings.kafka_brokers, settings.clickhouse_port, settings.asset_partitions),
        )
        yield Running(settings, services, tally, started)
        log.info("stopping")


@contextmanager
def _explained() -> Iterator[None]:
    """What an embedded server says of its failure is the end of the command."""
    try:
        yield
    except CannotStart as error:
        raise Ended(str(error)) from error


@_explained()
def _start_servers(stack: ExitStack, settings: Settings, directory: Path, ports: Mapping[str, int | None]) -> Settings:
    kafka_port = choose_port("kafka", ports.get("kafka"))
    broker = Broker(directory / "kafka", port=kafka_port, on_progress=log.info)
    stack.enter_context(broker)
    log.info("kafka is ready at %s", broker.bootstrap)
    clickhouse_port = choose_port("clickhouse", ports.get("clickhouse"))
    server = Server(directory / "clickhouse", port=clickhouse_port)
    stack.enter_context(server)
    log.info("clickhouse is ready at 127.0.0.1:%d", server.port)
    return settings.model_copy(
        update={
            **of_own_servers(),
            "kafka_brokers": broker.bootstrap,
            "asset_partitions": EMBEDDED_ASSET_PARTITIONS,
            "clickhouse_port": server.port,
        }
    )


def _start_services(
    stack: ExitStack, settings: Settings, directory: Path, ports: Mapping[str, int | None], rate: float
) -> dict[str, Service]:
    shared: dict[str, object] = {name: getattr(settings, name) for name in of_own_servers()}
    services: dict[str, Service] = {}

    def start(name: str, *arguments: str, **overrides: object) -> None:
        environment = child_environment(settings, **shared, **overrides)
        services[name] = Service(name, arguments, environment, directory)
        services[name].start()
        stack.callback(services[name].stop)

    start("sink", "sink")
    for stage in STAGES:
        start(f"process-{stage}", "process", stage)
    if settings.market == "sim":
        for number, exchange in enumerate(settings.exchanges):
            # Only the first is where one looks for it: the others could find the same port free before it is taken.
            port = free_port() if number else choose_port("simulator", ports.get("simulator"))
            truth = str(directory / f"truth-{exchange}.jsonl")
            start(
                f"simulate-{exchange}", "simulate", exchange, "--port", str(port), "--rate", str(rate), "--truth", truth
            )
            shared |= {f"urls__{exchange}__{host}": url for host, url in urls(exchange, port).items()}
        wait_until_ready([service for name, service in services.items() if name.startswith("simulate-")], READY_LIMIT_S)
    for exchange in settings.exchanges:
        start(f"produce-{exchange}", "produce", exchange)
    wait_until_ready([service for name, service in services.items() if not name.startswith("simulate-")], READY_LIMIT_S)
    return services


def drain(parts: Running) -> None:
    """Stop what feeds the pipeline and wait until everything received has landed."""
    for feeding in ("produce-", "simulate-"):  # in this order: a producer would report the lost exchange as a gap
        for name, service in parts.services.items():
            if name.startswith(feeding):
                service.stop()
    deadline = time.monotonic() + DRAIN_LIMIT_S
    while any(lag(parts.settings).values()) and time.monotonic() < deadline:
        time.sleep(0.2)


def delivered_nothing(report: Mapping[str, Any]) -> list[str]:
    """Name the stages that delivered nothing."""
    stages = {
        "produce": report["frames"],
        "normalize": report["records"]["liquidations"] and report["records"]["minutes"] and report["records"]["market"],
        "sink": sum(report["rows"].values()),
    }
    return [stage for stage, count in stages.items() if not count]


def run(
    settings: Settings,
    ports: Mapping[str, int | None],
    rate: float,
    seconds: float | None,
    show: Callable[[Running], None],
) -> dict[str, Any]:
    """Run for some seconds, or until a signal; call `show` about once a second; return the last report."""
    _end_on_signals()
    with running(settings, ports, rate) as parts:
        end = time.monotonic() + seconds if seconds else float("inf")
        while (left := end - time.monotonic()) > 0:
            parts.watch()
            show(parts)
            time.sleep(min(1.0, left))
        drain(parts)
        return parts.report()


def _end_on_signals() -> None:
    """The first signal unwinds everything in order; those that follow change nothing: the end is under way."""

    def on_signal(number: int, _: object) -> None:
        for known in (signal.SIGINT, signal.SIGTERM):
            signal.signal(known, signal.SIG_IGN)
        raise Signalled(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)

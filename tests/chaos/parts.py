"""The whole pipeline as separate processes on real parts, each of which can be killed and comes back at once."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import orjson

from embedded.clickhouse import Server
from embedded.kafka import Broker
from embedded.processes import free_port, last_lines
from pipeline.clickhouse import migrate
from pipeline.services import Service, wait_until_ready
from pipeline.settings import Settings, child_environment, load
from pipeline.setup import create_topics
from pipeline.status import lag
from simulator.exchanges.registry import urls

READY_LIMIT_S = 120.0
DRAIN_LIMIT_S = 240.0
LAST_HEARTBEATS_S = 2.5  # a producer says what it misses once a second
TICK_S = 0.1
MIB = 1 << 20


class Stuck(Exception):
    """What should happen did not, in good time."""


@dataclass
class Parts:
    """Everything that runs."""

    settings: Settings
    broker: Broker
    clickhouse: Server
    services: dict[str, Service]
    truths: Mapping[str, Path]  # by exchange
    ports: Mapping[str, int]  # of the simulators, by exchange
    say: Callable[[str], None]
    died: list[tuple[str, float]] = field(default_factory=list)  # by itself, and when (monotonic)
    _clickhouse_back_s: float = float("inf")

    def kill(self, name: str) -> float:
        """Kill -9 a service and start it again; return when it was gone (monotonic)."""
        process = self.services[name].process
        assert process is not None
        process.kill()
        process.wait()
        gone_s = time.monotonic()
        self.services[name].start()
        return gone_s

    def kill_broker(self) -> float:
        """Kill -9 the broker; return when it was gone (monotonic). It comes back by `start_broker`."""
        self.broker.kill()
        return time.monotonic()

    def start_broker(self) -> None:
        """Start the broker again, on its port and its data."""
        self.broker.start()

    def kill_clickhouse(self, away_s: float) -> None:
        """Kill -9 ClickHouse; `tend` brings it back after some seconds."""
        self.clickhouse.kill()
        self._clickhouse_back_s = time.monotonic() + away_s

    def fault(self, exchange: str, **fault: object) -> bool:
        """Bring a fault upon an exchange; return False where nobody listens whom it could hit."""
        url = f"http://127.0.0.1:{self.ports[exchange]}/_faults"
        request = urllib.request.Request(url, orjson.dumps(fault), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10):
                return True
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
            return False

    def tend(self) -> None:
        """Bring back what is due, and start again what died by itself, as a supervisor does."""
        if time.monotonic() > self._clickhouse_back_s:
            self._clickhouse_back_s = float("inf")
            self.clickhouse.start()
        for name, service in self.services.items():
            if service.process is not None and service.process.poll() is not None:
                self.died.append((f"{name} with {service.process.returncode}", time.monotonic()))
                self.say(f"{name} ended with {service.process.returncode}: {last_lines(service.log, 1)}")
                service.start()

    def wait(self, what: str, condition: Callable[[], bool], limit_s: float) -> None:
        """Tend until a condition holds; raise `Stuck` where it takes too long."""
        deadline = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline:
                raise Stuck(f"not within {limit_s:.0f} s: {what}")
            self.tend()
            time.sleep(TICK_S)

    def rest(self, seconds: float) -> None:
        """Tend for some time."""
        until_s = time.monotonic() + seconds
        self.wait("a rest", lambda: time.monotonic() > until_s, seconds + READY_LIMIT_S)

    def drain(self) -> None:
        """End the exchanges, let producers say what they missed, and let all that is in raw reach the tables."""
        self.wait("ClickHouse is back", lambda: self.clickhouse.running, READY_LIMIT_S)
        self.wait("all work", lambda: all(service.is_ready for service in self.services.values()), READY_LIMIT_S)
        for exchange in self.truths:
            self._end(f"simulator-{exchange}")
        ended_s = time.time()
        for exchange in self.truths:
            self.wait(
                f"the last heartbeats of {exchange}",
                partial(_is_touched_after, self.services[f"producer-{exchange}"].health, ended_s + LAST_HEARTBEATS_S),
                READY_LIMIT_S,
            )
            self._end(f"producer-{exchange}")
        self.wait("everything lands", lambda: set(lag(self.settings).values()) == {0}, DRAIN_LIMIT_S)
        self._end("worker")
        self._end("sink")

    def _end(self, name: str) -> None:
        self.services.pop(name).stop()


def _is_touched_after(health: Path, at_s: float) -> bool:
    return health.exists() and health.stat().st_mtime > at_s


def _simulators(parts: Parts, rate: float, liquidations_per_second: float) -> dict[str, tuple[str, ...]]:
    """Return the command of each; each has a market of its own."""
    market = ("--rate", str(rate), "--liquidations", str(liquidations_per_second))
    commands = dict[str, tuple[str, ...]]()
    for seed, (exchange, port) in enumerate(parts.ports.items(), start=1):
        own = ("--port", str(port), "--seed", str(seed), "--truth", str(parts.truths[exchange]))
        commands[f"simulator-{exchange}"] = ("simulate", exchange, *own, *market)
    return commands


@contextmanager
def running(
    directory: Path, exchanges: Sequence[str], rate: float, liquidations_per_second: float, say: Callable[[str], None]
) -> Iterator[Parts]:
    """Start everything in a directory and hand it over when it works; stop everything. Rates are of each exchange."""
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(directory / "kafka", retention_bytes=2048 * MIB))
        clickhouse = stack.enter_context(Server(directory / "clickhouse"))
        where: dict[str, object] = {
            "kafka_brokers": broker.bootstrap,
            "clickhouse_host": "127.0.0.1",
            "clickhouse_port": clickhouse.port,
        }
        own = {"market": "sim", "data_dir": directory, "asset_partitions": 4, "exchanges": tuple(exchanges)}
        settings = load({**where, **own})
        create_topics(settings)
        migrate(settings)
        truths = {exchange: directory / f"truth-{exchange}.jsonl" for exchange in exchanges}
        parts = Parts(settings, broker, clickhouse, {}, truths, {name: free_port() for name in exchanges}, say)
        hosts = {
            f"urls__{exchange}__{host}": url
            for exchange, port in parts.ports.items()
            for host, url in urls(exchange, port).items()
        }
        environment = child_environment(settings, **where, **hosts)
        simulators = _simulators(parts, rate, liquidations_per_second)

        def start(commands: Mapping[str, tuple[str, ...]]) -> None:
            for name, arguments in commands.items():
                parts.services[name] = service = Service(name, arguments, environment, directory)
                stack.callback(service.stop)
                service.start()

        start({**simulators, "worker": ("process", "normalize"), "sink": ("sink",)})
        wait_until_ready([parts.services[name] for name in simulators], READY_LIMIT_S)
        start({f"producer-{exchange}": ("produce", exchange) for exchange in exchanges})
        wait_until_ready(list(parts.services.values()), READY_LIMIT_S)
        yield parts

"""`liq run` as a user runs it: from an empty folder, on real parts, until Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

pytestmark = pytest.mark.timeout(300)  # two runs and a dozen commands, told as one story
LIQ = (sys.executable, "-m", "pipeline")
QUIET = ("--rate", "20")  # frames a second: what else runs at once needs the processor, too
READY_LIMIT_S = 90.0
Done = subprocess.CompletedProcess[str]


def liq(*arguments: str, folder: Path, **settings: object) -> Done:
    environment = os.environ | {f"LIQ_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.run([*LIQ, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


class Started:
    """A `liq run` in a folder, ready, and where its parts listen."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "run.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*LIQ, "run", *QUIET], cwd=folder, stdout=log, stderr=log)
        self._wait()
        events = [json.loads(line)["event"] for line in self.log.read_text().splitlines() if line.startswith("{")]
        [self.kafka] = [
            event.removeprefix("kafka is ready at ") for event in events if event.startswith("kafka is ready")
        ]
        [self.clickhouse_port] = [
            event.rpartition(":")[2] for event in events if event.startswith("clickhouse is ready")
        ]

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_LIMIT_S
        while "first rows in ClickHouse" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def ask(self, *arguments: str, **other: object) -> Done:
        where = {"kafka_brokers": self.kafka, "clickhouse_port": self.clickhouse_port, "asset_partitions": 4}
        return liq(*arguments, folder=self.folder, **{**where, **other})

    def evidence(self) -> Done:
        """Ask for the frame behind the oldest liquidation, until it has landed."""
        oldest = json.loads(self.ask("tail", "liquidations", "-n", "1000").stdout.splitlines()[0])
        deadline = time.monotonic() + READY_LIMIT_S
        while (done := self.ask("evidence", oldest["id"])).returncode:
            assert time.monotonic() < deadline, done.stderr
        return done

    def end(self) -> tuple[int, list[psutil.Process]]:
        """Press Ctrl-C; return the exit code and what is left of its children."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(90)
        return code, [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


class Story(NamedTuple):
    """What a user saw: everything started, asked about, ended with Ctrl-C, and started again."""

    status: Done
    tail: Done
    evidence: Done
    no_evidence: Done
    setup: Done
    setup_cut_otherwise: Done
    setup_without_clickhouse: Done
    setup_of_nothing: Done
    status_without_clickhouse: Done
    real_among_simulated: Done
    second_run: Done
    code: int
    left: list[psutil.Process]
    again: Done


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("run")
    first = Started(folder)
    seen = (
        first.ask("status", "--json"),
        first.ask("tail", "market", "-n", "3"),
        first.evidence(),
        first.ask("evidence", "0" * 32),
        first.ask("setup"),
        first.ask("setup", "--check", asset_partitions=12),
        first.ask("setup", "--check", clickhouse_port=1),
        first.ask("setup", "--check", clickhouse_database="nothing"),
        first.ask("status", clickhouse_port=1),
        first.ask("produce", "binance", urls__binance__ws="ws://127.0.0.1:1", instance="real"),
        liq("run", "--for", "1s", folder=folder),
    )
    return Story(*seen, *first.end(), liq("run", *QUIET, "--for", "3s", "--json", folder=folder))


def test_status_shows_stages_topics_and_tables(story: Story) -> None:
    found: dict[str, Any] = json.loads(story.status.stdout)

    assert found["lag"].keys() == {"normalize", "sink"}
    assert found["topics"]["liq.sim.raw.v1"] > 0
    assert found["rows"]["market_seconds"] > 0


def test_tail_decodes_what_flows(story: Story) -> None:
    slices = [json.loads(line) for line in story.tail.stdout.splitlines()]

    assert [part["record"] for part in slices] == ["MarketSlice"] * 3


def test_evidence_is_the_frame_that_the_exchange_sent(story: Story) -> None:
    found = json.loads(story.evidence.stdout)
    [frame] = found["frames"]

    assert {frame["id"], found["liquidation"]["id"]} == {frame["id"]}
    assert isinstance(json.loads(frame["payload"]), dict)
    assert found["liquidation"]["symbol"] in frame["payload"]


def test_an_unknown_id_is_one_line(story: Story) -> None:
    assert (story.no_evidence.returncode, story.no_evidence.stdout) == (1, "")
    assert story.no_evidence.stderr.startswith(f"liq: liq_sim knows no liquidation {'0' * 32}")


def test_setup_finds_everything_as_declared(story: Story) -> None:
    assert (story.setup.returncode, story.setup.stdout) == (0, "")


def test_setup_says_which_topics_are_cut_otherwise(story: Story) -> None:
    assert story.setup_cut_otherwise.returncode == 1
    assert "liq.sim.liquidations.v1 has 4 partitions, expected 12" in story.setup_cut_otherwise.stderr


def test_setup_and_status_say_where_clickhouse_or_its_tables_are_missing(story: Story) -> None:
    ends = (story.setup_without_clickhouse, story.status_without_clickhouse, story.setup_of_nothing)
    assert [done.returncode for done in ends] == [4, 4, 1]
    assert "does not answer" in story.setup_without_clickhouse.stderr
    assert "ClickHouse does not answer" in story.status_without_clickhouse.stdout
    assert "nothing" in story.setup_of_nothing.stderr


def test_real_frames_do_not_get_among_simulated_ones(story: Story) -> None:
    assert story.real_among_simulated.returncode == 3
    missing = "LIQ_URLS__BINANCE__WS_CM, LIQ_URLS__BINANCE__REST, LIQ_URLS__BINANCE__REST_CM, or --market live"
    assert missing in story.real_among_simulated.stderr


def test_a_second_run_in_the_same_folder_is_refused(story: Story) -> None:
    assert story.second_run.returncode == 1
    assert "is in use by process" in story.second_run.stderr.splitlines()[-1]


def test_it_ends_with_ctrl_c_and_leaves_nothing_running(story: Story) -> None:
    assert (story.code, story.left) == (130, [])


def test_a_second_start_goes_on_from_the_same_data(story: Story) -> None:
    report = json.loads(story.again.stdout)

    assert story.again.returncode == 0, story.again.stderr
    assert report["simulated"] is True
    assert report["frames"] > 0
    assert min(report["records"][name] for name in ("liquidations", "minutes", "market")) > 0
    assert report["rows"]["liquidations"] > report["records"]["liquidations"]
    assert report["lag"] == {"normalize": 0, "sink": 0}
    assert (report["dead_letters"], report["gaps"]) == (0, 10)  # each socket says what was lost between the two runs


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = liq("run", "--kafka-port", str(port), folder=tmp_path)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"liq: port {port} for kafka is taken")

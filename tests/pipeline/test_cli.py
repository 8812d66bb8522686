"""The command line: every end has its code and one line that says what to do."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embedded.kafka import Broker
from producers.spool import Spool
from tests.producers.test_kafka import entries, heartbeat

NOBODY = "127.0.0.1:1"
COMMANDS = (
    *("run", "setup", "produce", "process", "sink", "simulate", "normalize", "replay", "rebuild"),
    *("tail", "evidence", "status", "config"),
)


def liq(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_names_every_command_and_every_exit_code(tmp_path: Path) -> None:
    done = liq("--help", folder=tmp_path)

    assert done.returncode == 0
    assert [command for command in COMMANDS if f"\n  {command} " not in done.stdout] == []
    assert "130 and 143 ended by a signal" in " ".join(done.stdout.split())


def test_help_loads_neither_faust_nor_the_engine() -> None:
    heavy = {"faust", "chdb", "confluent_kafka", "aiohttp"}
    code = f"import sys; from pipeline import cli; print({heavy} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["run", "--for", "soon"], 2, "'soon' is no duration: 90s, 10m, 2h"),
        (["run", "--for", "0s"], 2, "'0s' is no duration"),
        (["produce", "mtgox"], 2, "'mtgox' is not one of "),
        (["replay", "mtgox", "--from", "2026-11-20", "--to", "2026-11-21"], 2, "'mtgox' is not one of "),
        (
            ["replay", "bybit", "--from", "yesterday", "--to", "2026-11-21"],
            2,
            "'yesterday' is no moment",
        ),
        (["replay", "bybit", "--from", "2026-11-21", "--to", "2026-11-20"], 1, "--from comes first"),
        (["simulate", "mtgox"], 2, "'mtgox' is not one of "),
        (["tail", "nonsense"], 2, "'nonsense' is not one of raw, liquidations, "),
        (["tail", "liq.sim.minutes.v1"], 4, f"Kafka does not answer at {NOBODY}"),
        (["process", "guessing"], 2, "'guessing' is not one of normalize"),
        (["normalize", "bybit", "nowhere.jsonl"], 2, "nowhere.jsonl"),
        (["evidence", "5f'"], 2, '"5f\'" is no id: 32 hex digits'),
        (["evidence", "5F" * 16], 2, "is no id"),
        (["evidence", "5f" * 16], 4, "ClickHouse at 127.0.0.1:1 does not answer"),
        (["status"], 4, f"Kafka does not answer at {NOBODY}"),
        (["sink"], 4, f"Kafka does not answer at {NOBODY}"),
        (["rebuild"], 4, f"Kafka does not answer at {NOBODY}"),
        (["produce", "bybit"], 4, f"Kafka does not answer at {NOBODY}"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_command_that_cannot_go_on_says_why_and_has_its_code(
    arguments: list[str], code: int, words: str, tmp_path: Path
) -> None:
    nobody = {"LIQ_KAFKA_BROKERS": NOBODY, "LIQ_CLICKHOUSE_HOST": "127.0.0.1", "LIQ_CLICKHOUSE_PORT": "1"}
    done = liq(*arguments, folder=tmp_path, **nobody)

    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_code_3(tmp_path: Path) -> None:
    done = liq("status", folder=tmp_path, LIQ_KAFKA_BROKER="x:1")

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "liq: there is no setting LIQ_KAFKA_BROKER; did you mean LIQ_KAFKA_BROKERS?\n"


def test_config_shows_values_and_origins_but_no_secret(tmp_path: Path) -> None:
    done = liq("--market", "live", "config", "show", "--origin", folder=tmp_path, LIQ_CLICKHOUSE_PASSWORD="s3cret")

    lines = {line.split(" ")[0]: line for line in done.stdout.splitlines()}
    assert lines["market"].endswith("# flag")
    assert lines["clickhouse_password"].endswith("# environment")
    assert lines["kafka_brokers"].endswith("# default")
    assert "s3cret" not in done.stdout


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LIQ_EXCHANGES", "bybit,mtgox", "LIQ_EXCHANGES names mtgox, expected some of "),
        ("LIQ_EXCHANGES", "", "LIQ_EXCHANGES names no exchange"),
        ("LIQ_URLS__OXK__WS", "ws://127.0.0.1:1", "LIQ_URLS names oxk"),
        ("LIQ_METRICS_PORT", "9100", "LIQ_METRICS_PORT is one port"),
        ("LIQ_DATA_DIR", "/dev/null/data", "/dev/null/data/sim cannot be used (Not a directory): set LIQ_DATA_DIR"),
    ],
)
def test_settings_under_which_nothing_runs_are_told_before_anything_starts(
    name: str, value: str, words: str, tmp_path: Path
) -> None:
    done = liq("run", "--for", "1s", folder=tmp_path, **{name: value})

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"liq: {words}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("command", "missing"), [("process", "liq.live.raw.v1"), ("sink", "liq.live.liquidations.v1")])
def test_a_service_without_its_topics_says_what_to_do(
    command: str, missing: str, broker: Broker, tmp_path: Path
) -> None:
    done = liq("--market", "live", command, folder=tmp_path, LIQ_KAFKA_BROKERS=broker.bootstrap)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"liq: {missing} is missing; ")
    assert "run `liq setup`" in done.stderr


@pytest.mark.parametrize("arguments", [("produce", "bybit"), ("process",), ("sink",)], ids=lambda value: value[0])
def test_a_service_that_is_told_to_stop_while_it_starts_ends_well(arguments: tuple[str, ...], tmp_path: Path) -> None:
    command, environment = [sys.executable, "-m", "pipeline", *arguments], {"LIQ_KAFKA_BROKERS": NOBODY}
    started = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    while not catches(started, signal.SIGTERM):
        assert started.poll() is None
        time.sleep(0.01)
    started.terminate()

    assert (started.communicate(timeout=60)[1], started.returncode) == ("", 0)


def test_a_producer_that_left_frames_on_disk_goes_on_behind_them_without_kafka(tmp_path: Path) -> None:
    environment = {
        "LIQ_KAFKA_BROKERS": NOBODY,
        "LIQ_SPOOL_DIR": str(tmp_path),
        "LIQ_INSTANCE": "a",
        "LIQ_URLS": '{"bybit": {"ws": "ws://127.0.0.1:1", "rest": "http://127.0.0.1:1"}}',
    }
    with Spool(tmp_path / "live" / "spool" / "bybit-a", 1 << 20) as spool:
        for entry in entries([heartbeat(0, 1_000, 1_000)]):
            spool.append(entry)
    command = [sys.executable, "-m", "pipeline", "--market", "live", "produce", "bybit"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr
        said = next(line for line in started.stderr if "frames go behind" in line)
        started.terminate()

    assert f"the 1 batches in {spool.directory}: liq.live.raw.v1 on {NOBODY}: " in said
    assert started.returncode == 0


def catches(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    [mask] = re.findall(r"SigCgt:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text())
    return bool(int(mask, 16) >> (number - 1) & 1)

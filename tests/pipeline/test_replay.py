"""`liq replay` and `liq rebuild` as a user types them, over files that are older than any topic keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, NamedTuple

import pytest

from embedded.clickhouse import Server
from embedded.kafka import Broker

T0 = 1_760_000_040_000  # 2025-10-09 08:54, UTC
FROM, TO = "2025-10-09T08:54", "2025-10-09T08:55:30+00:00"
SOCKET = "wss://stream.bybit.com/v5/public/linear"
ONE = {"T": T0 + 1000, "s": "ICPUSDT", "S": "Buy", "v": "19.7", "p": "2.585"}
TWO = {"T": T0 + 61_000, "s": "ICPUSDT", "S": "Sell", "v": "20", "p": "2.6"}
Done = subprocess.CompletedProcess[str]


def line(payload: str, received_ms: int) -> str:
    return json.dumps({"received_ns": received_ms * 1_000_000, "source": SOCKET, "payload": payload})


def frame(item: dict[str, Any]) -> str:
    said = {"topic": "allLiquidation.ICPUSDT", "type": "snapshot", "ts": item["T"], "data": [item]}
    return line(json.dumps(said), item["T"] + 100)


class Story(NamedTuple):
    """What a user saw: a file with a frame that nobody understands, the file mended, and looks at the result."""

    broken: Done
    mended: Done
    same_revision: Done
    nothing: Done
    rebuilt: Done


@pytest.fixture(scope="module")
def story(broker: Broker, clickhouse: Server, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("replay")
    environment = {
        **os.environ,
        "LIQ_KAFKA_BROKERS": broker.bootstrap,
        "LIQ_ASSET_PARTITIONS": "1",
        "LIQ_CLICKHOUSE_PORT": str(clickhouse.port),
        "LIQ_CLICKHOUSE_DATABASE": "replayed",
    }

    def liq(*arguments: str) -> Done:
        command = [sys.executable, "-m", "pipeline", *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)

    def replayed(name: str, *lines: str, more: tuple[str, ...] = ()) -> Done:
        (folder / name).write_text("\n".join(lines))
        return liq("replay", "bybit", "--from", FROM, "--to", TO, "--file", name, *more)

    assert liq("setup").returncode == 0
    return Story(
        replayed("broken", frame(ONE), line("{oops", T0 + 2000), frame(TWO)),
        replayed("mended", frame(ONE)),
        replayed("again", frame(ONE), more=("--revision", "2")),
        liq("replay", "bybit", "--from", FROM, "--to", TO),
        liq("rebuild", "--exchange", "bybit", "--from", FROM, "--to", TO),
    )


def report(published: dict[str, int], **changes: int) -> dict[str, Any]:
    counts = {"revision": 1, "left_alone": 0, "retracted": 0, "dead_letters": 0, "gaps": 0}
    return counts | {"exchange": "bybit", "published": published, "only_stored": sum(published.values())} | changes


def test_a_frame_that_nobody_understands_is_code_5(story: Story) -> None:
    assert story.broken.returncode == 5, story.broken.stderr
    assert json.loads(story.broken.stdout) == report(
        {"dead-letters": 1, "evidence": 2, "liquidations": 2, "minutes": 2}, frames=3, minutes=2, dead_letters=1
    )


def test_what_is_no_longer_there_is_retracted_and_its_minute_emptied(story: Story) -> None:
    assert story.mended.returncode == 0, story.mended.stderr
    assert json.loads(story.mended.stdout) == report(
        {"evidence": 1, "liquidations": 2, "minutes": 1}, frames=1, revision=2, retracted=1, minutes=1
    )


def test_a_revision_that_would_not_win_is_refused(story: Story) -> None:
    assert (story.same_revision.returncode, story.same_revision.stdout) == (1, "")
    assert "revision 2 is stored already: choose a higher one" in story.same_revision.stderr


def test_a_stretch_that_raw_has_forgotten_is_an_error_that_says_what_to_do(story: Story) -> None:
    assert (story.nothing.returncode, story.nothing.stdout) == (1, "")
    assert "raw has no frames of this stretch" in story.nothing.stderr


def test_after_a_replay_nothing_is_left_to_rebuild(story: Story) -> None:
    assert (story.rebuilt.returncode, story.rebuilt.stdout) == (0, '{"minutes":0}\n'), story.rebuilt.stderr

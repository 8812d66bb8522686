"""The process of one exchange, as a process."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from embedded.kafka import Broker
from producers import tail
from producers.run import run
from producers.spool import Spool, is_waiting
from schemas.avro import decode
from schemas.raw import Control, RawBatch, SourceKind

from .scripted import Scripted, contract, controls_of, frames_of, page, scripted, stamped, until
from .test_kafka import AWAY, create_raw, stored

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, pathlib, sys
from producers.run import run
settings = json.loads(sys.argv[1])
paths = {name: pathlib.Path(settings.pop(name)) for name in ("health_file", "spool_dir")}
sys.exit(run("bybit", majors=["BTC"], spool_mib=64, **paths, **settings))
"""
CHANNEL = "allLiquidation.BTCUSDT"
STOP_S = 5.0


def exchange(server: Scripted) -> Mapping[str, str]:
    """Let the server list two contracts and return where it is."""
    listing = "/v5/market/instruments-info?category={}&limit=1000"
    server.answers[listing.format("linear")] = page("linear", contract("BTCUSDT"))
    server.answers[listing.format("inverse")] = page("inverse", contract("BTCUSD", "BTC"))
    return {"ws": f"ws://{server.url}", "rest": f"http://{server.url}"}


def places(directory: Path) -> Mapping[str, str]:
    """Return where a producer keeps its files."""
    return {"health_file": str(directory / "health"), "spool_dir": str(directory / "spool")}


async def start(**settings: object) -> asyncio.subprocess.Process:
    """Start a producer process."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, json.dumps(settings)), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )


async def end(process: asyncio.subprocess.Process, number: int) -> int:
    """Send a signal and return the exit code."""
    process.send_signal(number)
    async with asyncio.timeout(STOP_S):
        return await process.wait()


async def liquidate(server: Scripted, sent_ns: dict[str, int]) -> None:
    """Send one numbered frame after the other to whoever listens, and note when."""
    while True:
        now_ns = time.time_ns()
        text = stamped(now_ns, topic=CHANNEL, n=len(sent_ns))
        if await server.send(text, CHANNEL):
            sent_ns[text] = now_ns
        await asyncio.sleep(0.001)


async def test_whatever_is_sent_is_stored_or_lies_in_a_gap_over_kill_9_cuts_and_a_stop(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    client = create_raw(broker, topic_prefix)
    sent_ns: dict[str, int] = {}
    health_file = tmp_path / "health"
    async with scripted() as server, asyncio.TaskGroup() as tasks:
        settings = {"urls": exchange(server), "prefix": topic_prefix, "client": client, **places(tmp_path)}
        server.talks = True
        sending = tasks.create_task(liquidate(server, sent_ns))
        first = await start(**settings)
        await until(health_file.exists)
        assert await end(first, signal.SIGKILL) == -signal.SIGKILL
        second = await start(**settings)
        await until(lambda: not health_file.exists())
        await until(health_file.exists)
        server.cut()
        before = len(server.told)
        await until(lambda: len(server.told) >= before + 4)
        health_file.unlink()
        await until(health_file.exists)
        assert await end(second, signal.SIGTERM) == 0
        sending.cancel()
    assert not health_file.exists()
    found = stored(broker, topic_prefix)
    batches = [content for _, content in found]
    assert [time_ms for time_ms, _ in found] == sorted(time_ms for time_ms, _ in found)
    assert_numbered_without_holes(batches)
    assert missing(sent_ns, batches) == []
    assert len(gaps_of(batches)) >= 2
    assert len(payloads_of(batches)) > 100
    assert controls_of(batches, "disconnected")[-1][1] == Control("disconnected", reason="stopped")


@pytest.mark.parametrize("returns_first", [True, False])
async def test_kill_9_while_kafka_is_away_loses_nothing_that_the_spool_keeps_and_no_gap_is_claimed_for_it(
    topic_prefix: str, tmp_path: Path, returns_first: bool
) -> None:
    sent_ns: dict[str, int] = {}
    health_file, spool_dir = tmp_path / "health", tmp_path / "spool"
    async with scripted() as server, asyncio.TaskGroup() as tasks:
        with Broker() as own:
            client = create_raw(own, topic_prefix)
            settings = {"urls": exchange(server), "prefix": topic_prefix, "client": client, **places(tmp_path)}
            server.talks = True
            sending = tasks.create_task(liquidate(server, sent_ns))
            first = await start(**settings)
            await until(health_file.exists)
            own.kill()
            await until(lambda: sum(path.read_bytes().count(b"heartbeat") for path in spool_dir.glob("*.segment")) > 2)
            assert await end(first, signal.SIGKILL) == -signal.SIGKILL
            with Spool(spool_dir, 64 << 20) as spool:
                spooled = [decode(entry.value, RawBatch) for entry in spool.newest_first()][::-1]
            if returns_first:
                own.start()
            second = await start(**settings)
            await until(lambda: not health_file.exists())
            await until(health_file.exists)
            if not returns_first:
                own.start()
                await until(lambda: not is_waiting(spool_dir))
            assert await end(second, signal.SIGTERM) == 0
            sending.cancel()
            batches = [content for _, content in stored(own, topic_prefix)]
    assert_numbered_without_holes(batches)
    assert missing(sent_ns, batches) == []
    following = batches.index(spooled[0])
    assert batches[following : following + len(spooled)] == spooled
    proven_ns = controls_of(spooled, "heartbeat")[-1][1].from_ns
    gaps, kept = gaps_of(batches), payloads_of(spooled)
    assert gaps
    assert min(gap.from_ns for gap in gaps) >= proven_ns
    assert sum(text in kept and at_ns < proven_ns for text, at_ns in sent_ns.items()) > 100


def test_without_kafka_and_without_anything_in_the_spool_nobody_knows_what_was_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run("bybit", urls={}, majors=[], prefix="t.", client=AWAY, spool_dir=tmp_path, spool_mib=64) == 4
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("t.raw.v1 on 127.0.0.1:1: ")


def test_a_spool_in_use_ends_the_process_with_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Spool(tmp_path, 64 << 20):
        assert run("bybit", urls={}, majors=[], prefix="t.", client={}, spool_dir=tmp_path, spool_mib=64) == 1
    assert len(caplog.messages) == 1
    assert "is in use by another producer of this exchange: end that one, or give this one" in caplog.messages[0]


def payloads_of(batches: list[RawBatch]) -> set[str]:
    """Return what the sockets delivered, and see that nothing is there twice."""
    payloads = [payload for _, payload, _ in frames_of(batches, SourceKind.FRAME) if CHANNEL in payload]
    assert len(payloads) == len(set(payloads))
    return set(payloads)


def gaps_of(batches: list[RawBatch]) -> list[Control]:
    """Return the gaps of the channel that counts."""
    return [gap for _, gap in controls_of(batches, "gap") if CHANNEL in gap.channels]


def missing(sent_ns: Mapping[str, int], batches: list[RawBatch]) -> list[str]:
    """Return what was sent and is neither stored nor inside a gap."""
    payloads, gaps = payloads_of(batches), gaps_of(batches)
    proven_ns = controls_of(batches, "heartbeat")[-1][1].from_ns  # from then on the next start says what is missing
    lost = {text: at_ns for text, at_ns in sent_ns.items() if at_ns < proven_ns and text not in payloads}
    return [text for text, at_ns in lost.items() if not any(gap.from_ns <= at_ns <= gap.to_ns for gap in gaps)]


def assert_numbered_without_holes(batches: list[RawBatch]) -> None:
    """Each run counts its frames from 0."""
    following: dict[str, int] = {}
    for content in batches:
        assert content.first_seq == following.get(content.run_id, 0)
        following[content.run_id] = content.first_seq + len(content.payloads)
    assert len(following) == 2


async def test_a_dry_run_prints_what_the_exchange_said_and_needs_no_kafka(tmp_path: Path) -> None:
    async with scripted() as server:
        urls, health_file = exchange(server), tmp_path / "health"
        process = await start(urls=urls, prefix="t.", client={}, **places(tmp_path), dry_run=True)
        await until(health_file.exists)
        code, (printed, _) = await asyncio.gather(end(process, signal.SIGTERM), process.communicate())
    lines = [json.loads(line) for line in printed.splitlines()]
    sources = {line["source"] for line in lines}
    assert code == 0
    assert {tuple(line) for line in lines} == {("received_ns", "source", "payload")}
    assert f"ws://{server.url}/v5/public/linear" in sources
    assert f"GET http://{server.url}/v5/market/instruments-info?category=linear&limit=1000" in sources
    assert '"control"' not in printed.decode()
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize(
    ("exchange", "urls", "line"),
    [
        ("bybit", {"wss": "wss://x"}, "bybit has no host 'wss', expected one of: ws, rest"),
        ("bybit", {"ws": "stream.bybit.com"}, "bybit: the host ws is 'stream.bybit.com', expected it to start with"),
    ],
)
def test_a_mistake_in_the_settings_is_one_line(
    exchange: str, urls: Mapping[str, str], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(exchange, urls=urls, majors=[], prefix="t.", client={}, spool_dir=Path("spool"), spool_mib=64) == 2
    assert [message[: len(line)] for message in caplog.messages] == [line]


def test_a_missing_topic_ends_the_process_with_one_line(
    broker: Broker,
    topic_prefix: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tail, "ANSWER_S", 0.5)
    client = {"bootstrap.servers": broker.bootstrap}
    assert run("bybit", urls={}, majors=[], prefix=topic_prefix, client=client, spool_dir=tmp_path, spool_mib=64) == 1
    assert len(caplog.messages) == 1
    assert "is Kafka up, and the topic there?" in caplog.messages[0]

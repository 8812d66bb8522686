"""A mapping that was wrong for some minutes, corrected by a replay: afterwards nobody can tell that it ever was."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from confluent_kafka import Producer
from msgspec.structs import replace

from pipeline.clickhouse import address
from pipeline.reading import bounds, consumer, partitions, read_between
from pipeline.replay import replay
from pipeline.settings import Settings
from pipeline.stretch import Stretch, from_kafka
from processors.normalize.bybit import Bybit
from processors.normalize.facts import Fact, Frame, Normalizer
from processors.normalize.stage import Normalize
from processors.processor import Input, Output
from processors.shell.commits import committed
from schemas.avro import decode, encode
from schemas.exchanges import RAW_PARTITION
from schemas.partition import PARTITIONER
from schemas.raw import RawBatch, RawFrame, Source, SourceKind
from schemas.records import Liquidation, Position
from schemas.topics import full_name
from sinks.connection import connect
from sinks.run import run as sink_run
from sinks.tables import TABLES

MINUTE_MS = 60_000
MINUTES = 30
PATIENCE_S = 40.0
T0 = (int(time.time()) // 60 - 60) * MINUTE_MS  # an hour ago: raw of the day, and every minute has settled
STRETCH = Stretch("bybit", T0 + 14 * MINUTE_MS, T0 + 24 * MINUTE_MS)
WRONG_FROM_MS, WRONG_TO_MS = STRETCH.from_ms + 20_000, STRETCH.to_ms - 20_000  # both ends within a minute
BEFORE_WARM_UP, REPEATED = 31, 903  # seconds: a frame, and its repetition within the stretch
CORRECTED = {"liquidations", "minutes", "minutes_final"}
SOURCES = (
    Source(SourceKind.REST, "GET https://api.bybit.com/v5/market/instruments-info?category=linear&limit=1000", ""),
    Source(SourceKind.FRAME, "wss://stream.bybit.com/v5/public/linear", "linear-0"),
    Source(SourceKind.CONTROL, "", ""),
)
INSTRUMENTS, SOCKET, OURS = range(3)
BASES = ("BTC", "1000PEPE")
SWAPPED = {Position.LONG: Position.SHORT, Position.SHORT: Position.LONG}


class Wrong(Bybit):
    """A mapping that for some minutes took the side for that of the order, and saw liquidations that never were."""

    def normalize(self, frame: Frame) -> Sequence[Fact]:
        facts = super().normalize(frame)
        if not WRONG_FROM_MS <= frame.received_ms < WRONG_TO_MS:
            return facts
        wrong = [replace(one, position=SWAPPED[one.position]) if isinstance(one, Liquidation) else one for one in facts]
        ghosts = [one for one in wrong if isinstance(one, Liquidation) and one.event_ms % 3 == 0]
        return [*wrong, *(replace(one, id=one.id[::-1]) for one in ghosts), *map(_elsewhere, ghosts[::2])]


def _elsewhere(ghost: Liquidation) -> Liquidation:
    return replace(ghost, id=f"{ghost.id[1:]}0", symbol="GHOSTUSDT", asset="GHOST")


def instruments(at_ms: int) -> bytes:
    rows = [
        {
            "symbol": f"{base}USDT",
            "contractType": "LinearPerpetual",
            "status": "Trading",
            "baseCoin": base,
            "quoteCoin": "USDT",
            "settleCoin": "USDT",
            "deliveryTime": "0",
            "leverageFilter": {"maxLeverage": "100.00"},
            "priceFilter": {"tickSize": "0.0001"},
            "lotSizeFilter": {"qtyStep": "0.001"},
            "fundingInterval": 480,
        }
        for base in BASES
    ]
    result = {"category": "linear", "list": rows, "nextPageCursor": ""}
    return json.dumps({"retCode": 0, "retMsg": "OK", "result": result, "time": at_ms}).encode()


def pushed(topic: str, kind: str, data: Any, event_ms: int) -> bytes:
    return json.dumps({"topic": topic, "type": kind, "ts": event_ms, "data": data}).encode()


def liquidations(second: int, now_ms: int) -> bytes:
    """One print, each tenth a minute late; each 29th frame repeats the one before, one a frame of long ago."""
    told = BEFORE_WARM_UP if second == REPEATED else second - (second % 29 == 1)
    symbol = f"{BASES[told % 2]}USDT"
    event_ms = T0 + told * 1000 - (61_000 if told % 10 == 0 else 300) + told % 7
    side, quantity, price = ("Buy", "Sell")[told // 2 % 2], f"{1 + told % 9}", f"{7 + told % 5}"
    item = {"T": event_ms, "s": symbol, "S": side, "v": quantity, "p": price}
    return pushed(f"allLiquidation.{symbol}", "snapshot", [item], now_ms)


def raw() -> Iterator[RawBatch]:
    """One batch a second, as a producer has them: context every ten minutes, a ticker, liquidations, a heartbeat."""
    first = 0
    for second in range(MINUTES * 60):
        now_ms = T0 + second * 1000
        mark = {"symbol": "BTCUSDT", "markPrice": f"{60_000 + second % 50}", "indexPrice": "60000"}
        frames = [
            (SOCKET, pushed("tickers.BTCUSDT", "delta", mark, now_ms)),
            (SOCKET, liquidations(second, now_ms)),
            (OURS, b'{"control":"heartbeat"}'),
        ]
        if second % 600 == 0:
            full = mark | {"singleOpenInterest": f"{second + 5}", "openInterest": "9", "openInterestValue": "9"}
            funding = {"fundingRate": "0.0001", "nextFundingTime": "0", "fundingIntervalHour": "8"}
            frames[0] = SOCKET, pushed("tickers.BTCUSDT", "snapshot", full | funding, now_ms)
            frames.insert(0, (INSTRUMENTS, instruments(now_ms)))
        rows = [RawFrame((now_ms + place) * 1_000_000, *each) for place, each in enumerate(frames)]
        yield RawBatch.of("bybit", "test", first, SOURCES, rows)
        first += len(rows)


def publish(settings: Settings, outputs: Iterator[Output]) -> None:
    failed: list[Any] = []
    producer = Producer({**settings.kafka, "partitioner": PARTITIONER, "enable.idempotence": True, "linger.ms": 20})
    for topic, value, key, timestamp_ms, partition, headers in outputs:
        producer.produce(
            full_name(settings.prefix, topic),
            value,
            key,
            partition,
            timestamp=timestamp_ms,
            headers=list(headers),
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
        producer.poll(0)
    assert (producer.flush(PATIENCE_S), failed) == (0, [])


def publish_raw(settings: Settings) -> None:
    batches = ((encode(batch), batch.received_ns[-1] // 1_000_000) for batch in raw())
    publish(settings, (Output("raw", value, None, time_ms, RAW_PARTITION["bybit"]) for value, time_ms in batches))


def run_stage(reading: Settings, writing: Settings, normalizer: Normalizer) -> None:
    """Do what the worker does: raw of one market through a mapping into the topics of another."""
    stage, client = Normalize("bybit", normalizer, 1, writing.asset_partitions), consumer(reading)
    firsts, nexts = bounds(reading, partitions(client, reading, ["raw"]))

    def outputs() -> Iterator[Output]:
        for message in read_between(client, firsts, nexts):
            where, when = (message.partition() or 0, message.offset() or 0), message.timestamp()[1]
            yield from stage.process(Input("raw", *where, when, None, message.value(), ()))

    publish(writing, outputs())
    client.close()


@contextmanager
def sink(settings: Settings) -> Iterator[Future[int]]:
    stop = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        group, clickhouse = f"{settings.prefix}sink", address(settings)
        where = {"prefix": settings.prefix, "client": settings.kafka, "clickhouse": clickhouse, "group": group}
        ended = threads.submit(sink_run, **where, stop=stop)  # type: ignore[arg-type]  # a mapping of several types
        try:
            yield ended
        finally:
            stop.set()


def wait_until_landed(settings: Settings) -> None:
    client, group, deadline = consumer(settings), f"{settings.prefix}sink", time.monotonic() + PATIENCE_S
    firsts, nexts = bounds(settings, partitions(client, settings, [table.topic for table in TABLES.values()]))
    client.close()
    wanted = {place for place, following in nexts.items() if following > firsts[place]}
    while any(committed(settings.kafka, [group])[group].get(place, 0) < nexts[place] for place in wanted):
        assert time.monotonic() < deadline, f"the sink is behind after {PATIENCE_S} s"
        time.sleep(0.1)


def views(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Return what people see, but for versions and for the last digits of sums, which go by the order of summands."""
    found = {}
    with connect(address(settings)) as client:
        for name in [*TABLES, "minutes_final"]:
            query = f"SELECT * EXCEPT '^(version|revision)$' FROM {settings.database}.v_{name} ORDER BY ALL"
            found[name] = [tuple(map(_rounded, row)) for row in client.execute(query)]
    return found


def published(settings: Settings) -> set[tuple[str, str]]:
    """Return ids and positions as a reader of the topic has them who lets a higher revision replace a lower one."""
    client = consumer(settings)
    newest: dict[str, Liquidation] = {}
    for message in read_between(client, *bounds(settings, partitions(client, settings, ["liquidations"]))):
        if value := message.value():
            one = decode(value, Liquidation)
            newest[one.id] = max(newest.get(one.id, one), one, key=lambda each: each.revision)
    client.close()
    return {(one.id, one.position) for one in newest.values() if not one.retracted}


def _rounded(value: object) -> object:
    return f"{value:.12g}" if isinstance(value, float) else value


def test_after_a_replay_nobody_can_tell_that_the_mapping_was_wrong(new_settings: Callable[[], Settings]) -> None:
    corrected, right = new_settings(), new_settings()
    publish_raw(corrected)
    with ExitStack() as stack:
        sinks = [stack.enter_context(sink(each)) for each in (corrected, right)]
        run_stage(corrected, right, Bybit())
        run_stage(corrected, corrected, Wrong())
        wait_until_landed(corrected)
        wait_until_landed(right)
        expected, wrong = views(right), views(corrected)
        assert min(len(expected[name]) for name in ("liquidations", "minutes", "market_minutes", "open_interest")) > 0
        assert {name for name in expected if wrong[name] != expected[name]} == {*CORRECTED, "evidence"}
        surplus = len(wrong["liquidations"]) - len(expected["liquidations"])

        report = replay(corrected, STRETCH, from_kafka(corrected, STRETCH))
        at_once = views(corrected)
        wait_until_landed(corrected)
        later = views(corrected)

    assert (report["revision"], report["retracted"], report["left_alone"]) == (2, surplus, 1)
    assert (report["frames"], report["dead_letters"], report["gaps"]) == (1201, 0, 0)
    assert published(corrected) == {row[5:7] for row in expected["liquidations"]}  # id and position
    for name in expected.keys() - {"evidence"}:
        assert at_once[name] == later[name] == expected[name], name
    assert set(expected["evidence"]) < set(later["evidence"])  # why something was retracted can be seen
    assert [ended.result() for ended in sinks] == [0, 0]
    print(report)

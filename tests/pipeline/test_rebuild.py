"""Minutes that do not add up are found, and added up once more by the part that the stage has for it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from msgspec.structs import replace

from pipeline.clickhouse import address
from pipeline.exits import Ended
from pipeline.outlet import Outlet
from pipeline.reading import patiently
from pipeline.rebuild import SETTLED_MS, now_and_then, rebuild_between, recomputed, settled_before
from pipeline.settings import Settings
from pipeline.status import held
from processors.minutes import MINUTE_MS, Minutes
from processors.normalize.publications import Publication, encoded
from schemas.records import Liquidation, MinuteAggregate, Position, SourceQuality
from schemas.topics import DAY_MS, full_name
from sinks.connection import connect
from sinks.rebuild import Differing
from tests.processors.tiny import SHORT, T0, at, liquidation

MINUTE = Differing("tiny", "BTCUSDT", "BTC", T0, 0, 0)
FINAL_AT = at(65)
LATE = liquidation(3, 30, received_s=90)


def minute_of(*known: Liquidation) -> MinuteAggregate:
    """Return what the stage says when the minute is over."""
    minutes = Minutes("tiny", 1)
    for each in known:
        minutes.receive(each)
    [row] = minutes.close(FINAL_AT, 0)
    return row


def test_a_minute_is_added_up_as_the_stage_does_it() -> None:
    known = [liquidation(1, 10), liquidation(2, None, SHORT), liquidation(30, 20, price=49)]

    assert recomputed(MINUTE, known) == minute_of(*known)


def test_what_came_after_the_end_of_its_minute_is_late() -> None:
    row = recomputed(MINUTE, [liquidation(1, 10), LATE])

    assert (row.long_count, row.long_usd, row.late_count, row.is_final) == (2, 40, 1, True)


@pytest.mark.parametrize(
    ("stored", "version"),
    [(1 << 32 | 2, 1 << 32 | 3), (1 << 32 | 3, 2 << 32 | 3), (4 << 32 | 9, 5 << 32 | 3)],
    ids=["fewer events", "as many", "a later revision"],
)
def test_the_new_row_beats_the_stored_one(stored: int, version: int) -> None:
    assert recomputed(MINUTE._replace(version=stored), [liquidation(1, 10)]).version == version


def test_a_minute_without_liquidations_becomes_zeros() -> None:
    row = recomputed(MINUTE._replace(version=1 << 32 | 3, received_ms=at(4)), [])

    assert row == MinuteAggregate(
        exchange="tiny",
        symbol="BTCUSDT",
        asset="BTC",
        minute_ms=T0,
        received_ms=at(4),
        long_count=0,
        short_count=0,
        long_base=0,
        short_base=0,
        long_usd=0,
        short_usd=0,
        largest_usd=0,
        price_low=0,
        price_high=0,
        price_vwap=None,
        source_quality=SourceQuality.UNKNOWN,
        late_count=0,
        is_final=True,
        version=2 << 32 | 1,
    )


def put(settings: Settings, *records: Liquidation | MinuteAggregate) -> None:
    topics = {Liquidation: "liquidations", MinuteAggregate: "minutes"}
    with closing(Outlet(settings)) as outlet:
        told = (Publication(topics[type(one)], one, one.asset, one.received_ms) for one in records)
        outlet.put(encoded(one, "tiny") for one in told)


def shown(settings: Settings) -> dict[str, tuple[Any, ...]]:
    query = f"SELECT symbol, long_count, short_count, long_usd, version FROM {settings.database}.v_minutes"
    with connect(address(settings)) as client:
        return {symbol: tuple(rest) for symbol, *rest in client.execute(query)}


def on(symbol: str, *known: Liquidation) -> list[Liquidation]:
    return [replace(one, symbol=symbol, id=f"{symbol:_<8}{one.id[8:]}") for one in known]


def test_only_minutes_that_differ_are_rebuilt_and_only_once(new_settings: Callable[[], Settings]) -> None:
    settings = new_settings()
    one, two, unproven = liquidation(1, 10), liquidation(2, 20, SHORT), liquidation(3, None)
    right, missing = on("RIGHT", one, two, unproven), on("MISSING", one, two)
    late, swapped, gone = on("LATE", one, LATE), on("SWAPPED", one), on("GONE", one)
    put(settings, *right, minute_of(*right), *missing, *late, minute_of(late[0]))
    put(settings, minute_of(*swapped), replace(swapped[0], position=Position.SHORT, revision=2))
    put(settings, *gone, minute_of(*gone), replace(gone[0], revision=2, retracted=True))

    counts = [rebuild_between(settings, T0, T0 + MINUTE_MS) for _ in range(2)]

    assert counts == [4, 0]
    assert shown(settings) == {
        "RIGHT": (2, 1, None, 1 << 32 | 7),
        "MISSING": (1, 1, 10, 1 << 32 | 5),
        "LATE": (2, 0, 40, 1 << 32 | 5),
        "SWAPPED": (0, 1, 0, 2 << 32 | 3),
    }
    put(settings, replace(gone[0], revision=3))
    assert rebuild_between(settings, T0, T0 + MINUTE_MS, "other") == 0
    assert rebuild_between(settings, T0, T0 + MINUTE_MS, "tiny") == 1
    assert shown(settings)["GONE"] == (1, 0, 10, 3 << 32 | 3)


def ended_ago(minutes: float) -> Liquidation:
    """Return a liquidation of the minute that ended so many minutes before the newest one that has settled."""
    event_ms = settled_before(time.time()) - round(minutes * MINUTE_MS) - 1
    return replace(liquidation(1, 10), event_ms=event_ms, received_ms=event_ms)


def test_minutes_that_may_still_change_are_left_to_the_stage(new_settings: Callable[[], Settings]) -> None:
    settings = new_settings()
    put(settings, *on("YOUNG", ended_ago(-SETTLED_MS / MINUTE_MS)), *on("OLD", ended_ago(5)))

    assert rebuild_between(settings, None, None) == 1
    assert list(shown(settings)) == ["OLD"]


def test_nothing_is_compared_while_the_sink_is_behind(new_settings: Callable[[], Settings]) -> None:
    settings = new_settings()
    put(settings, ended_ago(5))
    topic = full_name(settings.prefix, "liquidations")
    client = Consumer({**settings.kafka, "group.id": f"{settings.prefix}sink"})
    places = [TopicPartition(topic, number) for number in range(settings.asset_partitions)]
    counts = []
    for landed in (False, True):
        for place in places:
            place.offset = patiently(partial(client.get_watermark_offsets, place))[landed]
        client.commit(offsets=places, asynchronous=False)
        counts.append(rebuilt(settings))
    client.close()

    assert counts == ["the sink has not landed all liquidations yet", 1]


def rebuilt(settings: Settings) -> int | str:
    try:
        return rebuild_between(settings, None, None)
    except Ended as error:
        return str(error).partition(":")[0]


def test_records_that_are_too_old_for_their_topic_are_only_stored(new_settings: Callable[[], Settings]) -> None:
    settings = new_settings()
    outlet = Outlet(settings)
    now_ms = int(time.time() * 1000)
    for days in (1, 6, 7, 8):
        [one] = on(f"DAYS{days}", replace(liquidation(1, 10), received_ms=now_ms - days * DAY_MS))
        outlet.put([encoded(Publication("liquidations", one, one.asset, one.received_ms), one.exchange)])
    outlet.close()

    with connect(address(settings)) as client:
        stored = client.execute(f"SELECT count() FROM {settings.database}.v_liquidations")
    assert (outlet.put_by_topic, outlet.only_stored, stored) == ({"liquidations": 4}, 2, [(4,)])
    assert held(settings)[full_name(settings.prefix, "liquidations")] == 2


def test_beside_the_sink_minutes_are_rebuilt_now_and_then(new_settings: Callable[[], Settings]) -> None:
    settings = new_settings().model_copy(update={"rebuild_every_s": 0.1})
    put(settings, ended_ago(5))

    deadline = time.monotonic() + 30
    with now_and_then(settings):
        while not shown(settings):
            assert time.monotonic() < deadline


def test_what_nobody_expected_ends_the_work_in_order_and_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"rebuild_every_s": 0.01})
    asked_to_end = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: asked_to_end.set())
    monkeypatch.setattr("pipeline.rebuild.rebuild_between", lambda *_: os.stat("/nowhere"))
    try:
        with pytest.raises(FileNotFoundError), now_and_then(settings):
            assert asked_to_end.wait(30)
    finally:
        signal.signal(signal.SIGTERM, before)

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from processors.normalize.facts import Fact, Frame, Unfilled
from processors.normalize.parking import PARK_AFTER
from processors.normalize.publications import OUTPUTS, Publication
from processors.normalize.stage import Normalize
from processors.processor import Input, Output
from schemas.avro import decode, encode
from schemas.partition import partition_of
from schemas.raw import RawBatch, RawFrame, Source, SourceKind
from schemas.records import Channel, DeadLetter, Instrument, Liquidation, MarketMinute, MarketSlice, MinuteAggregate
from schemas.topics import HEARTBEAT_HEADER, TOPICS
from tests.records import example

from ..tiny import (
    LONG,
    SHORT,
    Tiny,
    at,
    control,
    frame,
    funding,
    liquidation,
    open_interest,
    quote,
    raw,
    tiny_stage,
    trade,
)


def published(stage: Normalize, frames: Iterable[Frame]) -> list[Publication]:
    return [publication for one in frames for publication in stage.receive(one)]


def of_topic(publications: Iterable[Publication], topic: str) -> list[Any]:
    return [publication.record for publication in publications if publication.topic == topic and publication.record]


def beats(*seconds: float) -> list[Frame]:
    return [control("heartbeat", received_s=second) for second in seconds]


def test_a_liquidation_is_published_at_once_and_its_minute_with_the_second() -> None:
    stage, one = tiny_stage(), liquidation(1.0)
    assert stage.receive(frame(one, received_s=1.2))[0] == Publication("liquidations", one, "BTC", at(1.02))
    assert stage.receive(frame(received_s=1.999)) == []
    [minute] = stage.receive(frame(received_s=2.1))
    assert (minute.topic, minute.key, minute.timestamp_ms, minute.partition) == ("minutes", "BTC", at(2.1), -1)
    assert isinstance(minute.record, MinuteAggregate)
    assert (minute.record.long_count, minute.record.is_final) == (1, False)


def test_a_repeat_is_dropped_and_counted() -> None:
    stage, one = tiny_stage(), liquidation(1.0)
    again = msgspec.structs.replace(one, received_ms=at(30), channel=Channel.REST)
    out = published(stage, [frame(one, received_s=1), frame(again, received_s=30, kind=SourceKind.REST), *beats(70)])
    assert of_topic(out, "liquidations") == [one]
    assert [minute.long_count for minute in of_topic(out, "minutes")] == [1, 1]
    assert stage.counts["repeats"] == 1


def test_heartbeats_close_minutes_when_nothing_else_comes() -> None:
    stage = tiny_stage()
    out = published(stage, [frame(liquidation(1), quote(1, 50.0), received_s=1), *beats(*range(2, 67))])
    assert [(minute.is_final, minute.version) for minute in of_topic(out, "minutes")] == [
        (False, 1 << 32 | 2),
        (True, 1 << 32 | 3),
    ]
    assert [minute.is_final for minute in of_topic(out, "market-minutes")] == [False, True]
    assert [p.timestamp_ms for p in out if p.topic == "minutes"] == [at(2), at(65)]


def test_events_of_streams_close_minutes_and_those_of_rest_do_not() -> None:
    for kind, finals in ((SourceKind.FRAME, [True]), (SourceKind.REST, [])):
        stage = tiny_stage(["minutes"])
        frames = [
            frame(liquidation(1), received_s=1),
            frame(quote(66, 50.0), received_s=2, kind=kind),
            frame(received_s=3),
        ]
        out = of_topic(published(stage, frames), "minutes")
        assert [minute.is_final for minute in out if minute.is_final] == finals


def test_a_heartbeat_reaches_every_partition_of_every_asset_topic() -> None:
    stage = tiny_stage(asset_partitions=3)
    stage.receive(frame(quote(1, 50.0), received_s=1))
    out = stage.receive(control("heartbeat", received_s=2))
    with_heartbeats = ("liquidations", "open-interest", "funding")
    nothing = [Publication(topic, None, None, at(2), n) for topic in with_heartbeats for n in range(3)]
    assert [p for p in out if p.record is None] == nothing
    slices = {p.partition: p.record for p in out if p.topic == "market"}
    assert sorted(slices) == [0, 1, 2]
    assert [n for n, part in slices.items() if isinstance(part, MarketSlice) and part.entries] == [
        partition_of("BTC", 3)
    ]


def test_each_second_has_one_slice_per_partition_wherever_the_heartbeat_falls() -> None:
    stage = tiny_stage()
    frames = [frame(quote(n / 5, float(n)), received_s=n / 5) for n in range(50)] + beats(*(n + 0.3 for n in range(10)))
    out = published(stage, sorted(frames, key=lambda one: one.received_ms))
    counted = Counter((p.partition, p.record.second_ms) for p in out if isinstance(p.record, MarketSlice))
    assert counted == Counter((n, at(second)) for n in range(2) for second in range(9))


def test_open_interest_and_funding_pass_when_they_changed_at_the_close_of_the_second() -> None:
    stage = tiny_stage()
    frames = [
        frame(open_interest(0.1, 10.0), funding(0.1, 0.5), received_s=0.1),
        frame(open_interest(0.2, 11.0), received_s=0.2),
        frame(open_interest(1.2, 11.0), funding(1.2, 0.5), received_s=1.2),
        frame(open_interest(2.2, 12.0), funding(2.2, 0.6), received_s=2.2),
        frame(received_s=3),
    ]
    out = published(stage, frames)
    assert of_topic(out, "open-interest") == [open_interest(0.2, 11.0), open_interest(2.2, 12.0)]
    assert of_topic(out, "funding") == [funding(0.1, 0.5), funding(2.2, 0.6)]
    assert {p.timestamp_ms for p in out if p.topic == "funding"} == {at(1.2), at(3)}


def test_an_instrument_is_keyed_by_exchange_and_symbol() -> None:
    class Listing(Tiny):
        def normalize(self, _: Frame) -> Sequence[Fact]:
            return [fact]

    fact: Instrument = example(Instrument, exchange="tiny", symbol="BTCUSDT")
    stage = Normalize("tiny", Listing(), 1, 2)
    assert stage.receive(frame(received_s=1)) == [Publication("instruments", fact, "tiny:BTCUSDT", fact.received_ms)]


def test_a_bad_frame_is_a_dead_letter_and_the_next_one_goes_on() -> None:
    stage = tiny_stage()
    out = published(stage, [raw(b"trades: x", received_s=1), frame(liquidation(1), received_s=1)])
    assert out[0] == Publication(
        "dead-letters",
        DeadLetter(
            exchange="tiny",
            stage="normalize",
            channel="trades",
            reason="seen b'trades: x', expected JSON",
            source="wss://tiny",
            topic="raw",
            partition=1,
            offset=7,
            index=0,
            received_ms=at(1),
            is_parked=False,
            suppressed=0,
            payload=b"trades: x",
        ),
        "tiny",
        at(1),
    )
    assert of_topic(out, "liquidations") == [liquidation(1)]


def test_frames_of_a_parked_channel_are_still_tried() -> None:
    stage = tiny_stage()
    published(stage, [raw(b"Liquidation: x", received_s=1)] * (PARK_AFTER + 3))
    assert (stage.levels["parked"], stage.counts["suppressed"], stage.counts["dead_letters"]) == (1, 3, PARK_AFTER + 3)
    stage.receive(replace(frame(received_s=1), url="wss://tiny/Liquidation"))
    assert stage.levels["parked"] == 1, "an acknowledgement proves nothing"
    assert of_topic(stage.receive(frame(liquidation(1), received_s=1)), "liquidations") == [liquidation(1)]
    assert stage.levels["parked"] == 0


def test_a_normalizer_hears_of_a_lost_connection_and_other_control_frames_are_counted() -> None:
    normalizer = Tiny()
    stage = Normalize("tiny", normalizer, 1, 2)
    assert published(stage, [control(said, received_s=1) for said in ("connected", "subscribed", "gap")]) == []
    stage.receive(control("disconnected", received_s=1))
    assert normalizer.disconnects == ["tiny-1"]
    assert {said: stage.counts[said] for said in ("connected", "subscribed", "gap", "disconnected")} == dict.fromkeys(
        ("connected", "subscribed", "gap", "disconnected"), 1
    )


def test_a_liquidation_of_which_nothing_was_executed_is_counted_and_no_record() -> None:
    for outputs in (None, ["minutes"], ["market"]):
        stage = tiny_stage(outputs)
        assert (
            published(
                stage, [frame(Unfilled("BTCUSDT", "BTC", at(1)), Unfilled("BTCUSDT", "BTC", at(1)), received_s=1)]
            )
            == []
        )
        assert stage.counts["unfilled"] == 2
        assert of_topic(stage.flush(), "minutes") == []


def test_the_end_of_a_finite_input_gives_what_is_pending() -> None:
    stage = tiny_stage()
    stage.receive(frame(liquidation(1), quote(1, 50.0), open_interest(1, 10.0), received_s=1))
    out = stage.flush()
    assert [(p.topic, p.timestamp_ms) for p in out] == [
        ("market", at(1)),
        ("open-interest", at(1)),
        ("minutes", at(1)),
        ("market-minutes", at(1)),
    ]
    assert tiny_stage().flush() == []


@pytest.mark.parametrize("topic", OUTPUTS)
def test_restricted_outputs_are_the_same_records(topic: str) -> None:
    frames = scenario(random.Random(3), 400)
    everything = [p for p in published(tiny_stage(), frames) if p.topic == topic]
    assert repr(published(tiny_stage([topic]), frames)) == repr(everything)


def test_an_unknown_output_is_named() -> None:
    with pytest.raises(ValueError, match="no such outputs: \\['candles'\\]"):
        tiny_stage(["candles"])


def scenario(chance: random.Random, count: int) -> list[Frame]:
    """Return frames of some minutes: all kinds of facts, late and repeated ones, garbage, control frames."""
    frames, events = [], [liquidation(0)]
    for number in range(count):
        now_s = number * 0.4
        event_s = now_s - chance.choice([0, 0.1, 1, 90])
        symbol = chance.choice(["BTCUSDT", "BTCPERP", "ETHUSDT"])
        facts: list[Fact] = [
            liquidation(
                event_s, chance.choice([None, 64.0, 512.0]), chance.choice([LONG, SHORT]),
                symbol=symbol, asset=symbol[:3], received_s=now_s, number=number,
            ),
            chance.choice(events),
            quote(now_s, chance.uniform(40, 60), symbol=symbol, asset=symbol[:3]),
            trade(now_s, chance.lognormvariate(0, 1), is_buy=chance.random() < 0.5, order=str(number // 3)),
            open_interest(now_s, float(chance.randrange(3))),
            funding(now_s, chance.choice([0.1, 0.2])),
        ]  # fmt: skip
        picked = chance.sample(facts, chance.randrange(4))
        events += [fact for fact in picked if isinstance(fact, Liquidation)]
        kind = chance.choice([SourceKind.FRAME, SourceKind.FRAME, SourceKind.REST])
        frames.append(frame(*picked, received_s=now_s, kind=kind))
        if number % 5 == 0:
            frames.append(control("heartbeat", received_s=now_s))
        if number % 41 == 0:
            frames.append(control("disconnected", received_s=now_s))
        if number % 41 in (0, 2, 3):
            channels = [f"{stream}.{chance.choice('AB')}" for stream in ("liquidations", "quotes", "trades")]
            frames.append(control("subscribed", received_s=now_s, channels=channels))
            told = control("gap", received_s=now_s, channels=channels, from_s=event_s, to_s=now_s)
            frames += [told] * chance.randrange(2)
        if number % 7 == 0 and number > 200:
            frames.append(raw(b"trades: garbage", received_s=now_s))
    return frames


def batches(frames: Sequence[Frame], size: int) -> list[Input]:
    """Return the frames as records of the topic raw."""
    records = []
    for offset, start in enumerate(range(0, len(frames), size)):
        some = frames[start : start + size]
        sources = tuple(Source(one.kind, one.url, one.connection) for one in some)
        raws = [RawFrame(one.received_ms * 1_000_000, n, one.payload) for n, one in enumerate(some)]
        value = encode(RawBatch.of("tiny", "run", start, sources, raws))
        records.append(Input("raw", 1, offset, some[-1].received_ms, None, value, ()))
    return records


def run(stage: Normalize, records: Iterable[Input]) -> list[Output]:
    return [output for record in records for output in stage.process(record)]


@pytest.mark.parametrize("seed", range(5))
def test_the_same_input_twice_gives_the_same_bytes(seed: int) -> None:
    records = batches(scenario(random.Random(seed), 400), 13)
    first, second = tiny_stage(), tiny_stage()
    assert run(first, records) == run(second, records)
    assert first.snapshot()() == second.snapshot()()


@pytest.mark.parametrize("seed", range(5))
def test_a_restart_between_any_two_records_changes_nothing(seed: int) -> None:
    chance = random.Random(seed)
    records = batches(scenario(chance, 400), 3)
    steady, broken = tiny_stage(), tiny_stage()
    for record in records:
        pack = broken.snapshot()
        if chance.random() < 0.5:
            broken = tiny_stage()
            broken.restore(pack())
        assert broken.process(record) == steady.process(record)
    assert broken.snapshot()() == steady.snapshot()()


def test_a_snapshot_is_of_its_moment_even_when_encoded_later() -> None:
    stage = tiny_stage()
    snapshots = []
    for record in batches(scenario(random.Random(1), 600), 7):
        pack = stage.snapshot()
        snapshots.append((pack, pack()))
        stage.process(record)
    assert all(pack() == before for pack, before in snapshots)


@pytest.mark.parametrize("seed", range(5))
def test_totals_agree(seed: int) -> None:
    """Each liquidation counts once in the newest row of its minute, each trade once in slices and in minutes."""
    frames = [*scenario(random.Random(seed), 600), *beats(*range(240, 320))]
    out = published(tiny_stage(), frames)
    seen = {one.id: one for one in of_topic(out, "liquidations")}
    assert len(seen) == len(of_topic(out, "liquidations")) > 100
    newest: dict[tuple[str, int], MinuteAggregate] = {}
    for row in of_topic(out, "minutes"):
        key = (row.symbol, row.minute_ms)
        assert key not in newest or newest[key].version < row.version
        assert key not in newest or newest[key].is_final <= row.is_final
        newest[key] = row
    assert Counter({key: row.long_count + row.short_count for key, row in newest.items()}) == Counter(
        (one.symbol, one.event_ms - one.event_ms % 60_000) for one in seen.values()
    )
    assert all(row.is_final for row in newest.values())
    finals: list[MarketMinute] = [row for row in of_topic(out, "market-minutes") if row.is_final]
    assert len({(row.symbol, row.minute_ms) for row in finals}) == len(finals)
    sold = sum(entry.trades or 0 for part in of_topic(out, "market") for entry in part.entries)
    assert sold == sum(row.trades or 0 for row in finals) > 50


def test_every_output_can_be_decoded_and_carries_a_time_between_the_frames_of_its_batch() -> None:
    frames = scenario(random.Random(9), 400)
    stage = tiny_stage()
    topics = set()
    for record, start in zip(batches(frames, 13), range(0, len(frames), 13), strict=True):
        times = [one.received_ms for one in frames[start : start + 13]]
        for output in stage.process(record):
            topics.add(output.topic)
            kind = TOPICS[output.topic].record
            assert kind is not None
            if output.value is None:
                assert output.headers == ((HEARTBEAT_HEADER, b"tiny"),)
            else:
                decode(output.value, kind)
            if output.topic not in ("liquidations", "evidence", "dead-letters"):
                assert times[0] <= output.timestamp_ms <= times[-1]
    assert topics == set(OUTPUTS) - {"instruments"}


def test_a_minute_whose_ids_are_forgotten_takes_no_more_liquidations() -> None:
    two_hours_later = 7_200 + 70
    stage, one = tiny_stage(), liquidation(1)
    frames = [frame(one, received_s=1), *beats(two_hours_later), *beats(two_hours_later + 1)]
    published(stage, frames)
    out = published(stage, [frame(one, received_s=two_hours_later + 1), *beats(two_hours_later + 2)])
    assert of_topic(out, "liquidations") == [one]
    assert of_topic(out, "minutes") == []
    assert stage.counts["too_old"] == 1

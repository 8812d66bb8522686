"""What is proven of a minute: T0 begins one, and the producers here say something at every second."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import pytest
from msgspec.structs import replace

from processors.normalize import sockets
from processors.normalize.coverage import Coverages
from processors.normalize.facts import Frame, Unfilled
from processors.normalize.frames import control as said
from processors.normalize.stage import Normalize
from processors.pieces import pack
from schemas.raw import SourceKind
from schemas.records import Coverage

from ..tiny import Tiny, at, control, frame, liquidation, open_interest, quote, raw, tiny_stage, trade

CHANNELS = ("liquidations.BTC", "quotes.BTC")


def begun(at_s: float = -70.0, channels: Sequence[str] = CHANNELS, connection: str = "tiny-1") -> list[Frame]:
    """A socket opens and subscribes."""
    return [
        control("connected", received_s=at_s, connection=connection),
        control("subscribed", received_s=at_s, channels=channels, connection=connection),
    ]


def second(at_s: float, proven_s: float | None = None) -> list[Frame]:
    """One second of life: a quote, and a heartbeat that proves everything until shortly before it."""
    beat = control("heartbeat", received_s=at_s + 0.5, from_s=at_s - 0.5 if proven_s is None else proven_s)
    return [frame(quote(at_s, 50.0), received_s=at_s), beat]


def seconds(from_s: int, to_s: int) -> list[Frame]:
    return list(chain.from_iterable(second(at_s) for at_s in range(from_s, to_s)))


def told(frames: Iterable[Frame], stage: Normalize | None = None) -> list[Coverage]:
    """Return what a stage says of coverage."""
    stage = stage or tiny_stage(["coverage"])
    return [p.record for one in frames for p in stage.receive(one) if isinstance(p.record, Coverage)]


def newest(rows: Iterable[Coverage]) -> dict[tuple[str, float], Coverage]:
    """Return the row with the highest version by stream and second at which the minute begins; versions only grow."""
    found: dict[tuple[str, float], Coverage] = {}
    for row in rows:
        key = row.stream, (row.minute_ms - at(0)) / 1000
        assert key not in found or found[key].version < row.version
        found[key] = row
    return found


def liquidations(frames: Iterable[Frame], minute_s: float = 0.0) -> Coverage:
    """Return the newest row of the stream liquidations."""
    return newest(told(frames))["liquidations", minute_s]


def in_order(*frames: Iterable[Frame]) -> list[Frame]:
    return sorted(chain(*frames), key=lambda one: one.received_ms)


def gap(from_s: float, to_s: float, told_s: float, channels: Sequence[str] = CHANNELS[:1]) -> list[Frame]:
    return [control("gap", received_s=told_s, channels=channels, from_s=from_s, to_s=to_s)]


def test_a_minute_in_which_nothing_was_missed_is_alive() -> None:
    frames = in_order(begun(), seconds(-70, 70), [frame(liquidation(30), received_s=30)])
    assert liquidations(frames) == Coverage(
        exchange="tiny",
        stream="liquidations",
        minute_ms=at(0),
        received_ms=at(65.5),
        connected_ms=60_000,
        subscribed_ms=60_000,
        gap_ms=0,
        frames=1,
        gaps=0,
        reconnects=0,
        parked_frames=0,
        proven_by="quotes",
        is_alive=True,
        is_final=True,
        version=1 << 32 | 65_500,
    )
    assert newest(told(frames))["quotes", 0.0].frames == 60


def test_a_minute_is_told_once_where_its_proof_is_final_at_its_close() -> None:
    rows = told(in_order(begun(), seconds(-70, 200)))
    assert [(row.stream, (row.minute_ms - at(0)) // 1000) for row in rows] == [
        (stream, minute_s) for minute_s in (-120, -60, 0, 60, 120) for stream in ("liquidations", "quotes")
    ]


def test_the_minute_of_the_first_subscription_is_not_alive() -> None:
    rows = newest(told(in_order(begun(at_s=10), seconds(10, 130))))
    first, second_one = rows["liquidations", 0.0], rows["liquidations", 60.0]
    assert (first.is_alive, first.connected_ms, first.subscribed_ms, first.gap_ms) == (False, 50_000, 50_000, 0)
    assert (second_one.is_alive, second_one.subscribed_ms) == (True, 60_000)


def test_a_minute_before_anything_was_known_has_no_row() -> None:
    rows = told(in_order(seconds(-70, 10), begun(at_s=10), seconds(10, 70)))
    assert {row.stream for row in rows if row.minute_ms < at(0)} == {"quotes"}
    rows = told([*seconds(-70, -60), *begun(at_s=130), *seconds(130, 200)])
    assert {row.minute_ms for row in rows if row.stream == "liquidations"} == {at(120)}


def test_without_the_last_channel_a_stream_was_not_complete() -> None:
    late = begun(at_s=90, channels=["liquidations.ETH"], connection="tiny-2")
    rows = newest(told(in_order(begun(), seconds(-70, 200), late)))
    assert [rows["liquidations", minute_s].is_alive for minute_s in (0.0, 60.0, 120.0)] == [False, False, True]
    assert [rows["quotes", minute_s].is_alive for minute_s in (0.0, 60.0, 120.0)] == [True, True, True]
    assert (rows["liquidations", 0.0].subscribed_ms, rows["liquidations", 60.0].subscribed_ms) == (0, 30_000)


def test_a_new_channel_was_complete_before_the_gap_that_names_it() -> None:
    late = begun(at_s=130, channels=["liquidations.NEW"], connection="tiny-2")
    frames = in_order(begun(), seconds(-70, 200), late, gap(70, 130, told_s=130.2, channels=["liquidations.NEW"]))
    rows = newest(told(frames))
    assert [rows["liquidations", minute_s].is_alive for minute_s in (0.0, 60.0, 120.0)] == [True, False, False]
    assert (rows["liquidations", 60.0].gap_ms, rows["liquidations", 60.0].received_ms) == (50_000, at(130.5))


def test_gaps_are_united() -> None:
    spoken = gap(10, 20, told_s=20.1) + gap(15, 30, told_s=30.1) + gap(40, 41.5, told_s=42)
    row = liquidations(in_order(begun(), seconds(-70, 70), spoken))
    assert (row.is_alive, row.gaps, row.gap_ms, row.subscribed_ms) == (False, 2, 21_500, 38_500)


def test_a_gap_of_another_stream_does_not_matter() -> None:
    frames = in_order(begun(channels=(*CHANNELS, "trades.BTC")), seconds(-70, 70))
    rows = newest(told(in_order(frames, gap(10, 20, told_s=20.1, channels=["trades.BTC"]))))
    assert [rows[stream, 0.0].is_alive for stream in ("liquidations", "quotes")] == [True, True]
    assert rows["trades", 0.0].gap_ms == 10_000


@pytest.mark.parametrize(
    ("from_s", "to_s", "alive"), [(-5, -2.1, True), (-5, -1.9, False), (61.9, 63, False), (62.1, 63, True)]
)
def test_a_minute_is_alive_only_where_nothing_within_two_seconds_of_it_is_missed(
    from_s: float, to_s: float, alive: bool
) -> None:
    row = liquidations(in_order(begun(), seconds(-70, 70), gap(from_s, to_s, told_s=to_s)))
    assert (row.is_alive, row.gap_ms) == (alive, 0)


def test_a_gap_that_is_told_later_revises_a_minute() -> None:
    rows = told(in_order(begun(), seconds(-70, 200), gap(50, 130, told_s=130.1)))
    of_the_minute = [row for row in rows if (row.stream, row.minute_ms) == ("liquidations", at(0))]
    assert [(row.is_alive, row.gap_ms, row.received_ms) for row in of_the_minute] == [
        (True, 0, at(65.5)),
        (False, 10_000, at(130.5)),
    ]


@pytest.mark.parametrize(("from_s", "to_s"), [(-1.5, -1), (61, 61.5)])
def test_one_told_later_revises_the_minute_that_it_nearly_touches(from_s: float, to_s: float) -> None:
    row = liquidations(in_order(begun(), seconds(-70, 200), gap(from_s, to_s, told_s=130.1)))
    assert (row.is_alive, row.gap_ms, row.received_ms) == (False, 0, at(130.5))


def test_an_open_gap_that_grows_revises_each_minute_once() -> None:
    growing = [one for told_s in range(130, 180) for one in gap(50, told_s, told_s=told_s)]
    rows = told(in_order(begun(), seconds(-70, 200), growing))
    assert [row.minute_ms for row in rows if row.stream == "liquidations"].count(at(0)) == 2


def test_a_gap_older_than_what_is_kept_changes_nothing() -> None:
    hours = 6 * 3_600
    late = [*second(hours + 200), *gap(1, 2, told_s=hours + 201), *second(hours + 202)]
    rows = newest(told([*in_order(begun(), seconds(-70, 70)), *late]))
    assert rows["liquidations", 0.0].is_alive


@pytest.mark.parametrize("proven_s", [49.0, 61.9])
def test_a_minute_waits_for_its_proof(proven_s: float) -> None:
    stuck = [one for at_s in range(50, 90) for one in second(at_s, proven_s)]
    rows = told([*in_order(begun(), seconds(-70, 50)), *stuck, *second(90)])
    of_the_minute = [row for row in rows if (row.stream, row.minute_ms) == ("liquidations", at(0))]
    assert [(row.is_alive, row.is_final, row.received_ms) for row in of_the_minute] == [
        (False, False, at(65.5)),
        (True, True, at(90.5)),
    ]


def test_a_proof_of_what_is_still_to_come_is_none() -> None:
    too_much = second(40, proven_s=500)
    stuck = [one for at_s in range(50, 90) for one in second(at_s, proven_s=49.0)]
    assert not liquidations([*in_order(begun(), seconds(-70, 40)), *too_much, *stuck]).is_final


def test_a_pause_of_the_heartbeats_proves_nothing() -> None:
    rows = newest(told(in_order(begun(), seconds(-70, 20), seconds(40, 130))))
    row = rows["liquidations", 0.0]
    assert (row.is_alive, row.connected_ms, row.subscribed_ms, row.gap_ms) == (False, 39_000, 39_000, 0)
    assert rows["liquidations", 60.0].is_alive


def test_hours_without_a_producer_are_told_and_not_alive() -> None:
    rows = newest(told([*in_order(begun(), seconds(-70, 20)), *seconds(7_200, 7_201)]))
    minutes = [rows["liquidations", minute_s] for minute_s in range(60, 7_140, 60)]
    assert {(row.is_alive, row.is_final, row.subscribed_ms, row.connected_ms) for row in minutes} == {
        (False, True, 0, 0)
    }


def test_a_liquidation_of_which_nothing_was_executed_is_a_frame_of_its_stream() -> None:
    frames = in_order(begun(), seconds(-70, 70), [frame(Unfilled("BTCUSDT", "BTC", at(30)), received_s=30)])
    assert liquidations(frames).frames == 1


def test_without_frames_on_its_sockets_nothing_is_proven() -> None:
    beats = [one for at_s in range(-70, 70) for one in second(at_s)[1:]]
    row = liquidations(in_order(begun(), beats))
    assert (row.is_alive, row.is_final, row.proven_by) == (False, True, "")


def test_a_stream_is_proven_by_the_busiest_one_on_its_sockets() -> None:
    trades = [frame(trade(n / 4, 1.0), received_s=n / 4) for n in range(240)]
    apart = begun(channels=["trades.BTC"], connection="tiny-2")
    rows = newest(told(in_order(begun(), apart, seconds(-70, 70), trades)))
    proofs = {stream: rows[stream, 0.0].proven_by for stream in ("liquidations", "quotes", "trades")}
    assert proofs == {"liquidations": "quotes", "quotes": "quotes", "trades": "trades"}


def test_a_lost_socket_is_counted_where_it_was_lost() -> None:
    lost = [control("disconnected", received_s=20), *begun(at_s=25, connection="tiny-1#2"), *gap(19, 25, told_s=25.1)]
    row = liquidations(in_order(begun(), seconds(-70, 70), lost))
    assert (row.reconnects, row.connected_ms, row.gap_ms, row.is_alive) == (1, 55_000, 6_000, False)


def test_a_socket_that_is_replaced_with_overlap_leaves_the_minute_alive() -> None:
    renewed = [*begun(at_s=20, connection="tiny-1#2"), control("disconnected", received_s=25)]
    row = liquidations(in_order(begun(), seconds(-70, 70), renewed))
    assert (row.reconnects, row.connected_ms, row.is_alive) == (1, 60_000, True)


def test_a_socket_that_is_not_heard_of_any_more_is_gone() -> None:
    rows = newest(told(in_order(begun(), seconds(-70, 1_000))))
    assert rows["quotes", 780.0].connected_ms == 50_500  # the end of a producer that was killed is not told
    assert rows["quotes", 840.0].connected_ms == 0


def test_a_frame_that_nobody_understands_leaves_its_stream_unproven() -> None:
    bad = [raw(b"liquidations: x", received_s=30)] * 3
    rows = newest(told(in_order(begun(), seconds(-70, 130), bad)))
    assert (rows["liquidations", 0.0].is_alive, rows["liquidations", 0.0].parked_frames) == (False, 3)
    assert (rows["quotes", 0.0].is_alive, rows["quotes", 0.0].parked_frames) == (True, 0)
    assert rows["liquidations", 60.0].is_alive


def test_one_just_after_a_minute_may_have_been_of_it() -> None:
    rows = newest(told(in_order(begun(), seconds(-70, 130), [raw(b"liquidations: x", received_s=61)])))
    assert [rows["liquidations", minute_s].is_alive for minute_s in (0.0, 60.0)] == [False, False]


def test_a_frame_of_no_channel_may_be_of_any_and_an_answer_of_none_is_of_none() -> None:
    for kind, parked in ((SourceKind.FRAME, 1), (SourceKind.REST, 0)):
        bad = raw(b"<html>", received_s=30, kind=kind)
        rows = newest(told(in_order(begun(), seconds(-70, 70), [bad])))
        assert [rows[stream, 0.0].parked_frames for stream in ("liquidations", "quotes")] == [parked, parked]


def test_a_stream_without_channels_is_alive_where_it_was_seen_and_no_channel_missed_anything() -> None:
    answers = [frame(open_interest(n, 1.0), received_s=n, kind=SourceKind.REST) for n in (-30, 30, 150)]
    frames = in_order(begun(), seconds(-70, 190), answers, gap(130, 140, told_s=140))
    rows = newest(told(frames))
    seen = {minute_s: rows["open-interest", minute_s] for minute_s in (0.0, 60.0, 120.0)}
    assert [(row.is_alive, row.frames, row.gap_ms, row.proven_by) for row in seen.values()] == [
        (True, 1, 0, "open-interest"),
        (False, 0, 0, ""),
        (False, 1, 10_000, "open-interest"),
    ]
    assert seen[0.0].connected_ms == 60_000


def test_too_many_channels_are_forgotten_and_count_as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "MAX_CHANNELS", 2)
    more = begun(at_s=30, channels=["trades.A"]) + begun(at_s=70, channels=CHANNELS[:1])
    assert not liquidations(in_order(begun(), seconds(-70, 90), more)).is_alive


def test_a_heartbeat_of_a_clock_that_is_behind_leaves_it_to_the_next_one() -> None:
    behind = [*gap(1, 2, told_s=70.1), replace(second(70)[1], received_ms=at(69.9))]
    frames = [*in_order(begun(), seconds(-70, 71)), *behind]
    assert liquidations(frames).is_alive
    assert not liquidations([*frames, *second(71)]).is_alive


def test_what_is_kept_does_not_grow_for_ever() -> None:
    covered, sizes = Coverages("tiny", 1, Tiny().stream_of), []
    for minute in range(3 * 360):
        missed = gap(minute * 60 + 9, minute * 60 + 10, told_s=minute * 60 + 11)
        for one in [*begun(minute * 60), *missed]:
            covered.hear(said(one), one)
        for at_s in range(minute * 60 + 20, minute * 60 + 60, 20):
            covered.close_second(at(at_s))
            covered.bury("quotes", raw(b"", received_s=at_s))
            beat = second(at_s)[1]
            covered.hear(said(beat), beat)
        sizes.append(len(pack(covered.tables())))
    assert sizes[720] == sizes[1_079]


def test_a_restart_between_any_two_frames_changes_nothing() -> None:
    frames: list[Any] = in_order(
        begun(),
        begun(channels=["trades.BTC"], connection="tiny-2"),
        seconds(-70, 140),
        gap(50, 70, told_s=70),
        [raw(b"trades: x", received_s=20), control("disconnected", received_s=80)],
        begun(at_s=90, channels=["liquidations.ETH"]),
        [frame(open_interest(n, 1.0), received_s=n) for n in range(0, 100, 7)],
    )
    steady, broken = tiny_stage(["coverage"]), tiny_stage(["coverage"])
    for one in frames:
        body = broken.snapshot()()
        broken = tiny_stage(["coverage"])
        broken.restore(body)
        assert told([one], broken) == told([one], steady)
    assert broken.snapshot()() == steady.snapshot()()

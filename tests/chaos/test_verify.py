"""Every promise can be seen to break: honest evidence keeps them all, tampered evidence does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import msgspec
import pytest

import producers.registry
from schemas.records import Coverage, Liquidation, MinuteAggregate, Position
from schemas.records import Evidence as FrameBehind
from simulator.truth import Known
from tests.records import example

from .exchanges import EXCHANGES, Printed
from .story import Gap, Place, Shown, Story
from .verify import Evidence, broken_promises, excuse, gap_s, unsaved

CHANNEL, OKX_CHANNEL = "allLiquidation.BTCUSDT", "liquidation-orders:SWAP"
SECOND_NS = 1_000_000_000
MINUTE_MS = 60_000
PLACE, PAYLOAD = (5, 2), b"{}"


def known(event_ms: int, position: Position = Position.LONG, **changes: Any) -> Known:
    values: dict[str, Any] = {
        "exchange": "bybit",
        "category": "linear",
        "symbol": "BTCUSDT",
        "asset": "BTC",
        "price": "100",
        "quantity": "2",
        "sent_ns": event_ms * 1_000_000,
        "quantity_base": 2.0,
        "notional_usd": 200.0,
    }
    return Known(**{**values, **changes}, event_ms=event_ms, position=position)


def liquidation(name: str, event_ms: int, position: Position = Position.LONG, **changes: Any) -> Liquidation:
    values = {"price": 100.0, "price_native": 100.0, "quantity_native": 2.0, "quantity_base": 2.0, "asset": "BTC"}
    values |= {"notional_usd": 200.0, "raw_offset": PLACE[0], "raw_index": PLACE[1]}
    values |= {"id": name, "event_ms": event_ms, "position": position, **changes}
    found: Liquidation = example(Liquidation, **values)
    return found


def behind(name: str, **changes: Any) -> FrameBehind:
    values = {"id": name, "raw_offset": PLACE[0], "raw_index": PLACE[1], "payload": PAYLOAD}
    found: FrameBehind = example(FrameBehind, **{**values, **changes})
    return found


def covered(minute_ms: int, **changes: Any) -> Coverage:
    values = {"stream": "liquidations", "minute_ms": minute_ms, "is_alive": True}
    found: Coverage = example(Coverage, **{**values, **changes})
    return found


def minute(longs: int, shorts: int, **changes: Any) -> MinuteAggregate:
    values = {"long_count": longs, "long_base": 2.0 * longs, "long_usd": 200.0 * longs}
    values |= {"short_count": shorts, "short_base": 2.0 * shorts, "short_usd": 200.0 * shorts}
    values |= {"largest_usd": 200.0, "price_low": 100.0, "price_high": 100.0, "price_vwap": 100.0, "minute_ms": 0}
    found: MinuteAggregate = example(MinuteAggregate, **{**values, **changes})
    return found


TRUTH = (known(1_000), known(1_000), known(2_000, Position.SHORT))  # the first two are twins
RECORDS = (liquidation("a", 1_000), liquidation("b", 1_000), liquidation("c", 2_000, Position.SHORT))
LONG = Printed("BTCUSDT", "LONG", 100.0, 2.0, 1_000)
SHORT = Printed("BTCUSDT", "SHORT", 100.0, 2.0, 2_000)


def story(**changes: Any) -> Story:
    values: dict[str, Any] = {
        "liquidations": Counter({LONG: 2, SHORT: 1}),
        "subscribed_ns": {CHANNEL: 1, OKX_CHANNEL: 1, "!forceOrder@arr": 1},
        "garbage": {(9, 1)},
        "shown": {PLACE: Shown(PAYLOAD, Counter({LONG: 2, SHORT: 1}), 2 * SECOND_NS)},
    }
    return Story(**(values | changes))


BEHIND = (behind("a"), behind("b"), behind("c"))
HONEST = Evidence(
    exchange="bybit",
    truth=TRUTH,
    story=story(),
    published=(*RECORDS, RECORDS[1]),
    stored=RECORDS,
    minutes=(minute(2, 1),),
    dead_letters=((9, 1),),
    behind=BEHIND,
    coverage=(covered(0), covered(0, stream="trades")),
)


def broken(**changes: Any) -> set[str]:
    """Return the promises that break when some of the evidence is other than it should be."""
    return {name for name, cases in broken_promises(replace(HONEST, **changes)).items() if cases}


def test_honest_evidence_breaks_nothing() -> None:
    assert broken() == set()


@pytest.mark.parametrize(
    ("changes", "promises"),
    [
        ({"truth": (*TRUTH, known(3_000))}, {"nothing lost", "alive only where nothing is missed"}),
        ({"truth": TRUTH[:2]}, {"nothing invented"}),
        ({"published": RECORDS[:2]}, {"all published", "stored once"}),
        ({"published": RECORDS[1:]}, {"all published", "stored once"}),
        ({"published": (*RECORDS, liquidation("d", 9_000))}, {"nothing unfounded", "all stored"}),
        ({"published": (*RECORDS, liquidation("a", 1_000, price=101.0))}, {"repeats are equal", "all stored"}),
        ({"stored": RECORDS[1:]}, {"all stored", "minutes right", "frames behind"}),
        ({"stored": (*RECORDS, RECORDS[0])}, {"stored once", "minutes right"}),
        (
            {"stored": (*RECORDS[:2], liquidation("c", 2_000, Position.SHORT, raw_index=1))},
            {"all stored", "frames behind"},
        ),
        ({"stored": (*RECORDS[:2], liquidation("c", 2_000, Position.SHORT, received_ms=1))}, {"all stored"}),
        ({"minutes": ()}, {"minutes right"}),
        ({"minutes": (minute(2, 1), minute(2, 1))}, {"minutes right"}),
        ({"minutes": (minute(2, 1), minute(1, 0, minute_ms=MINUTE_MS))}, {"minutes right"}),
        ({"minutes": (minute(1, 2),)}, {"minutes right"}),
        ({"minutes": (minute(2, 1, long_count=1),)}, {"minutes right"}),
        ({"minutes": (minute(2, 1, long_base=4.01),)}, {"minutes right"}),
        ({"minutes": (minute(2, 1, short_usd=200.01),)}, {"minutes right"}),
        ({"minutes": (minute(2, 1, long_usd=400.01),)}, {"minutes right"}),
        ({"minutes": (minute(2, 1, short_base=None),)}, {"minutes right"}),
        ({"minutes": (minute(2, 1, price_vwap=99.0),)}, {"minutes right"}),
        ({"minutes": (minute(2, 1, largest_usd=100.0),)}, {"minutes right"}),
        ({"minutes": (minute(2, 1, price_high=101.0),)}, {"minutes right"}),
        ({"story": story(misnumbered=["raw 3: run a goes on with 4, not 3"])}, {"frames numbered"}),
        ({"behind": BEHIND[1:]}, {"frames behind"}),
        ({"behind": (*BEHIND, behind("d"))}, {"frames behind"}),
        ({"behind": (*BEHIND, behind("a", raw_offset=6))}, {"frames behind"}),
        ({"behind": (*BEHIND[:2], behind("c", payload=b"{"))}, {"frames behind"}),
        ({"story": story(shown={PLACE: Shown(PAYLOAD, Counter({LONG: 2}), 1)})}, {"frames behind"}),
        ({"dead_letters": ()}, {"only garbage buried"}),
        ({"dead_letters": ((9, 1), (9, 2))}, {"only garbage buried"}),
        ({"dead_letters": ((9, 1), (9, 1))}, {"only garbage buried"}),
    ],
)
def test_what_is_tampered_with_is_named(changes: dict[str, Any], promises: set[str]) -> None:
    assert broken(**changes) == promises


def test_a_frame_that_vanishes_from_raw_is_lost_and_leaves_records_without_ground() -> None:
    without = story(liquidations=Counter({LONG: 2}))

    assert broken(story=without) == {"nothing lost", "nothing unfounded", "alive only where nothing is missed"}


@pytest.mark.parametrize("change", [{"notional_usd": 201.0}, {"quantity_base": 2.1}, {"asset": "ETH"}])
def test_a_meaning_that_differs_from_the_truth_is_found_though_topic_and_view_agree(change: dict[str, Any]) -> None:
    wrong = tuple(msgspec.structs.replace(record, **change) for record in RECORDS)

    assert "meaning kept" in broken(published=wrong, stored=wrong)
    assert not {"all published", "all stored", "stored once"} & broken(published=wrong, stored=wrong)


def test_of_twins_only_the_missing_one_is_lost() -> None:
    without = replace(HONEST, story=story(liquidations=Counter({LONG: 1, SHORT: 1})))

    assert list(unsaved(without)) == [(TRUTH[0], "")]


@pytest.mark.parametrize(("heartbeat_ms", "promises"), [(67_000, set()), (67_001, {"minutes right"})])
def test_a_minute_must_be_final_when_its_grace_is_over(heartbeat_ms: int, promises: set[str]) -> None:
    assert broken(story=story(heartbeat_ms=heartbeat_ms), minutes=(minute(2, 1, is_final=False),)) == promises


@pytest.mark.parametrize(
    ("sent_ns", "reason"),
    [
        (1 * SECOND_NS, "before"),
        (4 * SECOND_NS, ""),
        (5 * SECOND_NS, "gap"),
        (6 * SECOND_NS, "gap"),
        (6 * SECOND_NS + 1, ""),
    ],
)
def test_what_is_not_in_raw_was_sent_before_all_or_in_a_gap(sent_ns: int, reason: str) -> None:
    told = story(subscribed_ns={CHANNEL: 2 * SECOND_NS}, gaps={CHANNEL: [Gap(5 * SECOND_NS, 6 * SECOND_NS)]})

    assert excuse(known(500, sent_ns=sent_ns), replace(HONEST, story=told)) == reason


@pytest.mark.parametrize(
    ("exchange", "channel", "event_ms", "reason"),
    [
        *(("bybit", CHANNEL, event_ms, reason) for event_ms, reason in ((4_399, ""), (4_400, "gap"), (6_001, ""))),
        *(("okx", OKX_CHANNEL, event_ms, reason) for event_ms, reason in ((4_399, ""), (4_400, "gap"), (6_001, ""))),
        *(
            ("binance", "!forceOrder@arr", at_ms, reason)
            for at_ms, reason in ((3_899, ""), (3_900, "gap"), (6_001, ""))
        ),
    ],
)
def test_what_was_sent_to_nobody_was_due_in_a_gap_as_long_after_it_happened_as_the_exchange_holds_it(
    exchange: str, channel: str, event_ms: int, reason: str
) -> None:
    told = story(gaps={channel: [Gap(5 * SECOND_NS, 6 * SECOND_NS)]})
    evidence = replace(HONEST, exchange=exchange, story=told)

    assert excuse(known(event_ms, sent_ns=0, exchange=exchange, category="SWAP"), evidence) == reason


def test_a_gap_of_another_channel_excuses_nothing() -> None:
    told = story(gaps={"tickers.BTCUSDT": [Gap(0, 9 * SECOND_NS)]})

    assert excuse(known(5_000), replace(HONEST, story=told)) == ""


def test_what_the_exchange_held_up_was_on_its_way_until_the_end_of_that() -> None:
    told = story(gaps={CHANNEL: [Gap(5 * SECOND_NS, 6 * SECOND_NS)]})
    held_up = [Gap(3 * SECOND_NS, 5 * SECOND_NS)]

    assert excuse(known(3_500), replace(HONEST, story=told, held_up=held_up)) == "gap"
    assert excuse(known(2_500), replace(HONEST, story=told, held_up=held_up)) == ""


def test_gaps_that_overlap_count_once() -> None:
    assert gap_s([Gap(5 * SECOND_NS, 9 * SECOND_NS), Gap(0, 2 * SECOND_NS), Gap(1 * SECOND_NS, 6 * SECOND_NS)]) == 9.0


def test_what_is_missed_with_good_reason_still_makes_its_minute_unknown() -> None:
    truth = (*TRUTH, known(MINUTE_MS + 5_500))
    told = story(gaps={CHANNEL: [Gap((60 + 5) * SECOND_NS, (60 + 6) * SECOND_NS)]})

    assert broken(truth=truth, story=told) == set()
    assert broken(truth=truth, story=told, coverage=[covered(MINUTE_MS, is_alive=False)]) == set()
    assert broken(truth=truth, story=told, coverage=[covered(0), covered(MINUTE_MS)]) == {
        "alive only where nothing is missed"
    }


def test_what_the_exchange_told_late_may_make_a_later_minute_unknown() -> None:
    missed = known(58_000, sent_ns=0)
    told = story(gaps={CHANNEL: [Gap(66 * SECOND_NS, 67 * SECOND_NS)]})
    late = {"truth": (*TRUTH, missed), "story": told, "held_up": [Gap(57 * SECOND_NS, 66 * SECOND_NS)]}

    assert broken(**late, coverage=[covered(0), covered(MINUTE_MS, is_alive=False)]) == set()
    assert broken(**late, coverage=[covered(0), covered(MINUTE_MS)]) == {"alive only where nothing is missed"}


@pytest.mark.parametrize(
    ("calm", "promises"),
    [
        (Gap(58 * SECOND_NS, 122 * SECOND_NS), {"alive where calm"}),
        (Gap(58 * SECOND_NS, 122 * SECOND_NS - 1_000_000), set()),
        (Gap(58 * SECOND_NS + 1_000_000, 181 * SECOND_NS), set()),
    ],
)
def test_a_whole_calm_minute_must_be_told_to_be_alive(calm: Gap, promises: set[str]) -> None:
    assert broken(calm=[calm]) == promises
    assert broken(calm=[calm], coverage=[covered(0), covered(MINUTE_MS)]) == set()


MUTED = Gap(10 * SECOND_NS, 45 * SECOND_NS)
AFTER = {PLACE: Shown(PAYLOAD, Counter({LONG: 2, SHORT: 1}), 46 * SECOND_NS)}


@pytest.mark.parametrize(
    ("gap", "shown", "promises"),
    [
        (Gap(9 * SECOND_NS, 41 * SECOND_NS), AFTER, set()),
        (Gap(10 * SECOND_NS + 1, 41 * SECOND_NS), AFTER, {"silence found"}),
        (Gap(9 * SECOND_NS, 71 * SECOND_NS), AFTER, {"silence found"}),
        (Gap(9 * SECOND_NS, 41 * SECOND_NS), {}, {"silence found"}),
    ],
)
def test_a_silence_lies_in_a_gap_that_is_told_in_time_and_then_the_exchange_is_heard_again(
    gap: Gap, shown: dict[Place, Shown], promises: set[str]
) -> None:
    told = story(gaps={"tickers.BTCUSDT": [gap]}, shown=shown)

    assert broken(story=told, muted=[MUTED]) - {"frames behind"} == promises


def withheld(event_ms: int, position: Position = Position.LONG, **changes: Any) -> Known:
    return known(event_ms, position, sent_ns=0, withheld=True, **changes)


END = known(9_000)


@pytest.mark.parametrize(
    ("exchange", "truth", "cases"),
    [
        ("bybit", [known(1_000)], 0),
        ("bybit", [known(1_000), withheld(1_001)], 1),
        ("okx", [known(1_000), known(1_999), withheld(1_999), known(2_000), END], 0),
        ("okx", [known(1_000), known(1_100), known(1_200), END], 1),
        ("okx", [known(1_000), withheld(1_100), END], 1),
        ("okx", [known(8_100), withheld(8_200), END], 0),  # the others were not told when all ended
        ("okx", [known(1_000), withheld(1_100), known(1_200), END], 1),
        ("binance", [known(1_000), withheld(1_900), withheld(1_901), known(2_100)], 0),
        ("binance", [known(1_000), known(2_000), known(3_000)], 0),
        ("binance", [known(1_000), known(1_200), known(1_400)], 1),
        ("binance", [withheld(1_000), known(2_600)], 1),
        ("binance", [withheld(1_000, notional_usd=299.0), known(1_100)], 0),
        ("binance", [withheld(1_000, notional_usd=300.0), known(1_100)], 1),
        ("binance", [withheld(1_000), known(1_100, symbol="ETHUSDT")], 1),
    ],
)
def test_what_is_withheld_is_what_the_exchange_documents(exchange: str, truth: list[Known], cases: int) -> None:
    ones = [msgspec.structs.replace(one, exchange=exchange) for one in truth]
    evidence = replace(HONEST, exchange=exchange, truth=ones)

    assert len(broken_promises(evidence)["withheld as documented"]) == cases


def test_what_is_withheld_and_shown_all_the_same_is_invented() -> None:
    assert "nothing invented" in broken(truth=(*TRUTH[:2], withheld(2_000, Position.SHORT)))


def test_the_table_of_exchanges_is_about_those_that_are_collected() -> None:
    assert set(EXCHANGES) == set(producers.registry.EXCHANGES)

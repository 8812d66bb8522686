"""The promises, each as a pure function that returns what breaks it: a sentence for every case, none where it is kept.

Truth is what the simulator wrote down, raw is what the producer could save, the rest is what was made of raw.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from schemas.records import Liquidation, MinuteAggregate, Position
from simulator.truth import Known

from .story import Gap, Printed, Story

MINUTE_MS = 60_000
FINAL_AFTER_MS = MINUTE_MS + 5_000 + 2_000  # the grace, and two heartbeats to notice that it is over
BATCH_NS = 600_000_000  # the simulated exchange tells of liquidations every 500 ms, a few late


@dataclass(frozen=True)
class Evidence:
    """What a run has left behind."""

    truth: Sequence[Known]
    story: Story
    published: Sequence[Liquidation]  # the topic, repeats included
    stored: Sequence[Liquidation]  # the view
    minutes: Sequence[MinuteAggregate]  # the view
    dead_letters: Sequence[tuple[int, int]]  # the view: offset of the raw batch, index of the frame
    held_up: Sequence[Gap] = ()  # when the simulated exchange was told to keep what it knew
    needless_repeats: Sequence[str] = ()  # of records that were committed, see follower.py


def broken_promises(evidence: Evidence) -> dict[str, list[str]]:
    """Return what breaks each promise, by its name."""
    return {name: list(check(evidence)) for name, check in PROMISES.items()}


def unsaved(evidence: Evidence) -> Iterator[tuple[Known, str]]:
    """Yield what happened and did not reach raw, each with its excuse."""
    left = Counter(printed(known) for known in evidence.truth) - evidence.story.liquidations
    for known in evidence.truth:
        if left[printed(known)] > 0:
            left[printed(known)] -= 1
            yield known, excuse(known, evidence)


def excuse(known: Known, evidence: Evidence) -> str:
    """Say why raw need not hold a liquidation: `before` the first subscription or in a `gap`; empty where it must."""
    channel = f"allLiquidation.{known.symbol}"
    from_ns, to_ns = _under_way(known, evidence.held_up)
    if from_ns <= evidence.story.subscribed_ns.get(channel, to_ns):
        return "before"
    gaps = evidence.story.gaps.get(channel, ())
    return "gap" if any(gap.from_ns <= to_ns and from_ns <= gap.to_ns for gap in gaps) else ""


def gap_s(gaps: Iterable[Gap]) -> float:
    """Return how many seconds lie in gaps, each once."""
    total_ns = until_ns = 0
    for gap in sorted(gaps):
        total_ns += max(0, gap.to_ns - max(gap.from_ns, until_ns))
        until_ns = max(until_ns, gap.to_ns)
    return total_ns / 1e9


def printed(known: Known) -> Printed:
    """Return what the exchange prints of a true liquidation."""
    return Printed(known.symbol, known.position, float(known.price), float(known.quantity), known.event_ms)


def repeats(evidence: Evidence) -> int:
    """Return how many records of the topic are repetitions."""
    return len(evidence.published) - len({liquidation.id for liquidation in evidence.published})


def _under_way(known: Known, held_up: Sequence[Gap]) -> Gap:
    """Return when a liquidation was on its way to whoever listens."""
    from_ns = to_ns = known.sent_ns
    if not known.sent_ns:  # nobody listened when its batch was due
        from_ns = known.event_ms * 1_000_000
        to_ns = from_ns + BATCH_NS
    for held in held_up:
        if from_ns <= held.to_ns and held.from_ns <= to_ns:
            to_ns = max(to_ns, held.to_ns + BATCH_NS)
    return Gap(from_ns, to_ns)


def _of(liquidation: Liquidation) -> Printed:
    return Printed(
        liquidation.symbol,
        liquidation.position,
        liquidation.price_native,
        liquidation.quantity_native,
        liquidation.event_ms,
    )


def _nothing_lost(evidence: Evidence) -> Iterator[str]:
    yield from (f"{known} is not in raw, and in no gap" for known, reason in unsaved(evidence) if not reason)


def _nothing_invented(evidence: Evidence) -> Iterator[str]:
    true = Counter(printed(known) for known in evidence.truth)
    yield from (f"{one} is in raw {more} times too often" for one, more in (evidence.story.liquidations - true).items())


def _all_published(evidence: Evidence) -> Iterator[str]:
    known = Counter(_of(liquidation) for liquidation in _by_id(evidence.published).values())
    yield from (f"{one} is in raw, not on the topic" for one in (evidence.story.liquidations - known).elements())


def _nothing_unfounded(evidence: Evidence) -> Iterator[str]:
    known = Counter(_of(liquidation) for liquidation in _by_id(evidence.published).values())
    yield from (f"{one} is on the topic, not in raw" for one in (known - evidence.story.liquidations).elements())


def _repeats_equal(evidence: Evidence) -> Iterator[str]:
    first = _by_id(reversed(evidence.published))
    for liquidation in evidence.published:
        if liquidation != first[liquidation.id]:
            yield f"{liquidation} repeats {first[liquidation.id]} and differs"


def _no_needless_repeats(evidence: Evidence) -> Iterator[str]:
    yield from evidence.needless_repeats


def _all_stored(evidence: Evidence) -> Iterator[str]:
    stored = _by_id(evidence.stored)
    for liquidation in _by_id(evidence.published).values():
        if stored.get(liquidation.id) != liquidation:
            yield f"{liquidation} is on the topic, the view has {stored.get(liquidation.id)}"


def _stored_once(evidence: Evidence) -> Iterator[str]:
    published = _by_id(evidence.published)
    for name, count in Counter(liquidation.id for liquidation in evidence.stored).items():
        if count > 1:
            yield f"{name} is in the view {count} times"
        if name not in published:
            yield f"{name} is in the view, not on the topic"


def _meaning_kept(evidence: Evidence) -> Iterator[str]:
    """Sizes of the view are those of the truth."""
    true = {printed(known): known for known in evidence.truth}
    for liquidation in evidence.stored:
        known = true.get(_of(liquidation))
        if known and not (
            liquidation.asset == known.asset
            and _same(liquidation.quantity_base, known.quantity_base)
            and _same(liquidation.notional_usd, known.notional_usd)
        ):
            yield f"{liquidation} should be {known}"


def _minutes_right(evidence: Evidence) -> Iterator[str]:
    groups: dict[tuple[str, int], list[Liquidation]] = defaultdict(list)
    for liquidation in evidence.stored:
        groups[liquidation.symbol, liquidation.event_ms // MINUTE_MS * MINUTE_MS].append(liquidation)
    found = {(minute.symbol, minute.minute_ms): minute for minute in evidence.minutes}
    if len(found) != len(evidence.minutes):
        yield f"the view has {len(evidence.minutes)} rows for {len(found)} minutes"
    for key in groups.keys() | found.keys():
        minute = found.get(key)
        if minute is None or not _is_sum(minute, groups.get(key, [])):
            yield f"{key} is {minute}, its liquidations are {groups.get(key)}"
        elif not minute.is_final and minute.minute_ms + FINAL_AFTER_MS < evidence.story.heartbeat_ms:
            yield f"{key} is not final at {evidence.story.heartbeat_ms}"


def _is_sum(minute: MinuteAggregate, parts: Sequence[Liquidation]) -> bool:
    longs = [part for part in parts if part.position is Position.LONG]
    shorts = [part for part in parts if part.position is Position.SHORT]
    value = _sum([part.quantity_base and part.quantity_base * part.price for part in parts])
    base = _sum([part.quantity_base for part in parts])
    usd = [part.notional_usd for part in parts]
    return (
        (minute.long_count, minute.short_count) == (len(longs), len(shorts))
        and bool(parts)
        and (minute.price_low, minute.price_high) == (min(p.price for p in parts), max(p.price for p in parts))
        and _same(minute.long_base, _sum([part.quantity_base for part in longs]))
        and _same(minute.short_base, _sum([part.quantity_base for part in shorts]))
        and _same(minute.long_usd, _sum([part.notional_usd for part in longs]))
        and _same(minute.short_usd, _sum([part.notional_usd for part in shorts]))
        and _same(minute.largest_usd, None if None in usd else max(usd, key=float))  # type: ignore[arg-type]  # no None
        and _same(minute.price_vwap, value / base if value is not None and base else None)
    )


def _numbered(evidence: Evidence) -> Iterator[str]:
    yield from evidence.story.misnumbered


def _only_garbage_buried(evidence: Evidence) -> Iterator[str]:
    garbage, letters = evidence.story.garbage, Counter(evidence.dead_letters)
    yield from (f"raw {place} is garbage without a dead letter" for place in garbage - letters.keys())
    yield from (f"raw {place} has a dead letter and is no garbage" for place in letters.keys() - garbage)
    yield from (f"raw {place} has {count} dead letters" for place, count in letters.items() if count > 1)


def _by_id(liquidations: Iterable[Liquidation]) -> dict[str, Liquidation]:
    return {liquidation.id: liquidation for liquidation in liquidations}


def _sum(values: Sequence[float | None]) -> float | None:
    proven = [value for value in values if value is not None]
    return math.fsum(proven) if len(proven) == len(values) else None


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


PROMISES: dict[str, Callable[[Evidence], Iterator[str]]] = {
    "nothing lost": _nothing_lost,
    "nothing invented": _nothing_invented,
    "all published": _all_published,
    "nothing unfounded": _nothing_unfounded,
    "repeats are equal": _repeats_equal,
    "no needless repeats": _no_needless_repeats,
    "all stored": _all_stored,
    "stored once": _stored_once,
    "meaning kept": _meaning_kept,
    "minutes right": _minutes_right,
    "frames numbered": _numbered,
    "only garbage buried": _only_garbage_buried,
}

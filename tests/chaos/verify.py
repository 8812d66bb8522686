"""The promises, each as a pure function that returns what breaks it: a sentence for every case, none where it is kept.

All is about one exchange. Truth is what the simulator wrote down, raw is what the producer could save, the rest is what
was made of raw.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from schemas.records import Coverage, Liquidation, MinuteAggregate, Position
from schemas.records import Evidence as FrameBehind
from simulator.truth import Known

from .exchanges import EXCHANGES, Printed
from .story import Gap, Story

MINUTE_MS = 60_000
FINAL_AFTER_MS = MINUTE_MS + 5_000 + 2_000  # the grace, and two heartbeats to notice that it is over
NS_PER_MS = 1_000_000
ALLOWED_LATE_NS = 2_000_000_000  # what comes later than this after it happened, coverage does not wait for
FOUND_WITHIN_NS = HEALED_WITHIN_NS = 60_000_000_000


@dataclass(frozen=True)
class Evidence:
    """What a run has left behind of one exchange."""

    exchange: str
    truth: Sequence[Known]  # withheld ones too
    story: Story
    published: Sequence[Liquidation]  # the topic, repeats included
    stored: Sequence[Liquidation]  # the view
    minutes: Sequence[MinuteAggregate]  # the view
    dead_letters: Sequence[tuple[int, int]]  # the view: offset of the raw batch, index of the frame
    behind: Sequence[FrameBehind]  # the view of evidence
    coverage: Sequence[Coverage]  # the view
    held_up: Sequence[Gap] = ()  # when the simulated exchange was told to keep what it knew
    muted: Sequence[Gap] = ()  # when it sent nothing, and lost it, while it acknowledged
    calm: Sequence[Gap] = ()  # when nothing was done to anybody

    @property
    def shown(self) -> Iterator[Known]:
        """Yield what the exchange did not withhold."""
        return (known for known in self.truth if not known.withheld)


def broken_promises(evidence: Evidence) -> dict[str, list[str]]:
    """Return what breaks each promise, by its name."""
    return {name: list(check(evidence)) for name, check in PROMISES.items()}


def unsaved(evidence: Evidence) -> Iterator[tuple[Known, str]]:
    """Yield what the exchange showed, or would have, and raw does not hold, each with its excuse."""
    left = Counter(map(printed, evidence.shown)) - evidence.story.liquidations
    for known in evidence.shown:
        if left[printed(known)] > 0:
            left[printed(known)] -= 1
            yield known, excuse(known, evidence)


def excuse(known: Known, evidence: Evidence) -> str:
    """Say why raw need not hold a liquidation: `before` the first subscription or in a `gap`; empty where it must."""
    channel = EXCHANGES[evidence.exchange].channel(known)
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
    hold_ns = EXCHANGES[known.exchange].longest_hold_ms * NS_PER_MS
    from_ns = to_ns = known.sent_ns
    if not known.sent_ns:  # nobody listened when it was due
        from_ns = known.event_ms * NS_PER_MS
        to_ns = from_ns + hold_ns
    for held in held_up:
        if from_ns <= held.to_ns and held.from_ns <= to_ns:
            to_ns = max(to_ns, held.to_ns + hold_ns)
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
    true = Counter(map(printed, evidence.shown))
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


def _withheld_as_documented(evidence: Evidence) -> Iterator[str]:
    newest_ms = max((known.event_ms for known in evidence.truth), default=0)
    until_ms = min([newest_ms, *(held.from_ns // NS_PER_MS for held in evidence.held_up if _lasts(held, newest_ms))])
    yield from EXCHANGES[evidence.exchange].check_withheld(evidence.truth, until_ms)


def _lasts(held: Gap, at_ms: int) -> bool:
    return held.from_ns <= at_ms * NS_PER_MS <= held.to_ns


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


def _frames_behind(evidence: Evidence) -> Iterator[str]:
    """Each liquidation of the view has one frame behind it: the one that it names, byte for byte, and that shows it."""
    behind = {row.id: row for row in evidence.behind}
    stored = {liquidation.id for liquidation in evidence.stored}
    if len(behind) != len(evidence.behind):
        yield f"the view has {len(evidence.behind)} frames behind {len(behind)} liquidations"
    yield from (f"{row} stands behind no liquidation" for name, row in behind.items() if name not in stored)
    for liquidation in evidence.stored:
        place = liquidation.raw_offset, liquidation.raw_index
        shown, row = evidence.story.shown.get(place), behind.get(liquidation.id)
        if row is None or shown is None or (row.raw_offset, row.raw_index, row.payload) != (*place, shown.payload):
            yield f"behind {liquidation} is {row}, raw has {shown}"
        elif _of(liquidation) not in shown.liquidations:
            yield f"{liquidation} is not in the frame behind it: {row}"


def _alive_only_where_nothing_is_missed(evidence: Evidence) -> Iterator[str]:
    alive = alive_minutes(evidence)
    for known, reason in unsaved(evidence):
        if _missed_minutes(known, evidence.held_up) <= alive:
            yield f"{known} was missed ({reason or 'lost'}), and its minute is told to be alive"


def _alive_where_calm(evidence: Evidence) -> Iterator[str]:
    """Who tells nothing to be alive would keep the promise before."""
    alive = alive_minutes(evidence)
    for calm in evidence.calm:
        first_ms = -(-(calm.from_ns + ALLOWED_LATE_NS) // NS_PER_MS // MINUTE_MS) * MINUTE_MS
        last_ms = (calm.to_ns - ALLOWED_LATE_NS) // NS_PER_MS - MINUTE_MS
        calm_minutes = range(first_ms, last_ms + 1, MINUTE_MS)
        yield from (
            f"minute {minute_ms} is not told to be alive" for minute_ms in calm_minutes if minute_ms not in alive
        )


def alive_minutes(evidence: Evidence) -> set[int]:
    """Return the minutes, by their start, in which no liquidation was missed, as coverage tells."""
    return {row.minute_ms for row in evidence.coverage if row.stream == "liquidations" and row.is_alive}


def _missed_minutes(known: Known, held_up: Sequence[Gap]) -> set[int]:
    """Return the minute of a liquidation; where it was told late, one of those until then may stand for it."""
    event_ns, to_ns = known.event_ms * NS_PER_MS, _under_way(known, held_up).to_ns
    last_ns = to_ns if to_ns - event_ns > ALLOWED_LATE_NS else event_ns
    first, last = (ns // NS_PER_MS // MINUTE_MS for ns in (event_ns, last_ns))
    return {minute * MINUTE_MS for minute in range(first, last + 1)}


def _silence_found(evidence: Evidence) -> Iterator[str]:
    """What an exchange keeps silent about while it acknowledges lies in a gap, told in time; then it is heard again."""
    story = evidence.story
    told = [gap for gaps in story.gaps.values() for gap in gaps]
    for muted in evidence.muted:
        if not any(gap.from_ns <= muted.from_ns <= gap.to_ns <= muted.from_ns + FOUND_WITHIN_NS for gap in told):
            yield f"nobody noticed the silence of {muted}"
        shown = (frame.received_ns for frame in story.shown.values())
        if not any(muted.to_ns <= at_ns <= muted.to_ns + HEALED_WITHIN_NS for at_ns in shown):
            yield f"no liquidation came after the silence of {muted}"


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
    "all stored": _all_stored,
    "stored once": _stored_once,
    "meaning kept": _meaning_kept,
    "minutes right": _minutes_right,
    "frames numbered": _numbered,
    "only garbage buried": _only_garbage_buried,
    "withheld as documented": _withheld_as_documented,
    "frames behind": _frames_behind,
    "alive only where nothing is missed": _alive_only_where_nothing_is_missed,
    "alive where calm": _alive_where_calm,
    "silence found": _silence_found,
}

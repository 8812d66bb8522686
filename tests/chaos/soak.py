"""`make soak KILLS=100`: everything is killed, again and again, under load; then the truth is compared.

    python -m tests.chaos.soak --kills 100 --seed 7

Prints what it does; ends with one line of JSON, and with 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from . import verify
from .damage import Damage, Plan, destroy, uncommitted
from .evidence import collect
from .exchanges import EXCHANGES
from .follower import Follower, needless_repeats, recoveries
from .parts import running

FOLLOW_LIMIT_S = 30.0
EXAMPLES, LONGEST = 5, 500


def soak(plan: Plan, directory: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Run a plan in a directory; return the report, in which `broken` says which promises were not kept."""
    began_s, damage = time.monotonic(), Damage()
    with running(directory, plan.exchanges, plan.rate, plan.liquidations_per_second, say) as parts:
        say(f"all parts work after {time.monotonic() - began_s:.1f} s, seed {plan.seed}")
        follower = Follower(parts.settings).start()
        try:
            destroy(plan, parts, follower, damage, say)
            say("the exchanges end, everything drains")
            parts.drain()
            parts.wait("the follower has read all", follower.has_read_all, FOLLOW_LIMIT_S)
        finally:
            follower.stop()
        damage.uncommitted += [uncommitted(at_s) for name, at_s in parts.died if name.startswith("worker")]
        needless = needless_repeats(follower.arrivals, damage.uncommitted)
        found = collect(parts.settings, parts.truths, damage.held_up, damage.muted, damage.calm)
    recovered_s = recoveries(damage.crashes, follower.arrivals, damage.kills_s)
    repeats = sum(map(verify.repeats, found.values()))
    return {
        "kills": dict(damage.kills),
        "died_by_itself": dict(Counter(name for name, _ in parts.died)),
        "exchanges": {name: {**_counts(each), "faults": dict(damage.faults[name])} for name, each in found.items()},
        "repeats_per_kill": round(repeats / max(1, len(damage.uncommitted)), 2),
        "needless_repeats": len(needless),
        "recovery_s": _spread(recovered_s),
        "broken": _broken(found, needless),
        "seed": plan.seed,
        "wall_s": round(time.monotonic() - began_s, 1),
    }


def _broken(found: Mapping[str, verify.Evidence], needless: list[str]) -> dict[str, list[str]]:
    """Return what breaks each promise that is broken; who comes again needlessly is seen on a topic of all."""
    broken = {"no needless repeats": needless}
    for exchange, evidence in found.items():
        broken |= {f"{exchange}: {name}": cases for name, cases in verify.broken_promises(evidence).items()}
    return {name: cases for name, cases in broken.items() if cases}


def _counts(found: verify.Evidence) -> dict[str, Any]:
    excuses = Counter(reason for _, reason in verify.unsaved(found))
    return {
        "frames": found.story.frames,
        "runs": len(found.story.next_seq),
        "truth": len(found.truth),
        "withheld": sum(known.withheld for known in found.truth),
        "in_raw": found.story.liquidations.total(),
        "before": excuses["before"],
        "in_gaps": excuses["gap"],
        "lost": excuses[""],
        "gap_s": round(statistics.fmean(map(verify.gap_s, found.story.gaps.values())), 1) if found.story.gaps else 0.0,
        "published": len(found.published),
        "stored": len(found.stored),
        "doubled": len(found.stored) - len({liquidation.id for liquidation in found.stored}),
        "repeats": verify.repeats(found),
        "minutes": len(found.minutes),
        "minutes_final": sum(minute.is_final for minute in found.minutes),
        "late": sum(minute.late_count for minute in found.minutes),
        "garbage": len(found.story.garbage),
        "dead_letters": len(found.dead_letters),
        "frames_behind": len(found.behind),
        "minutes_alive": len(verify.alive_minutes(found)),
        "silences": len(found.story.given_up_ns),
    }


def _spread(seconds: list[float]) -> Mapping[str, float]:
    if not seconds:
        return {"measured": 0}
    return {
        "measured": len(seconds),
        "median": round(statistics.median(seconds), 2),
        "max": round(max(seconds), 2),
    }


def main() -> int:
    """Soak once; the run's directory stays where it failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 100_000)
    parser.add_argument("--exchanges", default=",".join(EXCHANGES), help="comma-separated")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="frames a second, of each exchange")
    parser.add_argument(
        "--liquidations", type=float, default=Plan.liquidations_per_second, help="a second, of each exchange"
    )
    asked = parser.parse_args()
    exchanges = tuple(asked.exchanges.split(","))
    if unknown := set(exchanges) - set(EXCHANGES):
        parser.error(f"no such exchange: {', '.join(sorted(unknown))}, expected some of {', '.join(EXCHANGES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that nothing is left running
    plan = Plan(asked.kills, asked.seed, exchanges, asked.rate, asked.liquidations)
    directory = Path(tempfile.mkdtemp(prefix="liqstream-soak-"))
    began_s = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began_s:7.1f} s  {text}", file=sys.stderr, flush=True)

    say(f"logs and data are in {directory}")
    try:
        report = soak(plan, directory, say)
    except BaseException:
        say(f"it came to no end, logs and data stay in {directory}")
        raise
    broken = _name_examples(report["broken"], say)
    print(orjson.dumps({**report, "broken": broken}).decode())
    if broken:
        say(f"logs and data stay in {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


def _name_examples(broken: Mapping[str, list[str]], say: Callable[[str], None]) -> dict[str, int]:
    """Say what broke, and return how often."""
    for promise, cases in broken.items():
        say(f"BROKEN: {promise}: {len(cases)} cases, such as")
        for case in cases[:EXAMPLES]:
            say(f"    {case[:LONGEST]}")
    return {promise: len(cases) for promise, cases in broken.items()}


if __name__ == "__main__":
    sys.exit(main())

"""What is done to a run: kills of every part and faults of the exchange, at moments that a seed chooses."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from .follower import Crash, Follower, Span
from .parts import READY_LIMIT_S, Parts
from .story import Gap

WEIGHTS = {"worker": 4, "sink": 3, "producer": 3}
KILLS_PER_BROKER, KILLS_PER_CLICKHOUSE = 12, 30
FAULTS_PER_KILL = 0.3
GARBAGE = 9  # one of each kind of broken frame
MOST_GARBAGE = 6  # more in a minute would park the channel, and then dead letters are only a sample
CHANNELS = ("allLiquidation", "tickers", "publicTrade")
UNCOMMITTED_S = 1.5  # the commit interval of 0.5 s, and twice as much for the commit itself on a busy machine
LATE_S = 1.0  # how late the follower may read what was published before a kill
REJOIN_S = 10.0  # after a broker came back, until the worker commits again


@dataclass(frozen=True)
class Plan:
    """How much of what. The same seed kills in the same order after the same pauses."""

    kills: int
    seed: int
    rate: float = 1_000.0  # frames a second
    liquidations_per_second: float = 30.0
    shortest_s: float = 0.5  # between two kills
    longest_s: float = 6.0
    away_s: float = 10.0  # how long ClickHouse stays away

    def victims(self, random: Random) -> list[str]:
        """Return whom to kill, in order."""
        servers = ["broker"] * max(1, self.kills // KILLS_PER_BROKER)
        servers += ["clickhouse"] * max(1, self.kills // KILLS_PER_CLICKHOUSE)
        services = random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=max(0, self.kills - len(servers)))
        victims = (servers + services)[: self.kills]
        random.shuffle(victims)
        return victims


@dataclass
class Damage:
    """What was done to a run."""

    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    crashes: list[Crash] = field(default_factory=list)  # of the worker
    kills_s: list[float] = field(default_factory=list)  # of whatever stops the flow: worker, broker, producer
    uncommitted: list[Span] = field(default_factory=list)  # what was published then may come again
    held_up: list[Gap] = field(default_factory=list)


def destroy(plan: Plan, parts: Parts, follower: Follower, damage: Damage, say: Callable[[str], None]) -> None:
    """Do all of it, and note it in `damage`; it returns with the last kill."""
    random = Random(plan.seed)
    for number, victim in enumerate(plan.victims(random), start=1):
        parts.rest(random.uniform(plan.shortest_s, plan.longest_s))
        if random.random() < FAULTS_PER_KILL:
            _disturb(parts, damage, random, say)
            parts.rest(random.uniform(0.0, plan.shortest_s))
        say(f"kill {number} of {plan.kills}: {victim}")
        damage.kills[victim] += 1
        _kill(victim, plan, parts, follower, damage)


def _kill(victim: str, plan: Plan, parts: Parts, follower: Follower, damage: Damage) -> None:
    if victim == "clickhouse":
        parts.wait("ClickHouse is back from the last time", lambda: parts.clickhouse.running, READY_LIMIT_S)
        parts.kill_clickhouse(plan.away_s)
        return
    if victim == "broker":
        at_s = parts.kill_broker()
        damage.uncommitted.append(Span(at_s - UNCOMMITTED_S, time.monotonic() + REJOIN_S))
    else:
        at_s = parts.kill(victim)
    if victim == "worker":
        damage.crashes.append(follower.crash(at_s))
        damage.uncommitted.append(uncommitted(at_s))
    if victim != "sink":
        damage.kills_s.append(at_s)


def uncommitted(killed_s: float) -> Span:
    """Return when a worker that was killed had published what it had not committed."""
    return Span(killed_s - UNCOMMITTED_S, killed_s + LATE_S)


def _disturb(parts: Parts, damage: Damage, random: Random, say: Callable[[str], None]) -> None:
    """Bring a fault upon the exchange. `refuse` is left out: the producer then rightly stays away for ten minutes."""
    kinds = ["drop", "reconnect", "stall", "late", "limit"]
    kind = random.choice([*kinds, "garbage"] if damage.faults["garbage"] < MOST_GARBAGE else kinds)
    seconds = random.uniform(1.0, 8.0 if kind == "late" else 4.0)
    from_ns = time.time_ns()
    if parts.fault(fault=kind, seconds=seconds, channel=random.choice(CHANNELS), count=GARBAGE):
        say(f"fault: {kind}")
        damage.faults[kind] += 1
        if kind in ("stall", "late"):
            damage.held_up.append(Gap(from_ns, time.time_ns() + int(seconds * 1e9)))

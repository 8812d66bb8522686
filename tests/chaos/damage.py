"""What is done to a run: kills of every part and faults of the exchanges, at moments that a seed chooses."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from .exchanges import EXCHANGES
from .follower import Crash, Follower, Span
from .parts import READY_LIMIT_S, Parts
from .story import Gap

WEIGHTS = {"worker": 4, "sink": 3, "producer": 4}
KILLS_PER_BROKER, KILLS_PER_CLICKHOUSE = 12, 30
KILLS_PER_OUTAGE = 20  # the broker stays away for longer than its clients wait, so that producers keep frames on disk
KILLS_PER_MUTE = 20
KILLS_PER_CALM = 100
FAULTS_PER_KILL = 0.5
GARBAGE = 9  # one of each kind of broken frame
GARBAGE_PAUSE_S = 65.0  # more in a minute would park the channel, and then dead letters are only a sample
UNCOMMITTED_S = 1.5  # the commit interval of 0.5 s, and twice as much for the commit itself on a busy machine
LATE_S = 1.0  # how late the follower may read what was published before a kill
REJOIN_S = 10.0  # after a broker came back, until the worker commits again
MUTE_S = 33.0, 40.0  # longer than producers wait for a frame that proves their socket
HEALING_S = 20.0  # after the last silence, before everything ends
SETTLING_S, CALM_S = 15.0, 126.0  # until everybody works again; a whole minute lies in it, with what proves it


@dataclass(frozen=True)
class Plan:
    """How much of what. The same seed kills in the same order after the same pauses."""

    kills: int
    seed: int
    exchanges: tuple[str, ...] = tuple(EXCHANGES)
    rate: float = 300.0  # frames a second, of each exchange
    liquidations_per_second: float = 15.0  # of each exchange
    shortest_s: float = 0.5  # between two kills
    longest_s: float = 6.0
    away_s: float = 10.0  # how long ClickHouse stays away
    outage_s: tuple[float, float] = (5.0, 15.0)  # how long the broker does, now and then

    def victims(self, random: Random) -> list[str]:
        """Return whom to kill, in order."""
        servers = ["broker"] * max(1, self.kills // KILLS_PER_BROKER)
        servers += ["broker for long"] * (self.kills // KILLS_PER_OUTAGE)
        servers += ["clickhouse"] * max(1, self.kills // KILLS_PER_CLICKHOUSE)
        services = random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=max(0, self.kills - len(servers)))
        victims = (servers + services)[: self.kills]
        random.shuffle(victims)
        return [f"producer-{random.choice(self.exchanges)}" if name == "producer" else name for name in victims]

    def mutes(self, random: Random) -> dict[int, str]:
        """Return which exchange falls silent before which kill; one after the other, not two of one at once."""
        numbers = range(KILLS_PER_MUTE // 2, self.kills, KILLS_PER_MUTE)
        return {number: random.choice(self.exchanges) for number in numbers if self.kills >= KILLS_PER_MUTE}

    def calms(self) -> set[int]:
        """Return before which kills nothing happens for a while; not while an exchange is silent."""
        return set(range(KILLS_PER_MUTE // 4, self.kills - KILLS_PER_CALM + 1, KILLS_PER_CALM))


@dataclass
class Damage:
    """What was done to a run."""

    kills: Counter[str] = field(default_factory=Counter)
    faults: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # by exchange
    crashes: list[Crash] = field(default_factory=list)  # of the worker
    kills_s: list[float] = field(default_factory=list)  # of whatever stops the flow: worker, broker, producer
    uncommitted: list[Span] = field(default_factory=list)  # what was published then may come again
    held_up: dict[str, list[Gap]] = field(default_factory=lambda: defaultdict(list))  # by exchange
    muted: dict[str, list[Gap]] = field(default_factory=lambda: defaultdict(list))  # by exchange
    calm: list[Gap] = field(default_factory=list)  # when nothing was done to anybody
    garbage_s: dict[str, float] = field(default_factory=dict)  # by exchange: when the newest came (monotonic)


def destroy(plan: Plan, parts: Parts, follower: Follower, damage: Damage, say: Callable[[str], None]) -> None:
    """Do all of it, and note it in `damage`; it returns when the last kill is done and no exchange is silent."""
    random = Random(plan.seed)
    victims, mutes = plan.victims(random), plan.mutes(random)
    for number, victim in enumerate(victims, start=1):
        parts.rest(random.uniform(plan.shortest_s, plan.longest_s))
        if number in plan.calms():
            _leave_alone(parts, damage, say)
        if number in mutes:
            _mute(mutes[number], parts, damage, random.uniform(*MUTE_S), say)
        if random.random() < FAULTS_PER_KILL:
            _disturb(random.choice(plan.exchanges), parts, damage, random, say)
            parts.rest(random.uniform(0.0, plan.shortest_s))
        say(f"kill {number} of {plan.kills}: {victim}")
        damage.kills[victim] += 1
        _kill(victim, plan, parts, follower, damage, random)
    silent_until_ns = max((muted.to_ns for each in damage.muted.values() for muted in each), default=0)
    parts.rest(max(0.0, silent_until_ns / 1e9 + HEALING_S - time.time()))


def _kill(victim: str, plan: Plan, parts: Parts, follower: Follower, damage: Damage, random: Random) -> None:
    if victim == "clickhouse":
        parts.wait("ClickHouse is back from the last time", lambda: parts.clickhouse.running, READY_LIMIT_S)
        parts.kill_clickhouse(plan.away_s)
        return
    if victim.startswith("broker"):
        at_s = parts.kill_broker()
        if victim == "broker for long":
            _wait_without_broker(plan, parts, damage, random)
        parts.start_broker()
        damage.uncommitted.append(Span(at_s - UNCOMMITTED_S, time.monotonic() + REJOIN_S))
    else:
        at_s = parts.kill(victim)
    if victim == "worker":
        damage.crashes.append(follower.crash(at_s))
        damage.uncommitted.append(uncommitted(at_s))
    if victim != "sink":
        damage.kills_s.append(at_s)


def _wait_without_broker(plan: Plan, parts: Parts, damage: Damage, random: Random) -> None:
    """What a producer keeps on disk outlives it: every other time one of them is killed meanwhile."""
    away_s = random.uniform(*plan.outage_s)
    parts.rest(away_s * 0.7)
    if random.random() < 0.5:
        producer = f"producer-{random.choice(plan.exchanges)}"
        damage.kills[f"{producer} without broker"] += 1
        parts.kill(producer)
    parts.rest(away_s * 0.3)


def uncommitted(killed_s: float) -> Span:
    """Return when a worker that was killed had published what it had not committed."""
    return Span(killed_s - UNCOMMITTED_S, killed_s + LATE_S)


def _leave_alone(parts: Parts, damage: Damage, say: Callable[[str], None]) -> None:
    parts.rest(SETTLING_S)
    say(f"calm for {CALM_S:.0f} s")
    from_ns = time.time_ns()
    parts.rest(CALM_S)
    damage.calm.append(Gap(from_ns, time.time_ns()))


def _mute(exchange: str, parts: Parts, damage: Damage, seconds: float, say: Callable[[str], None]) -> None:
    """Let an exchange acknowledge and send nothing, on any channel."""
    from_ns = time.time_ns()
    parts.fault(exchange, fault="mute", seconds=seconds, channel="")
    say(f"fault: {exchange} mute for {seconds:.0f} s")
    damage.faults[exchange]["mute"] += 1
    damage.muted[exchange].append(Gap(from_ns, time.time_ns() + int(seconds * 1e9)))


def _disturb(exchange: str, parts: Parts, damage: Damage, random: Random, say: Callable[[str], None]) -> None:
    """Bring a fault upon an exchange. `refuse` is left out: its producer then rightly stays away for ten minutes."""
    kinds = ["drop", "reconnect", "stall", "late", "limit"]
    now_s, channel = time.monotonic(), random.choice(EXCHANGES[exchange].disturbed)
    may_be_garbage = now_s > damage.garbage_s.get(exchange, float("-inf")) + GARBAGE_PAUSE_S
    kind = random.choice([*kinds, "garbage"] if may_be_garbage else kinds)
    seconds = random.uniform(1.0, 8.0 if kind == "late" else 4.0)
    from_ns = time.time_ns()
    if parts.fault(exchange, fault=kind, seconds=seconds, channel=channel, count=GARBAGE):
        say(f"fault: {exchange} {kind}")
        damage.faults[exchange][kind] += 1
        if kind == "garbage":
            damage.garbage_s[exchange] = now_s
        if kind in ("stall", "late"):
            damage.held_up[exchange].append(Gap(from_ns, time.time_ns() + int(seconds * 1e9)))

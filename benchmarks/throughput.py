"""CPU of the product's worker for one raw frame, beside a bare loop and beside plain Faust, on the same work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from confluent_kafka import Message

from embedded.kafka import Broker
from processors.normalize.publications import OUTPUTS
from schemas.avro import decode_dict
from schemas.records import MinuteAggregate

from . import expected, frames, parts
from .contestants.job import Job
from .figures import Figure, middle
from .frames import Sent
from .run import Done, notes, run
from .topics import ASSET_PARTITIONS, Topics

ROUNDS = 5
FRAMES, PLAIN_FRAMES = 200_000, 30_000
RETENTION_BYTES = 1 << 30
LONGEST_RATIO, LEAST_GAIN = 1.7, 12.0

Found = dict[str, list[float]]  # CPU us per frame of each run, by contestant


def measure() -> list[Figure]:
    """Run both jobs."""
    with Broker(retention_bytes=RETENTION_BYTES) as broker, notes() as directory:
        return [*_minutes(broker.bootstrap, directory), *_mix(broker.bootstrap, directory)]


def _minutes(bootstrap: str, directory: Path) -> list[Figure]:
    """Liquidations in, minutes out: three contestants, every row checked."""
    topics = _filled(bootstrap, "bench.minutes.", frames.minutes(FRAMES))
    topics.fill_plain(frames.minutes(PLAIN_FRAMES))
    outputs = ("minutes",)
    costs = parts.costs(list(frames.minutes(FRAMES)), outputs)
    amounts = {"bare": FRAMES, "product": FRAMES, "plain": PLAIN_FRAMES}
    published = {amount: parts.outputs(frames.minutes(amount), outputs) for amount in set(amounts.values())}
    rows = {amount: expected.rows_of(frames.prints(amount)) for amount in published}

    def go(name: str, number: int) -> float:
        done = _run(name, number, topics, outputs, published[amounts[name]], directory)
        values = _values(topics.read(done.start, done.end))
        expected.check((decode_dict(value, MinuteAggregate) for value in values), rows[amounts[name]])
        return done.cpu_s / amounts[name] * 1e6

    found = _interleaved(tuple(amounts), go)
    gain = _ratio(found, "plain", "product")
    return [
        *_figures("minutes", found, costs),
        Figure("minutes: plain Faust, one frame a record", middle(found["plain"]), "us/frame"),
        Figure("minutes: plain Faust / product", gain, "x", at_least=LEAST_GAIN),
    ]


def _mix(bootstrap: str, directory: Path) -> list[Figure]:
    """Everything in, everything out."""
    topics = _filled(bootstrap, "bench.mix.", frames.mix(FRAMES))
    costs = parts.costs(list(frames.mix(FRAMES)), OUTPUTS)
    published = parts.outputs(frames.mix(FRAMES), OUTPUTS)

    def go(name: str, number: int) -> float:
        return _run(name, number, topics, OUTPUTS, published, directory).cpu_s / FRAMES * 1e6

    return _figures("mix", _interleaved(("bare", "product"), go), costs)


def _filled(bootstrap: str, prefix: str, sent: Iterator[Sent]) -> Topics:
    topics = Topics(bootstrap, prefix)
    topics.create()
    topics.fill_raw(sent)
    return topics


def _interleaved(names: Sequence[str], go: Callable[[str, int], float]) -> Found:
    """Run them in turn, so that whatever else the machine does meets all of them."""
    found: Found = {name: [] for name in names}
    for number in range(ROUNDS):
        for name in names:
            found[name].append(go(name, number))
            print(f"  {name} {found[name][-1]:.2f} us/frame", flush=True)
    return found


def _run(name: str, number: int, topics: Topics, outputs: tuple[str, ...], published: int, directory: Path) -> Done:
    job = Job(
        run=f"{name}-{number}",
        bootstrap=topics.bootstrap,
        prefix=topics.prefix,
        outputs=outputs,
        asset_partitions=ASSET_PARTITIONS,
        note=directory / f"{topics.prefix}{name}-{number}.note",
    )
    if name == "product":
        topics.create_state(job.run)
    return run(name, job, topics, published)


def _values(messages: Iterator[Message]) -> Iterator[bytes]:
    return (message.value() or b"" for message in messages)


def _ratio(found: Found, above: str, below: str) -> float:
    """Return the median of the ratios of runs side by side."""
    return middle([a / b for a, b in zip(found[above], found[below], strict=True)])


def _figures(job: str, found: Found, costs: dict[str, float]) -> list[Figure]:
    bare, product = middle(found["bare"]), middle(found["product"])
    shell = middle([ours - floor for ours, floor in zip(found["product"], found["bare"], strict=True)])
    produce = bare - sum(costs.values())
    return [
        *(Figure(f"{job}: {part}", cost, "us/frame") for part, cost in costs.items()),
        Figure(f"{job}: consume and produce, in a bare loop", produce, "us/frame"),
        Figure(f"{job}: the shell, beyond a bare loop", shell, "us/frame"),
        Figure(f"{job}: bare loop", bare, "us/frame"),
        Figure(f"{job}: product", product, "us/frame"),
        Figure(f"{job}: product / bare loop", _ratio(found, "product", "bare"), "x", at_most=LONGEST_RATIO),
    ]

"""`make fuzz`: millions of damaged frames through the stage of each exchange; none may crash it, lie, or harm others.

    python -m tests.fuzz.run --frames 5000000 --seed 7

Ends with one line of JSON, and with 1 where a frame became anything but a dead letter, a parked channel or a valid
record, or where the true frames among them did not mean what they always mean.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random

import orjson
from msgspec.structs import replace

from processors.normalize.facts import BadFrame, Fact, Frame, Normalizer
from processors.normalize.publications import encoded
from processors.normalize.registry import NORMALIZERS, REVISIONS
from processors.normalize.stage import Normalize
from schemas.raw import SourceKind
from schemas.records import Liquidation
from tests.golden import fixtures, frames, outcome

from .hostile import mutated
from .plausible import implausible

DAMAGED_IN_A_ROW = 500  # then all true liquidations are shown once more
PIECE = 100_000  # frames of one stage's life
EXAMPLES = 5


class Witness:
    """A normalizer that notes what each frame became."""

    def __init__(self, normalizer: Normalizer) -> None:
        """Watch over `normalizer`."""
        self.counts = Counter[str]()
        self.lies: list[str] = []
        self._normalizer = normalizer
        self.disconnected, self.state, self.load = normalizer.disconnected, normalizer.state, normalizer.load
        self.stream_of = normalizer.stream_of

    def normalize(self, frame: Frame) -> Sequence[Fact]:
        """Return what the normalizer returns, raise what it raises."""
        try:
            facts = self._normalizer.normalize(frame)
        except BadFrame:
            self.counts["bad"] += 1
            raise
        self.counts["valid" if facts else "nothing"] += 1
        for fact in facts:
            if wrong := implausible(fact, frame):
                self.lies.append(f"{wrong} of {fact} from {frame.payload[:300]!r}")
        return facts


class Fuzz:
    """One exchange's stage under damaged frames."""

    def __init__(self, exchange: str, normalizer: Normalizer, seed: int) -> None:
        """The same seed damages the same frames in the same way."""
        self.exchange = exchange
        self.witness = Witness(normalizer)
        self.harmed: list[str] = []
        self.published = self.frames = 0
        self._random = Random(f"{exchange} {seed}")
        self._stage = Normalize(exchange, self.witness, REVISIONS[exchange], asset_partitions=4)
        self._true = true_frames(exchange)
        self._liquidations = liquidations(exchange, self._true)
        self._now_ms = max(frame.received_ms for frame in self._true)

    def run(self, count: int) -> None:
        """Feed so many damaged frames, and true ones among them."""
        for number in range(count):
            if number % DAMAGED_IN_A_ROW == 0:
                self._show_liquidations()
            frame = self._random.choice(self._true)
            self._feed(frame if self._random.random() < 0.02 else replace(frame, payload=self._damaged(frame)))
        self.frames += count
        self._show_liquidations()

    def _damaged(self, frame: Frame) -> bytes:
        payload = mutated(frame.payload, self._random)
        return mutated(payload, self._random) if payload and self._random.random() < 0.2 else payload

    def _feed(self, frame: Frame) -> None:
        self._now_ms += 1
        for publication in self._stage.receive(replace(frame, received_ms=self._now_ms)):
            encoded(publication, self.exchange)
            self.published += 1

    def _show_liquidations(self) -> None:
        """True frames among the damaged ones mean what they mean alone, and end the parking of their channel."""
        for frame, expected in self._liquidations:
            self._now_ms += 1
            found = outcome(self.witness, replace(frame, received_ms=self._now_ms))
            if isinstance(found, BadFrame) or printed(found) != expected:
                self.harmed.append(f"{frame.payload[:300]!r} became {found}, expected {expected}")
            self._feed(frame)

    def report(self) -> dict[str, int]:
        """Return what became of the frames."""
        counts = self._stage.counts
        kept = counts["dead_letters"] - counts["suppressed"]
        return {
            **self.witness.counts,
            "frames": self.frames,
            "letters": kept,
            "suppressed": counts["suppressed"],
            "published": self.published,
        }


def true_frames(exchange: str) -> list[Frame]:
    """Return the frames of all fixtures of an exchange."""
    found = [frame for path in fixtures() if path.parent.name == exchange for frame in frames(path)]
    return [frame for frame in found if frame.kind is not SourceKind.CONTROL]


def liquidations(exchange: str, true: Iterable[Frame]) -> list[tuple[Frame, list[tuple[object, ...]]]]:
    """Return the frames that show liquidations, and what these are to a normalizer that knows nothing else."""
    found = []
    for frame in true:
        alone = outcome(NORMALIZERS[exchange](), frame)
        if not isinstance(alone, BadFrame) and printed(alone):
            found.append((frame, printed(alone)))
    return found


def printed(facts: Sequence[Fact]) -> list[tuple[object, ...]]:
    """Return of each liquidation what no instrument changes."""
    return [
        (fact.id, fact.symbol, fact.position, fact.event_ms, fact.price_native, fact.quantity_native)
        for fact in facts
        if isinstance(fact, Liquidation)
    ]


def piece(exchange: str, count: int, seed: int) -> tuple[dict[str, int], list[str]]:
    """Run one life of a stage; return what became of its frames, and what was wrong."""
    fuzz = Fuzz(exchange, NORMALIZERS[exchange](), seed)
    wrong = []
    try:
        fuzz.run(count)
    except Exception:  # noqa: BLE001  # a crash is what is looked for: it is told with the seed that shows it again
        wrong = [f"crashed: {traceback.format_exc()}"]
    wrong += [*fuzz.witness.lies[:EXAMPLES], *fuzz.harmed[:EXAMPLES]]
    return fuzz.report(), [f"{exchange}, seed {seed}: {case}" for case in wrong]


def main() -> int:
    """Fuzz all exchanges on all cores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=5_000_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 100_000)
    asked = parser.parse_args()
    began_s, total, wrong = time.monotonic(), Counter[str](), list[str]()
    lives = -(-asked.frames // PIECE)
    exchanges = sorted(NORMALIZERS)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        tasks = [
            pool.submit(piece, exchanges[number % len(exchanges)], min(PIECE, asked.frames), asked.seed + number)
            for number in range(lives)
        ]
        for task in tasks:
            counts, found = task.result()
            total.update(counts)
            wrong += found
    for case in wrong[:EXAMPLES]:
        print(case, file=sys.stderr)
    report = {**total, "wrong": len(wrong), "seed": asked.seed, "wall_s": round(time.monotonic() - began_s, 1)}
    print(orjson.dumps(report).decode())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

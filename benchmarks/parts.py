"""What the parts of the stage normalize cost for one frame, in one process and without Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from processors.normalize.facts import Frame
from processors.normalize.frames import frames as frames_in
from processors.normalize.publications import encoded
from processors.normalize.registry import NORMALIZERS
from processors.normalize.runs import Runs
from processors.processor import Input
from processors.stages import normalize
from schemas.avro import encoder
from schemas.exchanges import RAW_PARTITION
from schemas.raw import RawBatch, SourceKind

from .figures import middle
from .frames import EXCHANGE, Sent, batches
from .topics import ASSET_PARTITIONS

REPEATS = 3
T = TypeVar("T")


def records(sent: Iterable[Sent]) -> list[Input]:
    """Return what lies in the topic raw."""
    encode, partition = encoder(RawBatch), RAW_PARTITION[EXCHANGE]
    return [Input("raw", partition, n, 0, None, encode(batch), ()) for n, batch in enumerate(batches(sent))]


def outputs(sent: Iterable[Sent], topics: Sequence[str]) -> int:
    """Return how many records the stage publishes for these frames."""
    stage = normalize(EXCHANGE, ASSET_PARTITIONS, topics)
    return sum(len(stage.process(record)) for record in records(sent))


def costs(sent: Sequence[Sent], topics: Sequence[str]) -> dict[str, float]:
    """Return CPU us per frame by part."""
    rounds = [_round(records(sent), topics) for _ in range(REPEATS)]
    return {part: middle([each[part] for each in rounds]) / len(sent) * 1e6 for part in rounds[0]}


def _round(given: list[Input], topics: Sequence[str]) -> dict[str, float]:
    """Return CPU seconds by part."""
    stage, normalizer = normalize(EXCHANGE, ASSET_PARTITIONS, topics), NORMALIZERS[EXCHANGE]()
    runs = Runs()
    decode_s, frames = _timed(lambda: [frame for record in given for frame in frames_in(record, EXCHANGE, runs)])
    data = [frame for frame in frames if frame.kind is not SourceKind.CONTROL]
    facts_s, _ = _timed(lambda: _each(normalizer.normalize, data))
    receive_s, publications = _timed(lambda: [one for frame in frames for one in stage.receive(frame)])
    encode_s, _ = _timed(lambda: [encoded(one, EXCHANGE) for one in publications])
    return {
        "decode the batch": decode_s,
        "parse and normalize": facts_s,
        "minutes and market": receive_s - facts_s,
        "encode": encode_s,
    }


def _each(work: Callable[[Frame], object], frames: Iterable[Frame]) -> None:
    for frame in frames:
        work(frame)


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began_s = time.process_time()
    done = work()
    return time.process_time() - began_s, done

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from benchmarks import parts
from benchmarks.expected import WrongRow, check, rows_of
from benchmarks.frames import BATCH_FRAMES, EXCHANGE, Sent, batches, minutes, mix, prints
from benchmarks.topics import ASSET_PARTITIONS
from processors.normalize.publications import OUTPUTS
from processors.stages import normalize
from schemas.avro import decode_dict
from schemas.records import MinuteAggregate

COUNT = 3_000


def test_the_frames_are_the_same_at_each_run() -> None:
    assert list(minutes(COUNT)) == list(minutes(COUNT))
    assert list(mix(COUNT)) == list(mix(COUNT))


def test_batches_hold_all_frames_in_order() -> None:
    sent = list(mix(COUNT))
    found = list(batches(sent))

    assert [payload for batch in found for payload in batch.payloads] == [frame.payload for frame in sent]
    assert [batch.first_seq for batch in found] == list(range(0, len(sent), BATCH_FRAMES))


@pytest.mark.parametrize("frames", [minutes, mix])
def test_the_stage_understands_every_frame(frames: Callable[[int], Iterator[Sent]]) -> None:
    stage = normalize(EXCHANGE, ASSET_PARTITIONS, OUTPUTS)
    published = {output.topic for record in parts.records(frames(COUNT)) for output in stage.process(record)}

    assert stage.dead_letters == 0
    assert {"liquidations", "minutes", "instruments"} <= published


def rows() -> list[dict[str, Any]]:
    stage = normalize(EXCHANGE, ASSET_PARTITIONS, ["minutes"])
    outputs = [output for record in parts.records(minutes(COUNT)) for output in stage.process(record)]
    return [decode_dict(output.value or b"", MinuteAggregate) for output in outputs]


def test_what_the_stage_publishes_is_what_was_expected() -> None:
    check(rows(), rows_of(prints(COUNT)))


def test_a_wrong_number_is_found() -> None:
    published = rows()
    published[7] = {**published[7], "largest_usd": 1.0}

    with pytest.raises(WrongRow, match=r"largest_usd is 1\.0"):
        check(published, rows_of(prints(COUNT)))


def test_a_missing_minute_is_found() -> None:
    published = [row for row in rows() if not row["is_final"]]

    with pytest.raises(WrongRow, match="has no final row"):
        check(published, rows_of(prints(COUNT)))

from __future__ import annotations

import pytest

from processors.normalize.frames import ForeignFrames
from processors.normalize.stage import Normalize
from processors.processor import Input
from processors.stages import STAGES, normalize
from schemas.avro import encode
from schemas.exchanges import RAW_PARTITION, RAW_PARTITIONS
from schemas.raw import RawBatch
from schemas.topics import TOPICS

NORMALIZE = STAGES["normalize"]
EMPTY = encode(RawBatch.of("hyperliquid", "run", 0, (), ()))


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_and_writes_declared_topics_and_its_state_is_cut_like_its_inputs(name: str) -> None:
    stage = STAGES[name]
    assert {*stage.inputs, *stage.outputs, f"state.{name}"} <= TOPICS.keys()
    assert {TOPICS[topic].cut for topic in (*stage.inputs, f"state.{name}")} == {stage.cut}


def test_the_lane_of_an_exchange_is_its_raw_partition() -> None:
    assert isinstance(NORMALIZE.make(RAW_PARTITION["bybit"], asset_partitions=4), Normalize)


@pytest.mark.parametrize(
    ("lane", "owner"),
    [(RAW_PARTITION["hyperliquid"], "hyperliquid, which has no normalizer"), (RAW_PARTITIONS - 1, "no exchange")],
)
def test_frames_nobody_can_read_stop_the_worker(lane: int, owner: str) -> None:
    processor = NORMALIZE.make(lane, asset_partitions=4)
    processor.restore(processor.snapshot()())
    with pytest.raises(ForeignFrames, match=f"raw/{lane} at 7 holds frames of hyperliquid.* belongs to {owner}"):
        processor.process(Input("raw", lane, 7, 0, None, EMPTY, ()))


def test_an_exchange_without_normalizer_is_named() -> None:
    with pytest.raises(ValueError, match=r"mtgox has no normalizer; choose from .*bybit"):
        normalize("mtgox", 4)

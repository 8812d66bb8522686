"""The metrics are read from the worker at the scrape."""

from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from processors.shell.lanes import Lanes
from processors.shell.loading import Loader
from processors.shell.metrics import StageMetrics
from processors.shell.tuning import Tuning

from .test_lanes import MemoryOutbox, MemoryStore, Started, Sums


class CountingOutbox(MemoryOutbox):
    def __init__(self) -> None:
        super().__init__()
        self.published = {"out": 3, "other": 0}
        self.waits = 2

    def __len__(self) -> int:
        return 7


def test_a_scrape_shows_what_the_worker_counts() -> None:
    outbox: Any = CountingOutbox()
    started = Started()
    started.feed(0, b"5")
    lanes = started.lanes
    lanes.records, lanes.rests, lanes.to_rebuild, lanes.snapshot_bytes = 11, 1, 5, {0: 100, 1: 20}
    registry = CollectorRegistry()
    registry.register(StageMetrics("sums", lanes, outbox))
    lines = generate_latest(registry).decode().splitlines()
    assert [line for line in lines if not line.startswith("#") and "commit_age" not in line] == [
        'liq_stage_records_total{stage="sums"} 11.0',
        'liq_stage_outputs_total{stage="sums",topic="out"} 3.0',
        'liq_stage_outputs_total{stage="sums",topic="other"} 0.0',
        'liq_stage_bounds_reached_total{bound="merge",stage="sums"} 1.0',
        'liq_stage_bounds_reached_total{bound="outbox",stage="sums"} 2.0',
        'liq_stage_rebuild_records{stage="sums"} 5.0',
        'liq_stage_snapshot_bytes{stage="sums"} 120.0',
        'liq_stage_held_records{stage="sums"} 0.0',
        'liq_processor_counts_total{lane="0",name="summed",stage="sums"} 1.0',
        'liq_processor_levels{lane="0",name="total",stage="sums"} 5.0',
        'liq_outbox_undelivered{stage="sums"} 7.0',
    ]


def test_the_commit_age_starts_again_when_everything_is_committed() -> None:
    outbox: Any = CountingOutbox()
    lanes = Lanes(Loader(Sums, {"a": "full.a"}, dict, Tuning()), outbox, MemoryStore())
    lanes.settled_at_s -= 100.0
    registry = CollectorRegistry()
    registry.register(StageMetrics("sums", lanes, outbox))
    name, labels = "liq_stage_commit_age_seconds", {"stage": "sums"}
    before = registry.get_sample_value(name, labels)
    lanes.settled()
    after = registry.get_sample_value(name, labels)
    assert before is not None
    assert after is not None
    assert before >= 100.0 > after

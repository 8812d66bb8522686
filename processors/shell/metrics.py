"""What the shell counts, read from the worker at each scrape, so that a record costs nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .lanes import Lanes
from .outbox import Outbox


class StageMetrics(Collector):
    """The metrics of one stage."""

    def __init__(self, stage: str, lanes: Lanes, outbox: Outbox) -> None:
        """Read `lanes` and `outbox`, label with `stage`."""
        self._stage, self._lanes, self._outbox = stage, lanes, outbox

    def collect(self) -> Iterator[Metric]:
        """Yield them all."""
        lanes, outbox = self._lanes, self._outbox
        yield self._counter("liq_stage_records", "Input records received", {"": lanes.records})
        yield self._counter("liq_stage_outputs", "Records published", dict(outbox.published), "topic")
        bounds = {"merge": lanes.rests, "outbox": outbox.waits}
        yield self._counter("liq_stage_bounds_reached", "Times the worker had to wait at a bound", bounds, "bound")
        age_s = time.monotonic() - lanes.settled_at_s
        yield self._gauge("liq_stage_commit_age_seconds", "Time since everything processed was committed", age_s)
        yield self._gauge(
            "liq_stage_rebuild_records", "Records replayed unpublished at the last load", lanes.to_rebuild
        )
        saved = sum(dict(lanes.snapshot_bytes).values())
        yield self._gauge("liq_stage_snapshot_bytes", "Size of the newest snapshots of all lanes", saved)
        yield self._gauge("liq_stage_held_records", "Records that wait for the other inputs", lanes.held())
        yield from self._of_processors()
        yield self._gauge("liq_outbox_undelivered", "Published records the broker has not acknowledged", len(outbox))

    def _of_processors(self) -> Iterator[Metric]:
        labels = ["stage", "lane", "name"]
        counts = CounterMetricFamily("liq_processor_counts", "What the processors of the lanes counted", labels=labels)
        levels = GaugeMetricFamily("liq_processor_levels", "What the processors of the lanes hold now", labels=labels)
        for number, lane in list(self._lanes.lanes.items()):
            for family, values in ((counts, lane.processor.counts), (levels, lane.processor.levels)):
                for name, value in values.items():
                    family.add_metric([self._stage, str(number), name], value)
        yield from (counts, levels)

    def _counter(self, name: str, about: str, values: dict[str, int], label: str = "") -> Metric:
        family = CounterMetricFamily(name, about, labels=["stage", label] if label else ["stage"])
        for value_of, value in values.items():
            family.add_metric([self._stage, value_of] if label else [self._stage], value)
        return family

    def _gauge(self, name: str, about: str, value: float) -> Metric:
        family = GaugeMetricFamily(name, about, labels=["stage"])
        family.add_metric([self._stage], value)
        return family

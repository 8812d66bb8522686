"""What the sink counts, on Prometheus' default registry."""

from __future__ import annotations

import time

from prometheus_client import Counter, Gauge, Histogram

ROWS = Counter("liq_sink_rows_total", "Rows that ClickHouse acknowledged; repetitions count again.", ["table"])
REFUSED = Counter("liq_sink_refused_rows_total", "Rows that ClickHouse refused; they became dead letters.", ["table"])
RETRIES = Counter("liq_sink_retries_total", "Statements repeated, by ClickHouse's number of the error.", ["code"])
BATCH_SECONDS = Histogram("liq_sink_batch_seconds", "From the first record of a batch to its commit.")
COMMIT_AGE = Gauge("liq_sink_commit_age_seconds", "Since the last commit; it grows while ClickHouse or Kafka is away.")


def committed() -> None:
    """Let the age of the last commit begin at zero."""
    since = time.monotonic()
    COMMIT_AGE.set_function(lambda: time.monotonic() - since)

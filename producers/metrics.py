"""What an operator sees of a producer, on the default registry."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

FRAMES = Counter("liq_producer_frames", "Frames put in order, control frames too", ["exchange"])
RECONNECTS = Counter("liq_producer_reconnects", "Connections lost, or not even opened", ["exchange"])
SILENCES = Counter(
    "liq_producer_silences", "Connections given up because nothing proved that they deliver", ["exchange", "feed"]
)
FAILED_REQUESTS = Counter("liq_producer_failed_requests", "Requests over REST without a usable answer", ["exchange"])
LAST_FRAME = Gauge("liq_producer_last_frame_timestamp_seconds", "When the newest frame arrived", ["exchange"])
UNDELIVERED = Gauge("liq_producer_undelivered", "Batches that Kafka has not acknowledged yet")
GAPS = Counter("liq_producer_gaps", "Times in which channels were not proven complete")
SPOOL_BATCHES = Gauge("liq_producer_spool_batches", "Batches that wait on disk until Kafka acknowledges them")
SPOOL_BYTES = Gauge("liq_producer_spool_bytes", "What the files of the spool take, acknowledged batches among them too")
DROPPED = Counter("liq_producer_dropped_frames", "Frames that neither Kafka nor the spool could take", ["exchange"])

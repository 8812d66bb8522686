"""What an operator sees of a producer, on the default registry."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

FRAMES = Counter("liq_producer_frames", "Frames put in order, control frames too", ["exchange"])
RECONNECTS = Counter("liq_producer_reconnects", "Connections lost, or not even opened", ["exchange"])
LAST_FRAME = Gauge("liq_producer_last_frame_timestamp_seconds", "When the newest frame arrived", ["exchange"])
UNDELIVERED = Gauge("liq_producer_undelivered", "Batches that Kafka has not acknowledged yet")
GAPS = Counter("liq_producer_gaps", "Times in which channels were not proven complete")

"""The floor: a bare confluent-kafka loop that calls the same stage on the same batches and publishes the same records.

Everything it lacks is what the shell is for: it has no snapshots, and after a crash its state is gone.
"""

from __future__ import annotations

import signal
import time

from confluent_kafka import Consumer, Producer

from processors.processor import Input
from processors.shell.outbox import SETTINGS
from processors.stages import normalize
from schemas.topics import full_name

from ..frames import EXCHANGE
from .job import Job, job
from .meter import Meter

READING = {
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "queued.min.messages": 100_000,
    "fetch.queue.backoff.ms": 5,  # librdkafka's 1000 stalls a fast reader
}
WRITING = {**SETTINGS, "compression.type": "lz4", "linger.ms": 1}  # as the shell's
COMMIT_S = 1.0
AT_ONCE = 100


def main(given: Job) -> None:
    """Work until SIGTERM."""
    consumer = Consumer({**given.client, **READING, "group.id": f"{given.prefix}{given.run}"})
    producer = Producer({**given.client, **WRITING})
    names = {topic: full_name(given.prefix, topic) for topic in given.outputs}
    stage, meter = normalize(EXCHANGE, given.asset_partitions, given.outputs), Meter(given.note)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    consumer.subscribe([full_name(given.prefix, "raw")])
    due_s = 0.0
    while not stopped:
        for message in consumer.consume(AT_ONCE, 0.1):
            meter.begin()
            time_ms = message.timestamp()[1]
            value, offset = message.value(), message.offset() or 0
            record = Input("raw", message.partition() or 0, offset, time_ms, None, value, ())
            for topic, value, key, timestamp_ms, partition, headers in stage.process(record):
                producer.produce(names[topic], value, key, partition, timestamp=timestamp_ms, headers=list(headers))
        producer.poll(0)
        if time.monotonic() > due_s:
            producer.flush()
            if due_s and stage.frames:
                consumer.commit(asynchronous=True)
            due_s = time.monotonic() + COMMIT_S
    producer.flush()
    consumer.close()


if __name__ == "__main__":
    main(job())

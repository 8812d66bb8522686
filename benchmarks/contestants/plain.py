"""Faust as its manual shows it: stock settings, one agent, one frame a record; it calls the same stage."""

from __future__ import annotations

from typing import Any

import faust

from processors.normalize.facts import Frame
from processors.normalize.publications import encoded
from processors.stages import normalize
from schemas.topics import full_name

from ..frames import EXCHANGE, FRAMES, SOURCES
from .job import Job, job
from .meter import Meter


def main(given: Job) -> None:
    """Work until SIGTERM."""
    app = faust.App(
        f"{given.prefix}{given.run}",
        broker=f"kafka://{given.bootstrap}",
        store="memory://",
        datadir=given.note.with_suffix(".data"),
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
    )
    raw: dict[str, Any] = {"key_type": bytes, "key_serializer": "raw", "value_type": bytes, "value_serializer": "raw"}
    frames = app.topic(full_name(given.prefix, FRAMES), **raw)
    topics = {name: app.topic(full_name(given.prefix, name), **raw) for name in given.outputs}
    stage, meter = normalize(EXCHANGE, given.asset_partitions, given.outputs), Meter(given.note)

    @app.agent(frames)
    async def feed(stream: Any) -> None:
        async for event in stream.events():
            meter.begin()
            message = event.message
            kind, url, connection = _source(message.key)
            received_ms = round(message.timestamp * 1000)
            frame = Frame(event.value, received_ms, kind, url, connection, message.partition, message.offset, 0)
            for publication in stage.receive(frame):
                output = encoded(publication, EXCHANGE)
                await topics[output.topic].send(
                    key=output.key, value=output.value, timestamp=output.timestamp_ms / 1000
                )

    faust.Worker(app, quiet=True, redirect_stdouts=False, loglevel="WARN").execute_from_commandline()


def _source(key: bytes) -> tuple[Any, str, str]:
    source = SOURCES[int(key)]
    return source.kind, source.url, source.connection


if __name__ == "__main__":
    main(job())

"""The Faust app around the lanes."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import faust
import mode
from aiokafka.errors import KafkaConnectionError
from confluent_kafka import KafkaException

from .connection import Client, faust_settings
from .drain import DrainingTransport
from .health import BEAT_S, Health
from .lanes import Lanes
from .outbox import DeliveryError, Outbox
from .transport import StrictTransport
from .tuning import Tuning

EXIT_UNREACHABLE = 4
STOP_LIMIT_S = 20.0
LAST_SNAPSHOT_LIMIT_S = 1.0
AT_ONCE = 10  # records between two turns of the event loop, which Faust alone would take for each

# Each was soaked with these; most defaults of Faust lose records, wait, or write where nobody asked them to.
SAFE: Mapping[str, Any] = {
    "env": {},  # else any setting could come from the environment
    "autodiscover": False,
    "web_enabled": False,
    "store": "memory://",
    "topic_allow_declare": False,
    "topic_disable_leader": True,
    "agent_supervisor": mode.CrashingSupervisor,
    "stream_wait_empty": False,  # with True a stop hangs while anything is held
    "stream_buffer_maxsize": 1024,
    "consumer_auto_offset_reset": "earliest",
    "consumer_max_fetch_size": 2 << 20,  # bytes of each partition: the largest record
    "consumer_metadata_max_age_ms": 30_000,
    "broker_max_poll_records": 500,
    "broker_max_poll_interval": 300.0,
    "broker_request_timeout": 20.0,
    "table_standby_replicas": 1,  # with 0 equal partitions of several inputs go to different workers
}


class App(faust.App):
    """Faust app with the strict transport, which keeps nothing on disk."""

    lanes: Lanes
    drain_patch = True

    def _new_transport(self) -> StrictTransport:
        transport = DrainingTransport if self.drain_patch else StrictTransport
        return transport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Leave the working directory alone."""

    async def start(self) -> None:
        """Start; a broker that went away since its topics were looked at ends the process, for nothing is read yet."""
        try:
            await super().start()
        except KafkaConnectionError as error:
            self.log.error("Kafka has gone away during the start: %s", error)
            os._exit(EXIT_UNREACHABLE)  # Faust's own end trips over what has not started

    async def stop(self) -> None:
        """Snapshot and stop; a stop that hangs (broker away, agent stuck) ends in exit code 1 and loses nothing."""
        limit = threading.Timer(STOP_LIMIT_S, os._exit, (1,))
        limit.daemon = True
        limit.start()
        try:
            if not self.crashed:
                await asyncio.wait_for(self.lanes.snapshot_all(), LAST_SNAPSHOT_LIMIT_S)
        except (TimeoutError, DeliveryError, KafkaException) as error:
            self.log.warning("no last snapshot, the next start rebuilds more: %r", error)
        await super().stop()


def create_app(
    group: str, lanes: Lanes, outbox: Outbox, topics: list[str], *, client: Client, instance: str | None, tuning: Tuning
) -> App:
    """Return the app that reads `topics` as a member of `group` and feeds the lanes."""
    app = App(
        group,
        **faust_settings(client),
        **SAFE,
        broker_commit_interval=tuning.commit_interval_s,
        broker_session_timeout=tuning.session_timeout_s,
        broker_rebalance_timeout=tuning.session_timeout_s,
        broker_heartbeat_interval=min(3.0, tuning.session_timeout_s / 5),
        consumer_group_instance_id=instance,
    )
    app.lanes, app.drain_patch = lanes, tuning.drain_patch
    source = app.topic(
        *topics, acks=False, key_type=bytes, key_serializer="raw", value_type=bytes, value_serializer="raw"
    )

    @app.agent(source, name=group)
    async def feed(stream: Any) -> None:
        for sensor in list(app.sensors):  # the Monitor costs 14 % of a record
            app.sensors.remove(sensor)
        app.sensors.add(faust.Sensor())
        waiting = stream.channel.queue
        async for event in stream.noack().events():
            more = [waiting.get_nowait() for _ in range(min(waiting.qsize(), AT_ONCE - 1))]
            for one in (event, *more):
                if one.message.generation_id == app.consumer_generation_id:
                    lanes.feed(one.message)
            outbox.poll()
            if len(outbox) > tuning.in_flight:
                await outbox.make_room(tuning.in_flight // 2)

    app.timer(min(1.0, tuning.snapshot_shortest_s))(lanes.snapshot_due)
    return app


def watch(app: App, health_file: Path, patience_s: float) -> None:
    """Let the app keep its health file."""
    app.timer(BEAT_S)(Health(app, health_file, patience_s).beat)

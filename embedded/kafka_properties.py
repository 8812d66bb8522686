"""The settings of the embedded broker: one small node whose memory and disk are bounded."""

from collections.abc import Mapping
from pathlib import Path

MIB = 1024 * 1024
MAX_MESSAGE_BYTES = 2 * MIB

_FIXED = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "log.dirs": "data",  # in the broker's working directory, whose own name may hold a comma
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    # Topics are declared; a misspelt name is an error, not a new topic.
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(MAX_MESSAGE_BYTES),
    # One node: nothing to replicate to, nobody to wait for.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # After kill -9 the controller waits for the old session to end before it lets the broker in again.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    # Memory.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": str(8 * MIB),
    "metric.reporters": "",
    # Disk. Bytes bound a partition, time does so only where its topic says it: a replay writes old timestamps.
    "log.retention.ms": "-1",
    "log.retention.check.interval.ms": "10000",
    "log.index.size.max.bytes": str(MIB),
    "offsets.topic.segment.bytes": str(8 * MIB),
    "transaction.state.log.segment.bytes": str(8 * MIB),
    "metadata.log.segment.bytes": str(8 * MIB),
    "metadata.max.retention.bytes": str(16 * MIB),
}


def server_properties(port: int, controller_port: int, retention_bytes: int) -> dict[str, str]:
    """All server properties of a broker that keeps up to `retention_bytes`, and one segment more, of each partition."""
    segment_bytes = min(max(retention_bytes // 4, 2 * MAX_MESSAGE_BYTES), 64 * MIB)  # only whole segments are deleted
    return _FIXED | {
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "log.retention.bytes": str(retention_bytes),
        "log.segment.bytes": str(segment_bytes),
    }


def write(properties: Mapping[str, str], file: Path) -> None:
    """Write a Java properties file; backslashes escape there."""
    lines = [f"{name}={value}\n".replace("\\", "\\\\") for name, value in properties.items()]
    file.write_text("".join(lines))

"""The embedded broker, as its users meet it: with clients, after crashes, and where it cannot start."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from embedded import kafka, processes
from embedded.kafka import Broker
from embedded.processes import CannotStart

DEADLINE_S = 30.0


def create(broker: Broker, topic: str, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    [created] = admin.create_topics([NewTopic(topic, 1, 1, config=config)]).values()
    created.result()


def produce(broker: Broker, topic: str, values: list[bytes]) -> list[bytes]:
    """Produce, and return what the broker acknowledged."""
    acknowledged: list[bytes] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is None:
            acknowledged.append(message.value() or b"")

    settings = {"bootstrap.servers": broker.bootstrap, "enable.idempotence": True}
    large = {"message.max.bytes": 8 * kafka.MIB}
    give_up_early = {"topic.metadata.propagation.max.ms": 500}  # where the topic does not exist
    producer = Producer(settings | large | give_up_early)
    for value in values:
        producer.produce(topic, value, on_delivery=delivered)
    producer.flush(DEADLINE_S)
    return acknowledged


def consume(broker: Broker, topic: str, count: int, **config: str) -> list[bytes | None]:
    """The first records of a topic, as a member of a group that is new."""
    settings = {"bootstrap.servers": broker.bootstrap, "group.id": topic, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings | {name.replace("_", "."): value for name, value in config.items()})
    try:
        consumer.subscribe([topic])
        messages = consumer.consume(count, DEADLINE_S)
        consumer.commit(asynchronous=False)
        return [message.value() for message in messages]
    finally:
        consumer.close()


def offsets(broker: Broker, topic: str) -> tuple[int, int]:
    """The first offset of the only partition, and the next."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "none"})
    try:
        first, following = consumer.get_watermark_offsets(TopicPartition(topic, 0), DEADLINE_S)
        return first, following
    finally:
        consumer.close()


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_both_group_protocols_read_what_was_written(broker: Broker, topic_prefix: str, protocol: str) -> None:
    topic = f"{topic_prefix}both"
    create(broker, topic)
    assert produce(broker, topic, [b"first", b"second"]) == [b"first", b"second"]
    assert consume(broker, topic, 2, group_protocol=protocol) == [b"first", b"second"]


def test_a_topic_that_nobody_declared_is_not_made(broker: Broker, topic_prefix: str) -> None:
    topic = f"{topic_prefix}undeclared"
    assert produce(broker, topic, [b"lost"]) == []
    assert topic not in AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=DEADLINE_S).topics


def test_messages_end_at_two_mebibytes(broker: Broker, topic_prefix: str) -> None:
    topic = f"{topic_prefix}large"
    create(broker, topic)
    fits, too_large = os.urandom(2 * kafka.MIB - 200), os.urandom(2 * kafka.MIB)
    assert produce(broker, topic, [fits]) == [fits]
    assert produce(broker, topic, [too_large]) == []


def test_only_the_loopback_address_answers(broker: Broker) -> None:
    socket.create_connection(("127.0.0.1", broker.port)).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", broker.port))  # the same machine by another address


def test_kill_9_loses_nothing_and_the_address_stays(tmp_path: Path) -> None:
    with Broker(tmp_path / "kafka") as broker:
        create(broker, "kept")
        address, first_pid = broker.bootstrap, broker.pid
        values = [b"%d" % number for number in range(1_000)]
        assert produce(broker, "kept", values) == values
        broker.kill()
        assert not broker.running
        broker.start()
        assert broker.bootstrap == address
        assert broker.pid != first_pid
        assert consume(broker, "kept", 1_000) == values
    with Broker(tmp_path / "kafka") as another:
        assert offsets(another, "kept") == (0, 1_000)


def test_a_directory_belongs_to_one_broker(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOCK_PATIENCE_S", 0)
    owner = int((broker.directory / "lock").read_text())
    with pytest.raises(CannotStart, match=f"in use by process {owner}: stop it, or choose another directory"):
        Broker(broker.directory).start()
    socket.create_connection(("127.0.0.1", broker.port)).close()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=f"port {port} is taken: choose another, or stop the program"):
            Broker(tmp_path, port=port).start()


def test_old_segments_leave_the_disk() -> None:
    often = {"log.initial.task.delay.ms": "100", "log.retention.check.interval.ms": "100"}
    with Broker(retention_bytes=8 * kafka.MIB, properties=often) as broker:
        create(broker, "flood")
        block = os.urandom(kafka.MIB)
        assert len(produce(broker, "flood", [block] * 24)) == 24
        # One record is one MiB: what stays is the bound, and the segment that is being written.
        assert eventually(lambda: offsets(broker, "flood")[0] >= 12)
        assert offsets(broker, "flood") in [(low, 24) for low in range(12, 17)]


def test_a_temporary_broker_leaves_nothing_behind() -> None:
    progress: list[str] = []
    with Broker(on_progress=progress.append) as broker:
        directory, pid = broker.directory, broker.pid
        assert (directory / "data" / "meta.properties").exists()
    assert not directory.exists()
    assert not exists(pid)
    assert progress == [
        f"Kafka: preparing {directory}",
        f"Kafka: starting on {broker.bootstrap}",
        f"Kafka: ready on {broker.bootstrap}",
        "Kafka: stopping",
    ]


def test_a_broker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from embedded.kafka import Broker
broker = Broker(Path(sys.argv[1])).start()
print(broker.pid, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert exists(pid)
        parent.send_signal(signal.SIGKILL)
    assert eventually(lambda: not exists(pid))
    assert (tmp_path / "data" / ".kafka_cleanshutdown").exists()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        CannotStart, match=rf"cannot use the directory {tmp_path}/file/kafka \(Not a directory\): choose"
    ):
        Broker(tmp_path / "file" / "kafka").start()


def test_a_full_disk_is_said_before_kafka_meets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "SMALLEST_DISK_MIB", 10**12)
    with pytest.raises(CannotStart, match=rf"the disk of {tmp_path} has \d+ MiB left: free 1000000000000 at least"):
        Broker(tmp_path).start()


def test_what_kafka_refuses_is_shown_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=rf"cannot prepare {tmp_path}/new:\n(.|\n)*Invalid value nonsense"):
        Broker(tmp_path / "new", properties={"num.io.threads": "nonsense"}).start()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\nnode.id=7\n")
    with pytest.raises(CannotStart, match=r"ended while it started:\n(.|\n)*No readable meta.properties"):
        Broker(tmp_path).start()


def test_patience_ends_with_the_process(tmp_path: Path) -> None:
    broker = Broker(tmp_path, start_patience_s=0)
    with pytest.raises(CannotStart, match="not ready in 0 s"):
        broker.start()
    assert not broker.running

"""Whole workers on a real broker: killed, stopped, poisoned and wedged, and nothing is lost or made up."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from embedded.kafka import Broker
from embedded.processes import free_port

from .digest import POISON, WEDGE
from .stage import LIMIT_S, Stage, stage, until


@pytest.fixture
def one(broker: Broker, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    with stage(broker.bootstrap, topic_prefix, tmp_path) as made:
        yield made


@pytest.fixture
def merging(broker: Broker, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    with stage(broker.bootstrap, topic_prefix, tmp_path, inputs=("a", "b"), partitions=4) as made:
        yield made


def kill_amid_work(made: Stage, number: int, records: int = 1500) -> None:
    """Append records, and kill the worker while it works on them."""
    before = made.published()
    made.produce(records)
    until(lambda: made.published() > before)
    made.workers[number].kill()
    made.workers[number].wait()


def test_a_worker_that_is_killed_again_and_again_loses_nothing(one: Stage) -> None:
    one.start("only")
    for number in range(2):
        kill_amid_work(one, number)
        one.start("only")
    one.finish()
    one.verify()
    assert "warms up" not in "".join(one.log_of(number) for number in range(3))


def test_two_workers_that_merge_survive_a_kill_and_a_long_sleep(merging: Stage) -> None:
    merging.start("first")
    merging.start("second")
    until(lambda: merging.health_file(0).exists() and merging.health_file(1).exists())
    kill_amid_work(merging, 0)
    merging.start("first")
    until(merging.health_file(2).exists)
    zombie = merging.workers[1]
    zombie.send_signal(signal.SIGSTOP)
    merging.produce(1500)
    merging.finish()  # the first has taken over what the second held
    zombie.send_signal(signal.SIGCONT)
    merging.produce(100)
    merging.finish()
    merging.verify()


def forget_snapshots(made: Stage) -> None:
    """Commit the same offsets without the notes that name the snapshots, as tools that set offsets do."""
    admin, group = AdminClient({"bootstrap.servers": made.bootstrap}), f"{made.prefix}digest"
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    found = asked[group].result(LIMIT_S).topic_partitions
    bare = [TopicPartition(tp.topic, tp.partition, tp.offset) for tp in found]
    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, bare)])[group].result(LIMIT_S)


def test_a_worker_that_is_told_to_stop_repeats_nothing_even_if_its_snapshots_get_lost(one: Stage) -> None:
    one.produce(500)
    worker = one.start()
    one.finish()
    until(one.health_file(0).exists)
    worker.terminate()
    assert worker.wait(LIMIT_S) == 0
    forget_snapshots(one)
    one.produce(500)
    one.start()
    one.finish()
    assert one.verify() == 0
    assert "lane 0 warms up" in one.log_of(1)


def test_an_error_of_the_processor_ends_the_worker_and_the_record_stays_uncommitted(one: Stage) -> None:
    one.produce(100)
    one.start("only")
    one.finish()
    one.produce(1, special=POISON)
    assert one.workers[0].wait(LIMIT_S) == 1
    assert one.start("only").wait(LIMIT_S) == 1
    assert "ValueError: poison" in one.log_of(1)


def test_a_wedged_worker_lets_its_health_file_go_stale(one: Stage) -> None:
    one.tuning["patience_s"] = 0.5
    one.start("only")
    file = one.health_file(0)
    until(file.exists)
    one.produce(1, special=WEDGE)
    until(lambda: time.time() - file.stat().st_mtime > 2.5)
    assert one.workers[0].poll() is None


def test_a_broker_that_goes_away_during_the_start_ends_the_worker_with_a_line_and_code_4(tmp_path: Path) -> None:
    nobody = Stage(f"127.0.0.1:{free_port()}", "away.", tmp_path)
    assert nobody.start().wait(LIMIT_S) == 4
    assert "Kafka has gone away during the start" in nobody.log_of(0)
    assert "Traceback" not in nobody.log_of(0)

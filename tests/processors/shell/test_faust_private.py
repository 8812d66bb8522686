"""Fails when an upgrade of Faust, mode or aiokafka changes what the strict transport relies on."""

import inspect
from importlib.metadata import version

import faust
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.channels import Channel
from faust.tables import recovery
from faust.transport import consumer as base
from faust.transport.base import Transport
from faust.transport.conductor import Conductor, ConductorCompiler
from faust.transport.drivers import aiokafka as driver
from mode import Service
from mode.utils.queues import ThrowableQueue

from processors.shell import app, drain, lanes, state, transport


def source(thing: object) -> str:
    return inspect.getsource(thing)  # type: ignore[arg-type]  # classes and functions


def users_of(call: str) -> list[str]:
    functions = [(name, f) for name, f in vars(base.Consumer).items() if inspect.isfunction(f)]
    return [name for name, function in functions if call in source(function)]


@pytest.mark.parametrize(
    ("package", "pinned"), [("faust-streaming", "0.15.3"), ("mode-streaming", "0.7.1"), ("aiokafka", "0.14.0")]
)
def test_the_versions_are_the_soaked_ones(package: str, pinned: str) -> None:
    assert version(package) == pinned


@pytest.mark.parametrize("patched", [True, False])
def test_the_app_asks_for_our_transport(patched: bool) -> None:
    made = app.App("x", broker="kafka://localhost:9", autodiscover=False)
    made.drain_patch = patched
    assert type(made.transport) is (drain.DrainingTransport if patched else transport.StrictTransport)


def test_the_app_makes_directories_in_one_place() -> None:
    assert "self._create_directories()" in source(faust.App.on_first_start)
    assert "mkdir" not in source(faust.app.base).replace(source(faust.App._create_directories), "")


def test_the_environment_is_a_setting() -> None:
    assert "if env is None:\n            env = os.environ" in source(faust.Settings._init_env_prefix)


def test_the_transport_makes_the_consumer_and_that_the_thread() -> None:
    assert "self.Consumer(" in source(Transport.create_consumer)
    assert "self._thread = self._new_consumer_thread()" in source(base.ThreadDelegateConsumer.__init__)


def test_periodic_and_final_commits_go_through_force_commit() -> None:
    assert "self.commit()" in source(base)
    assert "self.commit_and_end_transactions()" in source(base.Consumer.on_stop)
    assert "await self.commit(" in source(base.Consumer.commit_and_end_transactions)
    assert "self.force_commit(" in source(base.Consumer.commit)
    assert "_commit_fut" in source(base.Consumer.commit)  # commits never overlap
    assert [name for name in users_of("_commit_offsets(") if name != "_commit_offsets"] == ["_commit_tps"]


def test_the_thread_commits_with_our_commit() -> None:
    assert "self.call_thread(self._commit, offsets)" in source(driver.AIOKafkaConsumerThread.commit)
    assert list(inspect.signature(driver.AIOKafkaConsumerThread._commit).parameters) == ["self", "offsets"]


def test_rebalances_arrive_at_our_callbacks() -> None:
    revoked = inspect.signature(driver.Consumer.on_partitions_revoked).parameters
    assigned = inspect.signature(driver.Consumer.on_partitions_assigned).parameters
    assert list(revoked)[:2] == ["self", "revoked"]
    assert list(assigned)[:3] == ["self", "assigned", "generation_id"]
    assert "self.on_partitions_revoked" in source(base.ThreadDelegateConsumer.threadsafe_partitions_revoked)
    assert "self.on_partitions_assigned" in source(base.ThreadDelegateConsumer.threadsafe_partitions_assigned)


def test_topics_without_acks_are_never_tracked() -> None:
    assert "if channel.acks:" in source(Conductor._update_indices)
    assert "acks_enabled_for(message.topic)" in source(base.Consumer.ack)
    assert "if acks_enabled:" in source(base.Consumer._drain_messages)  # no bookkeeping of gaps either


def test_a_stream_takes_records_from_the_queue_of_its_channel() -> None:
    """As the feed does with those that wait already; between two turns of the loop nobody suspends the flow."""
    assert "return await self.queue.get()" in source(Channel.__anext__)
    assert "raise self._errors.popleft()" in source(ThrowableQueue.get_nowait)  # a crash gets out here too


def test_faust_seeks_after_the_rebalance_and_before_the_flow() -> None:
    text = source(recovery.Recovery._resume_streams)
    assert text.index("consumer.perform_seek()") < text.index("flow_control.resume()")
    assert text.index("flow_control.resume()") < text.index("consumer.resume_flow()")
    assert "perform_seek" not in source(faust.App._on_partitions_assigned)  # loading does not hold up the callback
    assert users_of("perform_seek()") == ["getmany"]  # the other caller, while the flow is stopped


def test_the_limits_of_a_load_lie_within_each_other() -> None:
    assert "timeout=self.app.conf.broker_request_timeout" in source(
        recovery.Recovery._resume_streams
    )  # then it goes on
    assert state.READ_LIMIT_S < transport.LOAD_LIMIT_S < app.SAFE["broker_request_timeout"]


def test_records_below_the_read_offset_would_be_dropped() -> None:
    assert "if r_offset is None or offset >= r_offset:" in source(base.Consumer._drain_messages)
    assert "self._read_offset = defaultdict(lambda: None)" in source(base.Consumer.__init__)


def test_fetches_go_through_our_filter() -> None:
    assert "await self._getmany(" in source(base.Consumer._wait_next_records)
    assert "self._thread.getmany(active_partitions, timeout)" in source(base.ThreadDelegateConsumer._getmany)
    assert "self._fetch_records" in source(driver.AIOKafkaConsumerThread.getmany)
    assert "self.call_thread(" in source(driver.AIOKafkaConsumerThread.getmany)


def test_partitions_left_out_of_a_fetch_keep_their_records() -> None:
    text = source(Fetcher.fetched_records)
    assert "if partitions and tp not in partitions:" in text  # an empty set would mean all
    drained = text[text.index("if drained or not timeout:") : text.index("waiter = ")]
    assert "await" not in drained  # drained and returned in one go


def test_a_pause_of_faust_still_drops_fetched_records() -> None:
    """Why partitions rest through the filter; when this fails, Faust was fixed."""
    assert "tp in active_partitions" in source(base.Consumer.getmany)
    assert "_buffered_partitions.add" not in source(base.Consumer.pause_partitions)


def test_the_wait_of_a_fetch_can_be_shortened_before_the_start() -> None:
    assert "fetch_max_wait_ms=1500" in source(driver.AIOKafkaConsumerThread._create_worker_consumer)
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in source(AIOKafkaConsumer.start)


def test_a_seek_is_synchronous_and_forgets_fetched_records() -> None:
    assert not inspect.iscoroutinefunction(AIOKafkaConsumer.seek)
    assert "del self._records[tp]" in source(Fetcher.seek_to)


def test_timers_take_no_arguments() -> None:
    assert list(inspect.signature(lanes.Lanes.snapshot_due).parameters) == ["self"]  # Faust would pass the app


def test_notes_are_read_from_the_coordinator() -> None:
    assert inspect.iscoroutinefunction(GroupCoordinator.fetch_committed_offsets)
    assert "self._coordinator = " in source(AIOKafkaConsumer)


def test_messages_carry_the_generation() -> None:
    assert "generation_id=self.app.consumer_generation_id" in source(driver.Consumer._to_message)


def test_the_drain_loop_waits_for_a_pair_and_ignores_the_result() -> None:
    text = source(base.Consumer._drain_messages)
    assert text.count("wait_first(") == 1
    wait = "await self.wait_first(\n                                callback(message), self.suspend_flow.wait()"
    assert f"                            {wait}" in text  # a statement of its own
    assert users_of("wait_first(") == ["_drain_messages"]


def test_faust_steps_the_callback_before_it_looks_at_the_alternatives() -> None:
    text = source(Service.wait_first)
    assert text.index("for coro in coros") < text.index("stopped.wait()") < text.index("asyncio.wait(")


def test_the_callback_does_not_ask_which_task_it_runs_in() -> None:
    text = source(ConductorCompiler.build) + source(Conductor._compile_message_handler)
    assert "current_task" not in text
    assert "wait_for(" not in text
    assert "timeout(" not in text

"""The drain patch means what Faust's own wait means: every case runs on both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from mode import Service
from mode.utils.queues import FlowControlEvent, FlowControlQueue

from processors.shell.drain import wait_first

Wait = Callable[[Any, Any, Any], Awaitable[Any]]


class Stream(Service):
    """What the drain loop sees: a queue under flow control, and a flow that can be suspended."""

    def __post_init__(self) -> None:
        self.suspend_flow = asyncio.Event()
        self.flow_control = FlowControlEvent(initially_suspended=False)
        self.queue: FlowControlQueue[int] = FlowControlQueue(maxsize=1, flow_control=self.flow_control)
        self.ended: list[str] = []

    async def callback(self, record: int) -> None:
        """Queue the record as Faust's conductor does: in a task of its own where the queue is full."""
        try:
            if self.queue.full():
                await asyncio.wait([asyncio.ensure_future(self.queue.put(record))])
            else:
                self.queue.put_nowait(record)
            self.ended.append("queued")
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise

    def held(self) -> list[int]:
        return [self.queue.get_nowait() for _ in range(self.queue.qsize())]


@pytest.fixture
async def stream() -> AsyncIterator[Stream]:
    made = Stream()
    async with made:
        yield made


async def stock(stream: Stream, callback: Any, suspension: Any) -> Any:
    return await Service.wait_first(stream, callback, suspension)


both = pytest.mark.parametrize("wait", [stock, wait_first], ids=["stock", "patched"])


def hand_over(stream: Stream, wait: Wait, record: int) -> asyncio.Task[Any]:
    async def drain() -> Any:
        return await wait(stream, stream.callback(record), stream.suspend_flow.wait())

    return asyncio.ensure_future(drain())


async def blocked(stream: Stream, wait: Wait) -> asyncio.Task[Any]:
    """Return a drain that waits for room in a full queue."""
    await hand_over(stream, wait, 0)
    handing = hand_over(stream, wait, 1)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not handing.done()
    assert stream.ended == ["queued"]
    return handing


@both
async def test_a_record_that_fits_is_queued(stream: Stream, wait: Wait) -> None:
    result = await hand_over(stream, wait, 0)
    assert (result.results, result.stopped) == ([None], False)
    assert stream.held() == [0]


async def test_a_record_that_fits_costs_no_task(stream: Stream) -> None:
    before = asyncio.all_tasks()
    seen: list[set[asyncio.Task[Any]]] = []

    async def callback() -> None:
        seen.append(asyncio.all_tasks())

    await wait_first(stream, callback(), stream.suspend_flow.wait())
    assert seen == [before]


@both
async def test_a_callback_that_blocks_is_waited_for(stream: Stream, wait: Wait) -> None:
    handing = await blocked(stream, wait)
    assert stream.queue.get_nowait() == 0
    result = await asyncio.wait_for(handing, 5.0)
    assert (result.results, result.stopped) == ([None], False)
    assert stream.ended == ["queued", "queued"]
    assert stream.held() == [1]


@both
async def test_a_callback_that_waits_often_gets_every_answer(stream: Stream, wait: Wait) -> None:
    answers: list[Any] = []
    loop = asyncio.get_running_loop()

    async def callback() -> None:
        for number in range(3):
            future: asyncio.Future[int] = loop.create_future()
            loop.call_soon(future.set_result, number)
            answers.append(await future)
            await asyncio.sleep(0)
        failing: asyncio.Future[int] = loop.create_future()
        loop.call_soon(failing.set_exception, ValueError("within"))
        try:
            await failing
        except ValueError as error:
            answers.append(str(error))

    await wait(stream, callback(), stream.suspend_flow.wait())
    assert answers == [0, 1, 2, "within"]


@both
@pytest.mark.parametrize("waits", [False, True], ids=["at once", "after a wait"])
async def test_the_error_of_a_callback_gets_out(stream: Stream, wait: Wait, waits: bool) -> None:
    async def callback() -> None:
        if waits:
            await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await wait(stream, callback(), stream.suspend_flow.wait())


@both
async def test_a_flow_suspended_while_the_queue_is_full_lets_the_drain_go_on(stream: Stream, wait: Wait) -> None:
    handing = await blocked(stream, wait)
    stream.suspend_flow.set()  # a rebalance begins; nobody reads the queue any more
    await asyncio.wait_for(handing, 5.0)
    await asyncio.sleep(0)
    assert stream.ended == ["queued", "cancelled"]


@both
async def test_a_flow_suspended_before_still_lets_a_record_in_that_fits(stream: Stream, wait: Wait) -> None:
    stream.suspend_flow.set()
    await asyncio.wait_for(hand_over(stream, wait, 0), 5.0)
    assert stream.held() == [0]


@both
async def test_a_flow_suspended_before_holds_nobody_at_a_full_queue(stream: Stream, wait: Wait) -> None:
    await hand_over(stream, wait, 0)
    stream.suspend_flow.set()
    await asyncio.wait_for(hand_over(stream, wait, 1), 5.0)
    await asyncio.sleep(0)
    assert stream.ended == ["queued", "cancelled"]


@both
async def test_a_stop_of_the_service_ends_the_wait(stream: Stream, wait: Wait) -> None:
    handing = await blocked(stream, wait)
    await stream.stop()
    assert (await asyncio.wait_for(handing, 5.0)).stopped
    await asyncio.sleep(0)
    assert stream.ended == ["queued", "cancelled"]


@both
async def test_a_cancelled_drain_cancels_the_callback(stream: Stream, wait: Wait) -> None:
    handing = await blocked(stream, wait)
    handing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handing
    await asyncio.sleep(0)
    assert stream.ended == ["queued", "cancelled"]


@both
async def test_a_record_left_in_a_put_arrives_after_the_flow_resumes(stream: Stream, wait: Wait) -> None:
    """Why the feed compares generations: the inner put outlives the cancelled callback, with the patch and without."""
    handing = await blocked(stream, wait)
    stream.suspend_flow.set()
    await handing
    assert stream.held() == [0]
    for _ in range(5):
        await asyncio.sleep(0)
    assert stream.held() == [1]

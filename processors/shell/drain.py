"""Hand a record to its stream in place, where Faust starts four asyncio tasks for each.

Faust waits for "the record is queued, or the flow is suspended, or the service stops" with a task per alternative. A
record is nearly always queued at once, though. So its callback is first stepped here: if it finishes, that was all; if
it blocks, because the queue is full, the rest of it becomes a task and Faust's own wait goes on. The meaning stays: in
Faust, too, the callback takes its first step before any of the alternatives is looked at.
"""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any

from mode import Service
from mode.services import WaitResults

from .transport import StrictConsumer, StrictTransport

Callback = Coroutine[Any, Any, None]


async def wait_first(consumer: Any, callback: Callback, suspension: Coroutine[Any, Any, Any]) -> WaitResults:
    """Return when `callback` has finished, the flow is suspended (then it is cancelled) or the service stops."""
    try:
        waits_for = callback.send(None)
    except StopIteration:
        suspension.close()
        return WaitResults([callback], [None], False)
    except BaseException:
        suspension.close()
        raise
    return await Service.wait_first(consumer, _rest(callback, waits_for), suspension)


async def _rest(callback: Callback, waits_for: Any) -> None:
    await _resume(callback, waits_for)


@types.coroutine
def _resume(callback: Callback, waits_for: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that waits for the given future already, as `await` would have done from the start."""
    while True:
        try:
            answer = yield waits_for
        except BaseException as error:  # noqa: BLE001  # it is thrown on into the callback, cancellation too
            step = partial(callback.throw, error)
        else:
            step = partial(callback.send, answer)
        try:
            waits_for = step()
        except StopIteration:
            return


class DrainingConsumer(StrictConsumer):
    """Strict consumer that drains without tasks."""

    async def wait_first(self, *coros: Any, timeout: Any = None) -> WaitResults:  # noqa: ASYNC109  # Faust's signature
        """Wait as Faust does, cheaper for the pair that its drain loop waits for with each record."""
        if len(coros) == 2 and timeout is None:
            return await wait_first(self, *coros)
        return await super().wait_first(*coros, timeout=timeout)


class DrainingTransport(StrictTransport):
    """Transport with the draining consumer."""

    Consumer = DrainingConsumer

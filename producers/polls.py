"""Requests asked again and again, each at its own time, so that they spread evenly and a changed set leaves no hole."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

from . import metrics
from .exchange import Poll, Request
from .rest import Rest, RestFailed

log = logging.getLogger(__name__)

REPEAT_S = 60.0  # one reason is logged once in so long, however many requests fail for it


class Polls:
    """What is polled now: a task for each request."""

    def __init__(self, exchange: str, rest: Rest, tasks: asyncio.TaskGroup) -> None:
        """Poll nothing."""
        self._exchange, self._rest, self._tasks = exchange, rest, tasks
        self._running: dict[tuple[Request, float], asyncio.Task[None]] = {}  # by request and its interval
        self._logged_s: dict[str, float] = {}  # reasons, and when each was logged

    def keep(self, polls: Iterable[Poll]) -> None:
        """Poll exactly these: what goes on keeps its times, what is new is spread over its interval."""
        wanted = [(request, poll.every_s) for poll in polls for request in poll.requests]
        for gone in self._running.keys() - set(wanted):
            self._running.pop(gone).cancel()
        for poll in polls:
            new = [request for request in poll.requests if (request, poll.every_s) not in self._running]
            for number, request in enumerate(new):
                begin_s = time.monotonic() + poll.every_s * number / len(new)
                task = self._tasks.create_task(self._ask(request, poll.every_s, begin_s))
                self._running[request, poll.every_s] = task

    async def _ask(self, request: Request, every_s: float, begin_s: float) -> None:
        due_s = begin_s
        while True:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            try:
                await self._rest.get(request)
            except RestFailed as error:
                self._note(error)
            # Requests that waited together, because the exchange wanted silence, part again.
            due_s += every_s * max(1, (time.monotonic() - due_s) // every_s + 1)

    def _note(self, error: RestFailed) -> None:
        metrics.FAILED_REQUESTS.labels(self._exchange).inc()
        now_s = time.monotonic()
        self._logged_s = {reason: at_s for reason, at_s in self._logged_s.items() if now_s - at_s < REPEAT_S}
        if error.reason not in self._logged_s:
            self._logged_s[error.reason] = now_s
            log.warning("%s: %s", self._exchange, error)

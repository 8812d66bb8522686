"""One at a time, and not too soon after the one before."""

from __future__ import annotations

import asyncio
import time


class Pace:
    """Turns that are at least a gap apart, in the order asked for."""

    def __init__(self, gap_s: float) -> None:
        """`gap_s`: between two turns."""
        self._gap_s = gap_s
        self._next_s = 0.0  # no turn before, by the monotonic clock
        self._queue = asyncio.Lock()

    async def turn(self) -> None:
        """Wait for a turn and take it."""
        async with self._queue:
            # A pause may begin during the sleep.
            while (now_s := time.monotonic()) < self._next_s:  # noqa: ASYNC110  # for a time, not for an event
                await asyncio.sleep(self._next_s - now_s)
            self._next_s = now_s + self._gap_s

    def pause(self, pause_s: float) -> None:
        """Give no turn for so long."""
        self._next_s = max(self._next_s, time.monotonic() + pause_s)

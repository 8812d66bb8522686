"""A file that is fresh while the worker makes progress: the liveness probe looks at its age."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError

BEAT_S = 1.0
ANSWER_LIMIT_S = 10.0


class Health:
    """Touches the file for the first time when the lanes are loaded, then while records are processed or none waits."""

    def __init__(self, app: Any, path: Path, patience_s: float) -> None:
        """Judge `app` (an app.App) and touch `path`; a file of an earlier run goes away."""
        self._app, self._path, self._patience_s = app, path, patience_s
        self._seen = (0, 0)
        self._moved_s = float("-inf")
        path.unlink(missing_ok=True)

    async def beat(self) -> None:
        """Touch the file unless records wait (or nobody can say) and none was processed for `patience_s`."""
        lanes = self._app.lanes
        seen = (lanes.records, lanes.epoch)
        if (lanes.lanes and seen != self._seen) or await self._idle():
            self._seen, self._moved_s = seen, time.monotonic()
        if time.monotonic() - self._moved_s < self._patience_s:
            self._path.touch()

    async def _idle(self) -> bool:
        lanes = self._app.lanes
        due = {tp: offset for tp, offset in lanes.due().items() if tp not in lanes.resting()}
        if not due:
            return bool(self._app.unassigned and not self._app.rebalancing)
        try:  # asks the broker: the fetcher's own idea of the end is stale when the fetcher is stuck
            ends = await asyncio.wait_for(self._app.consumer.highwaters(*due), ANSWER_LIMIT_S)
        except (KafkaError, TimeoutError):
            return False
        return all(ends[tp] <= offset for tp, offset in due.items())

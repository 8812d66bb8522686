"""A Faust transport that commits, seeks and rests only as the lanes say.

Stock Faust derives commits from acks of messages and can step over unfinished records. Here acks are not used: at each
commit the consumer asks `app.lanes` for its marks (offset and note of every partition). After a rebalance, before any
record flows, it loads the lanes and seeks to where they go on. Partitions that should rest are left out of the fetch:
Faust's own `pause_partitions` drops records it has already fetched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from .lanes import Mark

Marks = Mapping[TP, Mark]
REVOKE_LIMIT_S = 5.0
LOAD_LIMIT_S = 18.0  # below broker_request_timeout, after which Faust would go on without lanes
PULL_S = 0.02  # how soon a partition that need not rest any more is looked at
FETCH_WAIT_MS = 100  # Faust's 1500 lets an idle input delay the fetch of a busy one: one fetch per broker at a time


class StrictThread(driver.AIOKafkaConsumerThread):
    """Consumer thread that writes and reads the notes on commits and knows which seek a fetch came after."""

    sought = drained = -1  # epoch of the last seek, and of the last fetch; only the thread writes them

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _commit(self, offsets: Mapping[TP, Any]) -> bool:
        try:
            await self._ensure_consumer().commit({TopicPartition(*tp): mark for tp, mark in offsets.items()})
        except CommitFailedError:  # the group moved on; the records will be read again
            return False
        return True

    async def committed(self, partitions: Iterable[TP]) -> dict[TP, Mark]:
        """Return the commit of each partition that has one."""
        fetch = self._ensure_consumer()._coordinator.fetch_committed_offsets
        found = await self.call_thread(fetch, [TopicPartition(*tp) for tp in partitions])
        return {TP(*tp): Mark(*mark) for tp, mark in found.items() if mark.offset >= 0}

    async def go_on(self, positions: Mapping[TP, int], epoch: int) -> None:
        """Seek; fetches from now on belong to `epoch`."""
        await self.call_thread(self._go_on, positions, epoch)

    async def _go_on(self, positions: Mapping[TP, int], epoch: int) -> None:
        for tp, offset in positions.items():
            self._ensure_consumer().seek(TopicPartition(*tp), offset)
        self.sought = epoch

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        records = await super()._fetch_records(*args, **kwargs)
        self.drained = self.sought
        return records


class StrictConsumer(driver.Consumer):
    """Consumer whose commits, positions and rests are those of `app.lanes`."""

    app: Any  # an app.App
    _thread: StrictThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start with nothing committed and nothing loaded."""
        self.marks: dict[TP, Mark] = {}
        self._unloaded = False
        self._loading = asyncio.Lock()
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> StrictThread:
        return StrictThread(self, loop=self.loop, beacon=self.beacon)

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit the marks that changed, after all outputs that they imply are delivered."""
        lanes = self.app.lanes
        marks, owned, epoch = await lanes.checkpoint(), self.assignment(), lanes.epoch
        fresh = {tp: mark for tp, mark in marks.items() if tp in owned and self.marks.get(tp) != mark}
        if fresh and not await self._thread.commit(fresh):
            return False
        if epoch != lanes.epoch:
            return False
        self.marks.update(fresh)
        lanes.committed(fresh)
        lanes.settled()
        return bool(fresh)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit while still a member, then forget the state of every partition."""
        self.stop_flow()
        try:
            await asyncio.wait_for(self.commit(), REVOKE_LIMIT_S)
        except TimeoutError:
            self.log.warning("no commit within %.0f s at revocation, records will be read again", REVOKE_LIMIT_S)
        self._unloaded = False
        self.marks.clear()
        self.app.lanes.forget()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Note that lanes must be loaded; the callback itself does not wait for that."""
        self._unloaded = True
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Load the lanes and seek.

        Faust calls this after the rebalance, outside its callback (heartbeats go on), and lets records flow only when
        it has returned; also from the fetcher while the flow is stopped, where there may be nothing to do.
        """
        async with self._loading:
            lanes, assigned = self.app.lanes, self.assignment()
            if not self._unloaded or not assigned:
                return
            epoch = lanes.epoch
            try:
                positions = await asyncio.wait_for(self._load(assigned), LOAD_LIMIT_S)
                if epoch != lanes.epoch:
                    return
                self._read_offset.update(dict.fromkeys(positions))
                await self._thread.go_on(positions, epoch)
                self._unloaded = False
            except IllegalStateError:
                if epoch == lanes.epoch:
                    raise
            except Exception as error:
                await self.crash(error)
                raise

    async def _load(self, assigned: set[TP]) -> dict[TP, int]:
        commits, earliest = await self._thread.committed(assigned), await self.earliest_offsets(*assigned)
        positions: dict[TP, int] = await self.app.lanes.load(commits, earliest)
        await self.app.lanes.snapshot_due()  # new lanes: without a snapshot nothing could be committed
        return positions

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109  # Faust's signature
        resting = self.app.lanes.resting()
        wanted = set(active_partitions or ()) - resting
        if not wanted:  # for Faust an empty set means every partition
            await asyncio.sleep(PULL_S)
            return {}
        records = await self._thread.getmany(wanted, PULL_S if resting else timeout)
        return records if self._thread.drained == self.app.lanes.epoch else {}  # else a seek is still to come


class StrictTransport(driver.Transport):
    """Transport with the strict consumer."""

    Consumer = StrictConsumer

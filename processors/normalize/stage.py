"""The stage normalize: raw frames of one exchange in; liquidations, minutes, market and contract facts out.

Seconds are those of the collector's clock: one closes with the first frame of a later one. Minutes are those of the
exchange's clock; the watermark, which no REST answer moves, says when one is final.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from schemas.raw import SourceKind
from schemas.records import Funding, Instrument, Liquidation, MarketMinute, MinuteAggregate, OpenInterest

from ..changes import Changes
from ..market import Market
from ..market_minutes import MarketMinutes
from ..minutes import KEEP_MS, Minutes, start_of_minute
from ..pieces import Pieces, Tables, pack, rows, unpack
from ..processor import Input, Output
from ..repeats import Repeats
from .coverage import BITS, Coverages
from .evidence import dead_letter, evidence
from .facts import BadFrame, Frame, Normalizer, Quote, Trade, Unfilled
from .frames import control, frames
from .parking import Parking
from .publications import OUTPUTS, Publication, encoded
from .runs import Runs

__all__ = ["Normalize", "Publication"]

NAME = "normalize"
WITH_HEARTBEATS = ("liquidations", "open-interest", "funding")
SECOND_MS = 1_000
FRAME, CONTROL = SourceKind.FRAME, SourceKind.CONTROL  # looked up once: Python 3.11 is slow at it

ByAsset = OpenInterest | Funding | MinuteAggregate | MarketMinute
Handler = Callable[[Any], None]


class Stateful(Protocol):
    """A part of the stage with state of its own."""

    def tables(self) -> Tables:
        """Return the state as tables that later changes leave alone."""

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""


class Normalize:
    """One exchange's lane of the stage: deterministic, without clock or I/O."""

    state_version = 2

    def __init__(
        self,
        exchange: str,
        normalizer: Normalizer,
        revision: int,
        asset_partitions: int,
        outputs: Iterable[str] | None = None,
    ) -> None:
        """`revision` of the normalizer's mapping; `outputs` restricts the topics, and with them the work."""
        self.frames = self.dead_letters = self.unfilled = 0
        self._exchange, self._normalizer, self._asset_partitions = exchange, normalizer, asset_partitions
        self._outputs = frozenset(OUTPUTS if outputs is None else outputs)
        if unknown := self._outputs - set(OUTPUTS):
            raise ValueError(f"no such outputs: {sorted(unknown)}; choose from {sorted(OUTPUTS)}")
        self._runs, self._repeats, self._parking = Runs(), Repeats(), Parking()
        self._minutes = Minutes(exchange, revision)
        self._market = Market(exchange, asset_partitions)
        self._market_minutes = MarketMinutes(exchange, revision)
        self._open_interest, self._funding = Changes(OpenInterest), Changes(Funding)
        self._coverage = Coverages(exchange, revision, normalizer.stream_of)
        self._tells_coverage, self._shown = "coverage" in self._outputs, self._coverage.shown
        self._handlers = self._wanted_handlers()
        self._frame: Frame  # the one at hand
        self._out: list[Publication] = []  # what it brings
        self._second_ms = 0  # the pending second of the collector's clock; 0 before the first frame
        self._watermark_ms = 0
        self._alive = False  # a heartbeat came since the last second was closed
        self._control = {"gap": 0, "connected": 0, "subscribed": 0, "disconnected": 0}

    @property
    def counts(self) -> dict[str, int]:
        """Return what operators watch; all of it grows."""
        return {
            "frames": self.frames,
            "dead_letters": self.dead_letters,
            "suppressed": self._parking.suppressed,
            "unfilled": self.unfilled,
            "repeats": self._repeats.repeats,
            "repeated_batches": self._runs.repeated,
            "ids_dropped": self._repeats.dropped,
            "late": self._minutes.late,
            "too_old": self._minutes.too_old,
            "minutes_dropped": self._minutes.dropped,
            "market_late": self._market_minutes.late,
            "repeated_trades": self._market.prints.repeats,
            **self._control,
        }

    @property
    def levels(self) -> dict[str, int]:
        """Return what operators watch and what can fall: the channels parked now."""
        return {"parked": self._parking.parked}

    def process(self, record: Input) -> list[Output]:
        """Return the outputs of one raw batch."""
        return [
            encoded(publication, self._exchange)
            for frame in frames(record, self._exchange, self._runs)
            for publication in self.receive(frame)
        ]

    def receive(self, frame: Frame) -> list[Publication]:
        """Return what one frame, or control frame, brings."""
        self.frames += 1
        out = self._out = []
        received_ms, kind = frame.received_ms, frame.kind
        if kind is CONTROL:
            self._receive_control(frame)
            return out
        if received_ms >= self._second_ms + SECOND_MS:
            self._close_second(received_ms)
        try:
            facts = self._normalizer.normalize(frame)
        except BadFrame as bad:
            self._bury(frame, bad)
            return out
        if self._parking.failing and facts:
            self._parking.mapped(frame)
        if received_ms > self._market.received_ms:
            self._market.received_ms = received_ms
        self._market.connection = frame.connection
        self._frame, is_stream, shown = frame, kind is FRAME, 0
        for fact in facts:
            if is_stream and fact.event_ms > self._watermark_ms:
                self._watermark_ms = fact.event_ms
            handle, bit = self._handlers[type(fact)]
            shown |= bit
            if handle:
                handle(fact)
        self._shown[shown] += 1
        return out

    def flush(self) -> list[Publication]:
        """Return what is still pending at the end of a finite input: its last second, and minutes in progress."""
        out = self._out = []
        now_ms = self._market.received_ms
        self._close_second(now_ms)
        self._publish("market-minutes", self._market_minutes.flush(), now_ms)
        return out

    def snapshot(self) -> Callable[[], bytes]:
        """Copy the state; return the function that encodes it."""
        clock = (self._second_ms, self._watermark_ms, self._alive)
        tables: dict[str, Sequence[object]] = {"clock": [clock], "normalizer": [self._normalizer.state()]}
        for part in self._parts():
            tables.update(part.tables())
        return lambda: pack(tables)

    def restore(self, data: bytes) -> None:
        """Continue from a snapshot of the same `state_version`."""
        pieces = unpack(data)
        [(self._second_ms, self._watermark_ms, self._alive)] = rows(pieces["clock"], tuple[int, int, bool])
        [normalizer] = rows(pieces["normalizer"], object)
        self._normalizer.load(normalizer)
        for part in self._parts():
            part.load(pieces)

    def _parts(self) -> tuple[Stateful, ...]:
        return (
            self._runs,
            self._repeats,
            self._parking,
            self._coverage,
            self._minutes,
            self._market,
            self._market_minutes,
            self._open_interest,
            self._funding,
        )

    def _wanted_handlers(self) -> Mapping[type, tuple[Handler | None, int]]:
        """Return by type what is done with a fact, nothing where no wanted output needs it, and its bit in `shown`."""
        handlers: dict[type, tuple[Handler, set[str]]] = {
            Liquidation: (self._receive_liquidation, {"liquidations", "minutes", "evidence"}),
            Unfilled: (self._receive_unfilled, set(OUTPUTS)),
            Quote: (self._market.quote, {"market", "market-minutes"}),
            Trade: (self._market.trade, {"market", "market-minutes"}),
            OpenInterest: (self._receive_open_interest, {"open-interest", "market-minutes"}),
            Funding: (self._receive_funding, {"funding", "market-minutes"}),
            Instrument: (self._receive_instrument, {"instruments"}),
        }
        return {
            kind: (handle if needed_by & self._outputs else None, BITS[kind])
            for kind, (handle, needed_by) in handlers.items()
        }

    def _receive_liquidation(self, liquidation: Liquidation) -> None:
        if self._repeats.is_repeat(liquidation):
            return
        self._minutes.receive(liquidation)
        asset, received_ms = liquidation.asset, liquidation.received_ms
        if "liquidations" in self._outputs:
            self._out.append(Publication("liquidations", liquidation, asset, received_ms))
        if "evidence" in self._outputs:
            self._out.append(Publication("evidence", evidence(liquidation, self._frame), asset, received_ms))

    def _receive_unfilled(self, _order: Unfilled) -> None:
        self.unfilled += 1

    def _receive_open_interest(self, value: OpenInterest) -> None:
        self._open_interest.receive(value)
        self._market.open_interest(value)

    def _receive_funding(self, value: Funding) -> None:
        self._funding.receive(value)
        self._market.funding(value)

    def _receive_instrument(self, instrument: Instrument) -> None:
        key = f"{self._exchange}:{instrument.symbol}"
        self._out.append(Publication("instruments", instrument, key, instrument.received_ms))

    def _receive_control(self, frame: Frame) -> None:
        said = control(frame)
        is_heartbeat = said.control == "heartbeat"
        if is_heartbeat:
            self._watermark_ms = max(self._watermark_ms, frame.received_ms)
            self._alive = True
        if frame.received_ms >= self._second_ms + SECOND_MS:
            self._close_second(frame.received_ms)
        if self._tells_coverage:
            told = self._coverage.hear(said, frame)
            self._out.extend(Publication("coverage", row, self._exchange, frame.received_ms) for row in told)
        if is_heartbeat:
            self._market.received_ms = max(self._market.received_ms, frame.received_ms)
            self._beat(frame.received_ms)
            return
        self._control[said.control] += 1
        if said.control == "disconnected":
            self._normalizer.disconnected(frame.connection)

    def _beat(self, now_ms: int) -> None:
        """Say to everybody who reads an asset topic that nothing older is on its way; `market` has its slices."""
        for topic in WITH_HEARTBEATS:
            if topic in self._outputs:
                self._out.extend(Publication(topic, None, None, now_ms, n) for n in range(self._asset_partitions))

    def _close_second(self, now_ms: int) -> None:
        """Publish the pending second and what became due with it; `now_ms` opens the next one."""
        if self._second_ms:
            self._coverage.close_second(self._second_ms)
            slices, parts = self._market.close(self._second_ms, with_empty=self._alive)
            if "market" in self._outputs:
                self._out.extend(Publication("market", part, None, now_ms, n) for n, part in slices.items())
            self._publish("open-interest", self._open_interest.close(), now_ms)
            self._publish("funding", self._funding.close(), now_ms)
            floor_ms = self._repeats.forget(start_of_minute(self._watermark_ms - KEEP_MS))
            self._publish("minutes", self._minutes.close(self._watermark_ms, floor_ms), now_ms)
            for part in parts:
                self._market_minutes.receive(part)
            closed = self._market_minutes.close(self._watermark_ms, self._second_ms)
            self._publish("market-minutes", closed, now_ms)
        self._second_ms, self._alive = now_ms - now_ms % SECOND_MS, False

    def _publish(self, topic: str, records: Iterable[ByAsset], now_ms: int) -> None:
        if topic in self._outputs:
            self._out.extend(Publication(topic, record, record.asset, now_ms) for record in records)

    def _bury(self, frame: Frame, bad: BadFrame) -> None:
        self.dead_letters += 1
        self._coverage.bury(bad.channel, frame)
        letter = self._parking.failed(bad.channel, frame.received_ms)
        if letter and "dead-letters" in self._outputs:
            record = dead_letter(self._exchange, NAME, frame, bad, letter)
            self._out.append(Publication("dead-letters", record, self._exchange, frame.received_ms))

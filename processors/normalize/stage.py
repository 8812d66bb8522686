"""The stage normalize: raw frames of one exchange in; liquidations, minutes, market and contract facts out.

Seconds are those of the collector's clock: one closes with the first frame of a later one. Minutes are those of the
exchange's clock; the watermark, which no REST answer moves, says when one is final.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from schemas.raw import SourceKind
from schemas.records import DeadLetter, Funding, Instrument, Liquidation, MarketMinute, OpenInterest

from ..changes import Changes
from ..market import Market
from ..market_minutes import MarketMinutes
from ..minutes import KEEP_MS, Minutes, start_of_minute
from ..pieces import Pieces, Tables, pack, rows, unpack
from ..processor import Input, Output
from ..repeats import Repeats
from .facts import BadFrame, Fact, Frame, Normalizer, Quote, Trade
from .frames import control, frames
from .parking import Parking
from .publications import OUTPUTS, Publication, encoded

__all__ = ["Normalize", "Publication"]

NAME = "normalize"
WITH_HEARTBEATS = ("liquidations", "open-interest", "funding")
SECOND_MS = 1_000
REASON_LIMIT = 500  # characters of a dead letter's reason; its payload is there in full

Handler = Callable[[Any, list[Publication]], None]


class Stateful(Protocol):
    """A part of the stage with state of its own."""

    def tables(self) -> Tables:
        """Return the state as tables that later changes leave alone."""

    def load(self, pieces: Pieces) -> None:
        """Continue from `tables`."""


class _State(msgspec.Struct, array_like=True, frozen=True):
    second_ms: int
    watermark_ms: int
    alive: bool


class Normalize:
    """One exchange's lane of the stage: deterministic, without clock or I/O."""

    state_version = 1

    def __init__(
        self,
        exchange: str,
        normalizer: Normalizer,
        revision: int,
        asset_partitions: int,
        outputs: Iterable[str] | None = None,
    ) -> None:
        """`revision` of the normalizer's mapping; `outputs` restricts the topics, and with them the work."""
        self.frames = self.dead_letters = 0
        self._exchange, self._normalizer, self._asset_partitions = exchange, normalizer, asset_partitions
        self._outputs = frozenset(OUTPUTS if outputs is None else outputs)
        if unknown := self._outputs - set(OUTPUTS):
            raise ValueError(f"no such outputs: {sorted(unknown)}; choose from {sorted(OUTPUTS)}")
        self._repeats, self._parking = Repeats(), Parking()
        self._minutes = Minutes(exchange, revision)
        self._market = Market(exchange, asset_partitions)
        self._market_minutes = MarketMinutes(exchange, revision)
        self._open_interest, self._funding = Changes(OpenInterest), Changes(Funding)
        self._handlers = self._wanted_handlers()
        self._second_ms = 0  # the pending second of the collector's clock; 0 before the first frame
        self._watermark_ms = 0
        self._alive = False  # a heartbeat came since the last second was closed
        self._control = {"gap": 0, "connected": 0, "subscribed": 0, "disconnected": 0}

    @property
    def counts(self) -> dict[str, int]:
        """Return what operators watch: all grow, but for `parked`, the channels parked now."""
        return {
            "frames": self.frames,
            "dead_letters": self.dead_letters,
            "suppressed": self._parking.suppressed,
            "parked": self._parking.parked,
            "repeats": self._repeats.repeats,
            "ids_dropped": self._repeats.dropped,
            "late": self._minutes.late,
            "too_old": self._minutes.too_old,
            "minutes_dropped": self._minutes.dropped,
            "market_late": self._market_minutes.late,
            **self._control,
        }

    def process(self, record: Input) -> list[Output]:
        """Return the outputs of one raw batch."""
        return [
            encoded(publication, self._exchange)
            for frame in frames(record, self._exchange)
            for publication in self.receive(frame)
        ]

    def receive(self, frame: Frame) -> list[Publication]:
        """Return what one frame, or control frame, brings."""
        self.frames += 1
        out: list[Publication] = []
        received_ms = frame.received_ms
        if frame.kind is SourceKind.CONTROL:
            self._receive_control(frame, out)
            return out
        if received_ms >= self._second_ms + SECOND_MS:
            self._close_second(received_ms, out)
        try:
            facts = self._normalizer.normalize(frame)
        except BadFrame as bad:
            self._bury(frame, bad, out)
            return out
        if self._parking.failing and facts:
            self._parking.mapped(frame)
        if received_ms > self._market.received_ms:
            self._market.received_ms = received_ms
        for fact in facts:
            handle = self._handlers.get(type(fact))
            if handle:
                handle(fact, out)
        if facts and frame.kind is SourceKind.FRAME:
            self._move_watermark(facts)
        return out

    def flush(self) -> list[Publication]:
        """Return what is still pending at the end of a finite input: its last second, and minutes in progress."""
        out: list[Publication] = []
        now_ms = self._market.received_ms
        self._close_second(now_ms, out)
        self._publish_market_minutes(self._market_minutes.flush(), now_ms, out)
        return out

    def snapshot(self) -> Callable[[], bytes]:
        """Copy the state; return the function that encodes it."""
        state = _State(self._second_ms, self._watermark_ms, self._alive)
        tables: dict[str, Sequence[object]] = {"state": [state], "normalizer": [self._normalizer.state()]}
        for part in self._parts():
            tables.update(part.tables())
        return lambda: pack(tables)

    def restore(self, data: bytes) -> None:
        """Continue from a snapshot of the same `state_version`."""
        pieces = unpack(data)
        [state] = rows(pieces["state"], _State)
        self._second_ms, self._watermark_ms, self._alive = state.second_ms, state.watermark_ms, state.alive
        [normalizer] = rows(pieces["normalizer"], object)
        self._normalizer.load(normalizer)
        for part in self._parts():
            part.load(pieces)

    def _parts(self) -> tuple[Stateful, ...]:
        return (
            self._repeats,
            self._parking,
            self._minutes,
            self._market,
            self._market_minutes,
            self._open_interest,
            self._funding,
        )

    def _wanted_handlers(self) -> Mapping[type, Handler]:
        """Return what is done with a fact, by its type; facts that no wanted output needs are passed over."""
        handlers: dict[type, tuple[Handler, set[str]]] = {
            Liquidation: (self._receive_liquidation, {"liquidations", "minutes"}),
            Quote: (lambda quote, _: self._market.quote(quote), {"market", "market-minutes"}),
            Trade: (lambda trade, _: self._market.trade(trade), {"market", "market-minutes"}),
            OpenInterest: (self._receive_open_interest, {"open-interest", "market-minutes"}),
            Funding: (self._receive_funding, {"funding", "market-minutes"}),
            Instrument: (self._receive_instrument, {"instruments"}),
        }
        return {kind: handle for kind, (handle, needed_by) in handlers.items() if needed_by & self._outputs}

    def _receive_liquidation(self, liquidation: Liquidation, out: list[Publication]) -> None:
        if self._repeats.is_repeat(liquidation):
            return
        self._minutes.receive(liquidation)
        if "liquidations" in self._outputs:
            out.append(Publication("liquidations", liquidation, liquidation.asset, liquidation.received_ms))

    def _receive_open_interest(self, value: OpenInterest, _: list[Publication]) -> None:
        self._open_interest.receive(value)
        self._market.open_interest(value)

    def _receive_funding(self, value: Funding, _: list[Publication]) -> None:
        self._funding.receive(value)
        self._market.funding(value)

    def _receive_instrument(self, instrument: Instrument, out: list[Publication]) -> None:
        key = f"{self._exchange}:{instrument.symbol}"
        out.append(Publication("instruments", instrument, key, instrument.received_ms))

    def _receive_control(self, frame: Frame, out: list[Publication]) -> None:
        said = control(frame).control
        is_heartbeat = said == "heartbeat"
        if is_heartbeat:
            self._watermark_ms = max(self._watermark_ms, frame.received_ms)
            self._alive = True
        if frame.received_ms >= self._second_ms + SECOND_MS:
            self._close_second(frame.received_ms, out)
        if is_heartbeat:
            self._market.received_ms = max(self._market.received_ms, frame.received_ms)
            self._beat(frame.received_ms, out)
            return
        self._control[said] += 1
        if said == "disconnected":
            self._normalizer.disconnected(frame.connection)

    def _beat(self, now_ms: int, out: list[Publication]) -> None:
        """Say to everybody who reads an asset topic that nothing older is on its way; `market` has its slices."""
        for topic in WITH_HEARTBEATS:
            if topic in self._outputs:
                out.extend(Publication(topic, None, None, now_ms, n) for n in range(self._asset_partitions))

    def _move_watermark(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            if fact.event_ms > self._watermark_ms:
                self._watermark_ms = fact.event_ms

    def _close_second(self, now_ms: int, out: list[Publication]) -> None:
        """Publish the pending second and what became due with it; `now_ms` opens the next one."""
        if self._second_ms:
            slices, parts = self._market.close(self._second_ms, with_empty=self._alive)
            if "market" in self._outputs:
                out.extend(Publication("market", part, None, now_ms, n) for n, part in slices.items())
            self._publish_changes(now_ms, out)
            self._close_minutes(now_ms, out)
            for part in parts:
                self._market_minutes.receive(part)
            market_minutes = self._market_minutes.close(self._watermark_ms, self._second_ms)
            self._publish_market_minutes(market_minutes, now_ms, out)
        self._second_ms, self._alive = now_ms - now_ms % SECOND_MS, False

    def _publish_changes(self, now_ms: int, out: list[Publication]) -> None:
        changed_interest, changed_rates = self._open_interest.close(), self._funding.close()
        if "open-interest" in self._outputs:
            out.extend(Publication("open-interest", value, value.asset, now_ms) for value in changed_interest)
        if "funding" in self._outputs:
            out.extend(Publication("funding", value, value.asset, now_ms) for value in changed_rates)

    def _close_minutes(self, now_ms: int, out: list[Publication]) -> None:
        floor_ms = self._repeats.forget(start_of_minute(self._watermark_ms - KEEP_MS))
        minutes = self._minutes.close(self._watermark_ms, floor_ms)
        if "minutes" in self._outputs:
            out.extend(Publication("minutes", minute, minute.asset, now_ms) for minute in minutes)

    def _publish_market_minutes(self, minutes: Sequence[MarketMinute], now_ms: int, out: list[Publication]) -> None:
        if "market-minutes" in self._outputs:
            out.extend(Publication("market-minutes", minute, minute.asset, now_ms) for minute in minutes)

    def _bury(self, frame: Frame, bad: BadFrame, out: list[Publication]) -> None:
        letter = self._parking.failed(bad.channel, frame.received_ms)
        self.dead_letters += 1
        if letter is None or "dead-letters" not in self._outputs:
            return
        record = DeadLetter(
            exchange=self._exchange,
            stage=NAME,
            channel=bad.channel,
            reason=str(bad)[:REASON_LIMIT],
            source=frame.url,
            topic="raw",
            partition=frame.partition,
            offset=frame.offset,
            index=frame.index,
            received_ms=frame.received_ms,
            is_parked=letter.is_parked,
            suppressed=letter.suppressed,
            payload=frame.payload,
        )
        out.append(Publication("dead-letters", record, self._exchange, frame.received_ms))

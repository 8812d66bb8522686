"""What the stage normalize publishes: records before they are encoded, and the bytes of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from schemas.avro import encoder
from schemas.records import (
    Coverage,
    DeadLetter,
    Evidence,
    Funding,
    Instrument,
    Liquidation,
    MarketMinute,
    MarketSlice,
    MinuteAggregate,
    OpenInterest,
)
from schemas.topics import HEARTBEAT_HEADER

from ..processor import Output

ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "liquidations": encoder(Liquidation),
    "open-interest": encoder(OpenInterest),
    "funding": encoder(Funding),
    "market": encoder(MarketSlice),
    "instruments": encoder(Instrument),
    "minutes": encoder(MinuteAggregate),
    "market-minutes": encoder(MarketMinute),
    "coverage": encoder(Coverage),
    "evidence": encoder(Evidence),
    "dead-letters": encoder(DeadLetter),
}
OUTPUTS = tuple(ENCODERS)

Event = Liquidation | OpenInterest | Funding | Instrument
Record = Event | MarketSlice | MinuteAggregate | MarketMinute | Coverage | Evidence | DeadLetter


class Publication(NamedTuple):
    """One record to publish, not encoded yet."""

    topic: str
    record: Record | None  # None is the heartbeat of the exchange
    key: str | None
    timestamp_ms: int  # received time of the frame behind it
    partition: int = -1  # -1: by key


def encoded(publication: Publication, exchange: str) -> Output:
    """Return what Kafka gets."""
    topic, record, key, timestamp_ms, partition = publication
    if record is None:
        return Output(topic, None, None, timestamp_ms, partition, ((HEARTBEAT_HEADER, exchange.encode()),))
    return Output(topic, ENCODERS[topic](record), key.encode() if key else None, timestamp_ms, partition)

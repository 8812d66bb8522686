"""The topics: what each one carries, how it is cut, how long it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from .exchanges import RAW_PARTITIONS
from .raw import RawBatch
from .records import (
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

DAY_MS = 86_400_000
VERSION = 1  # another cut or another meaning of a topic is a new version, beside the old one
Cut = Literal["exchange", "asset"]
HEARTBEAT_HEADER = "exchange"  # names the exchange in a record without a value: it lives, and its time is this

READER = (
    "liq-reader"  # the group of whoever reads in none: librdkafka wants a name, and a broker with ACLs to permit it
)


class Topic(NamedTuple):
    """One topic, without the prefix of its market."""

    name: str
    record: type[Any] | None  # None: snapshots, which only the stage itself reads
    cut: Cut  # one partition per exchange, or by asset
    key: str
    about: str
    days: int | None  # None: compacted, the newest value of a key is kept

    def partitions(self, asset_partitions: int) -> int:
        """Return how many partitions it has."""
        return RAW_PARTITIONS if self.cut == "exchange" else asset_partitions

    def config(self) -> Mapping[str, str]:
        """Return the settings that the broker is asked for and that are verified at start."""
        config = {"max.message.bytes": str(2 << 20), "message.timestamp.type": "CreateTime"}
        if self.days is None:
            return {**config, "cleanup.policy": "compact", "segment.ms": "600000", "delete.retention.ms": "3600000"}
        return {**config, "cleanup.policy": "delete", "retention.ms": str(self.days * DAY_MS)}


TOPICS = {
    topic.name: topic
    for topic in (
        Topic("raw", RawBatch, "exchange", "", "untouched frames in the order received", 3),
        Topic("liquidations", Liquidation, "asset", "asset", "one liquidation each", 7),
        Topic("open-interest", OpenInterest, "asset", "asset", "open interest when it changed", 7),
        Topic("funding", Funding, "asset", "asset", "funding rates when they changed", 7),
        Topic("market", MarketSlice, "asset", "", "marks and trades of one second", 2),
        Topic("instruments", Instrument, "asset", "exchange:symbol", "contract facts", None),
        Topic("minutes", MinuteAggregate, "asset", "asset", "liquidations of one minute", 30),
        Topic("market-minutes", MarketMinute, "asset", "asset", "market of one minute", 30),
        Topic("coverage", Coverage, "asset", "exchange", "what is proven of one minute of a stream", 30),
        Topic("evidence", Evidence, "asset", "asset", "the frame behind a liquidation", 7),
        Topic("dead-letters", DeadLetter, "asset", "exchange", "frames that could not be understood", 30),
        Topic("state.normalize", None, "exchange", "", "snapshots of the stage normalize", None),
    )
}


def full_name(prefix: str, name: str) -> str:
    """Return the topic's name on the broker: `liq.sim.` and `raw` give `liq.sim.raw.v1`."""
    return f"{prefix}{name}.v{VERSION}"


def logical_name(prefix: str, full: str) -> str:
    """Return the topic's name without prefix and version."""
    return full.removeprefix(prefix).removesuffix(f".v{VERSION}")

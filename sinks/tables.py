"""The tables: which topic each one holds, with columns that follow from the records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from schemas.avro import schema_of
from schemas.topics import TOPICS

PRIMITIVES = {"string": "String", "bytes": "String", "long": "Int64", "double": "Float64", "boolean": "Bool"}
TIME = "DateTime64(3, 'UTC')"
FEW_VALUES = {
    *("exchange", "symbol", "asset", "base", "quote", "settle", "status"),
    *("stage", "channel", "source", "topic", "stream", "proven_by"),
}


@dataclass(frozen=True)
class Column:
    """One column, and the field of the record that fills it."""

    name: str
    type: str
    comment: str
    field: str


@dataclass(frozen=True)
class Table:
    """The rows of one topic: one for each record, or one for each item of its field `items`."""

    name: str
    topic: str
    items: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)  # by field, where the rule below does not fit

    @property
    def record(self) -> type[Any]:
        """Return the record that the topic carries."""
        record = TOPICS[self.topic].record
        assert record is not None
        return record

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Return the columns in the order of the fields; those of the items come last."""
        return tuple(
            Column(_name(each), self.types.get(each["name"]) or _type(each), _comment(each["doc"]), each["name"])
            for each in self._fields()
        )

    def _fields(self) -> list[dict[str, Any]]:
        fields: list[dict[str, Any]] = schema_of(self.record)["fields"]
        if self.items is None:
            return fields
        own = [each for each in fields if each["name"] != self.items]
        items = next(each["type"]["items"]["fields"] for each in fields if each["name"] == self.items)
        return [*own, *items]


def _name(each: Mapping[str, Any]) -> str:
    """A time is a number of milliseconds in a record (`event_ms`) and a DateTime64 in a table (`event_time`)."""
    name: str = each["name"]
    return f"{name.removesuffix('_ms')}_time" if _is_time(each) else name


def _is_time(each: Mapping[str, Any]) -> bool:
    """Say whether the milliseconds are those of a clock; else they are a duration."""
    return each["name"].endswith("_ms") and "ms since the epoch" in each["doc"]


def _comment(doc: str) -> str:
    return doc.replace("ms since the epoch, UTC", "UTC").replace("ms since the epoch", "UTC")


def _type(each: Mapping[str, Any]) -> str:
    kind = each["type"]
    if isinstance(kind, list):
        return f"Nullable({_type({**each, 'type': kind[1]})})"
    if isinstance(kind, dict):
        members = ", ".join(f"'{symbol}' = {number}" for number, symbol in enumerate(kind["symbols"]))
        return f"Enum8({members})"
    if _is_time(each):
        return TIME
    return "LowCardinality(String)" if each["name"] in FEW_VALUES else PRIMITIVES[kind]


TABLES = {
    table.name: table
    for table in (
        Table(
            "liquidations", "liquidations", types={"id": "FixedString(32)", "revision": "UInt64", "retracted": "UInt8"}
        ),
        Table("open_interest", "open-interest"),
        Table("funding", "funding"),
        Table("market_seconds", "market", items="entries"),
        Table("instruments", "instruments"),
        Table("minutes", "minutes", types={"version": "UInt64"}),
        Table("market_minutes", "market-minutes", types={"version": "UInt64"}),
        Table("coverage", "coverage", types={"version": "UInt64"}),
        Table("evidence", "evidence", types={"id": "FixedString(32)"}),
        Table("dead_letters", "dead-letters"),
    )
}

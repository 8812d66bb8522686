"""`make docs`: writes the reference part of docs/topics.md, the page for whoever reads the topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .avro import ids, newest, schema_of
from .topics import TOPICS, Topic

PAGE = Path(__file__).parents[1] / "docs" / "topics.md"

MARK = "<!-- What follows is written by `make docs` from schemas/; do not edit it. -->"


def page(now: str) -> str:
    """Return the page with what follows the mark written anew."""
    introduction, mark, _ = now.partition(MARK)
    if not mark:
        raise ValueError(f"{PAGE} has no line {MARK!r}, below which the topics are written")
    sections = (line for topic in TOPICS.values() for line in _section(topic))
    return introduction + "\n".join([MARK, "", *_overview(), "", *sections])


def _overview() -> Iterator[str]:
    yield "| topic | record | key | partitions | kept |"
    yield "|---|---|---|---|---|"
    for topic in TOPICS.values():
        record = f"[`{topic.record.__name__}`](#{topic.name})" if topic.record else "for the stage alone"
        cut = "32, one per exchange" if topic.cut == "exchange" else "by asset" if topic.key == "asset" else "as assets"
        kept = "the newest of each key" if topic.days is None else f"{topic.days} days"
        yield f"| `{topic.name}` | {record} | {topic.key} | {cut} | {kept} |"


def _section(topic: Topic) -> Iterator[str]:
    if topic.record is None:
        return
    name = newest(topic.record)
    yield f"## {topic.name}"
    yield ""
    yield f"{topic.about[0].upper()}{topic.about[1:]}. `{name}`, schema id {ids()[name]}."
    yield ""
    yield from _table(schema_of(topic.record))


def _table(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields of a record, and after them those of the records it holds."""
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for field in schema["fields"]:
        yield f"| `{field['name']}` | {_type(field['type'])} | {field['doc']} |"
    yield ""
    for field in schema["fields"]:
        inner = field["type"]
        if isinstance(inner, dict) and isinstance(inner.get("items"), dict):
            yield f"Each of `{field['name']}`:"
            yield ""
            yield from _table(inner["items"])


def _type(kind: Any) -> str:
    if isinstance(kind, list):
        return f"{_type(kind[1])} or null"
    if isinstance(kind, str):
        return kind
    if kind["type"] == "array":
        return f"list of {kind['items'] if isinstance(kind['items'], str) else kind['items']['name']}"
    return ", ".join(f"`{symbol}`" for symbol in kind["symbols"] if symbol != "UNKNOWN")


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text()))


if __name__ == "__main__":
    main()

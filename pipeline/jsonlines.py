"""Records as JSON lines, for people and pipes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson


def line(record: str, fields: Mapping[str, Any]) -> str:
    """Return one JSON object: the record's name, then its fields; bytes appear as text."""
    return orjson.dumps({"record": record, **fields}, default=as_text).decode()


def as_text(value: object) -> str:
    """Return bytes as text, for orjson."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    raise TypeError(f"no JSON for {type(value).__name__}")

"""Builders of records with plausible values; a test says only what it is about."""

from __future__ import annotations

import typing
from enum import StrEnum
from typing import Any, get_args, get_origin

import msgspec

VALUES: dict[Any, Any] = {str: "BTCUSDT", int: 1_789_670_094_099, float: 63_560.5, bool: True, bytes: b"\x00\xff{"}


def example(record: type[Any], **changes: Any) -> Any:
    """Return a record with a value in every field, nullable ones too."""
    hints = typing.get_type_hints(record)
    return record(**{field.name: _value(hints[field.name]) for field in msgspec.structs.fields(record)} | changes)


def _value(kind: Any) -> Any:
    if kind in VALUES:
        return VALUES[kind]
    if get_origin(kind) is tuple:
        return (_value(get_args(kind)[0]),)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return example(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return list(kind)[1]
    return _value(get_args(kind)[0])

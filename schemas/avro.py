"""Avro schemas: derived from the records, released as files with fixed ids, framed as Confluent's clients expect."""

from __future__ import annotations

import io
import json
import struct
import types
import typing
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, get_args, get_origin

import fastavro
import msgspec

from .writing import writer

NAMESPACE = "liqstream"
PRIMITIVES: dict[Any, str] = {str: "string", int: "long", float: "double", bool: "boolean", bytes: "bytes"}
RELEASED = files("schemas") / "released"
HEADER = struct.Struct(">bI")  # Confluent's wire format: a zero and the schema's id


class Undecodable(ValueError):
    """Bytes that are not a record of the expected kind."""


def schema_of(record: type[Any]) -> dict[str, Any]:
    """Derive the Avro schema of a record: its docstring, its fields, a doc on each."""
    hints = typing.get_type_hints(record, include_extras=True)
    fields = [_field(info, hints[info.name]) for info in msgspec.structs.fields(record)]
    return {
        "type": "record",
        "name": record.__name__,
        "namespace": NAMESPACE,
        "doc": (record.__doc__ or "").partition("\n")[0],
        "fields": fields,
    }


def _field(info: msgspec.structs.FieldInfo, hint: Any) -> dict[str, Any]:
    kind, doc = get_args(hint)
    field = {"name": info.name, "type": _type(kind), "doc": doc}
    if isinstance(field["type"], list):
        field["default"] = None
    elif info.default is not msgspec.NODEFAULT:
        field["default"] = info.default
    return field


def _type(kind: Any) -> Any:
    if kind in PRIMITIVES:
        return PRIMITIVES[kind]
    if isinstance(kind, types.UnionType):
        return ["null", *(_type(part) for part in get_args(kind) if part is not types.NoneType)]
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _type(get_args(kind)[0])}
    if issubclass(kind, msgspec.Struct):
        return schema_of(kind)
    if issubclass(kind, StrEnum):
        return {
            "type": "enum",
            "name": kind.__name__,
            "symbols": [str(member) for member in kind],
            "default": "UNKNOWN",
        }
    raise TypeError(f"no Avro type for {kind}")


@cache
def ids() -> dict[str, int]:
    """Return the committed ids by name and version: `Liquidation.1` is 1."""
    found: dict[str, int] = json.loads((RELEASED / "ids.json").read_text())
    return found


@cache
def released(name: str) -> dict[str, Any]:
    """Return a released schema: `Liquidation.1`."""
    found: dict[str, Any] = json.loads((RELEASED / f"{name}.avsc").read_text())
    return found


def newest(record: type[Any]) -> str:
    """Return the newest released version of a record: `Liquidation.1`."""
    versions = [int(name.rpartition(".")[2]) for name in ids() if name.rpartition(".")[0] == record.__name__]
    return f"{record.__name__}.{max(versions)}"


@cache
def parsed(name: str) -> Any:
    """Return a released schema as fastavro has parsed it."""
    return fastavro.parse_schema(released(name))


@cache
def encoder(record: type[Any]) -> Callable[[Any], bytes]:
    """Return the function that frames one record of this type."""
    name = newest(record)
    header, write = HEADER.pack(0, ids()[name]), writer(released(name))
    return lambda item: header + write(item)


def encode(item: Any) -> bytes:
    """Return a record in Avro with Confluent's header."""
    return encoder(type(item))(item)  # type: ignore[arg-type]  # a class is hashable


@cache
def _name_of(schema_id: int) -> str:
    return next((name for name, number in ids().items() if number == schema_id), "")


def decode_dict(value: bytes, record: type[Any]) -> dict[str, Any]:
    """Return the fields of a framed record of any released version, as the newest one names them."""
    if len(value) < HEADER.size:
        raise Undecodable(f"{len(value)} bytes, expected at least {HEADER.size}")
    magic, schema_id = HEADER.unpack_from(value)
    name = _name_of(schema_id)
    if magic or name.rpartition(".")[0] != record.__name__:
        raise Undecodable(f"magic {magic} and schema id {schema_id}, expected 0 and an id of {record.__name__}")
    body = io.BytesIO(value)
    body.seek(HEADER.size)
    reader = None if name == newest(record) else parsed(newest(record))
    try:
        found = fastavro.schemaless_reader(body, parsed(name), reader)
    except (EOFError, IndexError, ValueError, OverflowError, struct.error) as error:
        raise Undecodable(f"{name}: {error!r}") from error
    return typing.cast(dict[str, Any], found)


T = typing.TypeVar("T")


def decode(value: bytes, record: type[T]) -> T:
    """Return a framed record; raise `Undecodable`."""
    return msgspec.convert(decode_dict(value, record), record)

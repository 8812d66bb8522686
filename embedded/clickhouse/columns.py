"""How many bytes a column of a given type takes on the wire."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from embedded.clickhouse.reader import Malformed, Reader

WIDTHS = {
    1: "UInt8 Int8 Bool Enum8 Nothing",
    2: "UInt16 Int16 Enum16 Date BFloat16",
    4: "UInt32 Int32 Float32 Date32 DateTime IPv4 Time Decimal32",
    8: "UInt64 Int64 Float64 DateTime64 Time64 Decimal64",
    16: "UInt128 Int128 Decimal128 UUID IPv6 Point",
    32: "UInt256 Int256 Decimal256",
}
WIDTH_OF = {name: width for width, names in WIDTHS.items() for name in names.split()}
DECIMAL_WIDTHS = ((9, 4), (18, 8), (38, 16), (76, 32))  # up to so many digits, so many bytes
MAX_BRACKETS = 100
QUOTED_OR_SIGN = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|[(),]|[^'`(),]+", re.S)
ELEMENT_NAME = re.compile(r"\s*(?:`(?:[^`\\]|\\.)*`|\w+)\s+(?=[A-Z])")

SkipRows = Callable[[Reader, int], None]


class Layout(NamedTuple):
    prefix_bytes: int  # before the rows of the whole column
    skip_rows: SkipRows


def skip_column(reader: Reader, kind: str, rows: int) -> None:
    """Steps over a column of at least one row. Raises Malformed for a type that cannot be measured."""
    if kind.count("(") > MAX_BRACKETS:
        raise Malformed(f"a type with more than {MAX_BRACKETS} brackets")
    prefix_bytes, skip_rows = layout(kind)
    reader.skip(prefix_bytes)
    skip_rows(reader, rows)


@lru_cache(4096)
def layout(kind: str) -> Layout:
    name, _, rest = kind.partition("(")
    arguments = rest.removesuffix(")")
    if width := _width(name, arguments):
        return Layout(0, lambda reader, rows: reader.skip(width * rows))
    if name == "String":
        return Layout(0, Reader.skip_strings)
    if name == "SimpleAggregateFunction":
        return layout(split_arguments(arguments)[-1])
    if name == "LowCardinality":
        return _low_cardinality(arguments)
    if name == "Nullable" and arguments:
        return _nullable(layout(arguments))
    if name in ("Array", "Map", "Nested", "Tuple") and arguments:
        elements = [layout(_without_name(name, element)) for element in split_arguments(arguments)]
        return _tuple(elements) if name == "Tuple" else _array(_tuple(elements))
    raise Malformed(f"type {kind} is not supported by the embedded server")


def split_arguments(text: str) -> list[str]:
    """`a, B(c, d)` -> [`a`, `B(c, d)`]."""
    out, depth = [""], 0
    for part in QUOTED_OR_SIGN.findall(text):
        depth += (part == "(") - (part == ")")
        if part == "," and not depth:
            out.append("")
        else:
            out[-1] += part
    return [argument.strip() for argument in out]


def _width(name: str, arguments: str) -> int | None:
    if name.startswith("Interval"):
        return 8
    if name == "FixedString":
        return int(arguments)
    if name == "Decimal":
        digits = int(arguments.split(",")[0])
        return next((width for most, width in DECIMAL_WIDTHS if digits <= most), None)
    return WIDTH_OF.get(name)


def _without_name(outer: str, element: str) -> str:
    """`price Float64` -> `Float64`: elements of tuples may have names."""
    return ELEMENT_NAME.sub("", element, count=1) if outer in ("Tuple", "Nested") else element


def _nullable(value: Layout) -> Layout:
    def skip_rows(reader: Reader, rows: int) -> None:
        reader.skip(rows)  # which of them are null
        value.skip_rows(reader, rows)

    return Layout(value.prefix_bytes, skip_rows)


def _tuple(elements: list[Layout]) -> Layout:
    def skip_rows(reader: Reader, rows: int) -> None:
        for element in elements:
            element.skip_rows(reader, rows)

    return Layout(sum(element.prefix_bytes for element in elements), skip_rows)


def _array(values: Layout) -> Layout:
    """The end offset of every row, then the values of all rows; Map and Nested are arrays of tuples."""

    def skip_rows(reader: Reader, rows: int) -> None:
        reader.skip(8 * (rows - 1))
        if total := reader.uint64():
            values.skip_rows(reader, total)

    return Layout(values.prefix_bytes, skip_rows)


def _low_cardinality(kind: str) -> Layout:
    """Flags (index width, dictionaries), the dictionary, then an index per row. Nulls are an entry of it."""
    nullable = re.fullmatch(r"Nullable\((.*)\)", kind, re.S)
    keys = layout(nullable[1] if nullable else kind)

    def skip_rows(reader: Reader, rows: int) -> None:
        flags = reader.uint64()
        if flags & 0x100 or flags & 0xFF > 3:
            raise Malformed("a LowCardinality column with a shared dictionary")
        keys.skip_rows(reader, reader.uint64())
        reader.skip(reader.uint64() << (flags & 0xFF))

    return Layout(8, skip_rows)

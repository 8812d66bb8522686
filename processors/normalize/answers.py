"""Which request an answer belongs to, where the frame does not say: its rows tell by their fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def endpoint_of(rows: Sequence[Collection[str]], shapes: Mapping[str, frozenset[str]]) -> str:
    """Return the one endpoint of `shapes` all of whose fields the first row has, or raise ValueError."""
    fitting = [endpoint for endpoint, fields in shapes.items() if rows and fields.issubset(rows[0])]
    if len(fitting) != 1:
        raise ValueError(f"the request is not known and rows fit {fitting}, expected one of {list(shapes)}")
    return fitting[0]

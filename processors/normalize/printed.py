"""What exchanges print, as types for msgspec: a number that no market could show makes the frame a bad one.

Exchanges print most numbers as text, so decode with `strict=False`; msgspec then takes exactly the number literals of
JSON (no NaN, Infinity, blanks or underscores), as text or bare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from typing import Annotated, Literal

from msgspec import DecodeError, Meta
from msgspec.json import Decoder

SMALLEST, LARGEST = 1e-18, 1e18  # far outside of any market, and close enough that products and ratios stay finite
EARLIEST_MS = 1_400_000_000_000  # 2014: older than any frame; catches seconds and microseconds
LATEST_MS = 4_102_444_800_000  # 2100
AHEAD_MS = 60_000  # an exchange's clock may run that far ahead of ours

Positive = Annotated[float, Meta(ge=SMALLEST, le=LARGEST)]  # a price, or a quantity of something that happened
Amount = Annotated[float, Meta(ge=0, le=LARGEST)]  # an open interest: zero is a value
Rate = Annotated[float, Meta(ge=-100, le=100)]
Milliseconds = Annotated[int, Meta(ge=EARLIEST_MS, le=LATEST_MS)]
Number = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]  # of a print: they grow
Name = Annotated[str, Meta(min_length=1, max_length=64)]  # a symbol or a coin
Blank = Literal[""]  # the exchange says: no value

POSITIVE = Decoder(Positive, strict=False)


def positive(text: str) -> float:
    """Return the number of a text that is also needed as it was printed, or raise ValueError."""
    try:
        return POSITIVE.decode(f'"{text}"')
    except DecodeError as error:
        raise ValueError(f"number is {text!r}, expected one from {SMALLEST} to {LARGEST}") from error


def per_coin(printed: object, scale: int) -> float | None:
    """Return the price of one coin; None where the frame shows none, or 0 as before the first trade."""
    return printed / scale or None if isinstance(printed, float) else None


def happened(event_ms: int, received_ms: int) -> int:
    """Return the event time, or raise ValueError where it is no moment that can have happened yet."""
    if not EARLIEST_MS <= event_ms <= received_ms + AHEAD_MS:
        raise ValueError(f"time is {event_ms}, expected milliseconds, at most {AHEAD_MS} after {received_ms}")
    return event_ms


def ordinals(printed: Iterable[Hashable]) -> Iterator[int]:
    """Yield for each how many of its equals came before it: equals within one frame are separate events."""
    seen = Counter[Hashable]()
    for item in printed:
        yield seen[item]
        seen[item] += 1

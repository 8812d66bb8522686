"""The identity of a liquidation: a hash of what the exchange printed, never of what we made of it."""

from __future__ import annotations

import hashlib

BLANK = hashlib.blake2b(digest_size=16)  # its copy costs less than a new one


def liquidation_id(
    exchange: str,
    category: str,
    symbol: str,
    side: str,
    price: str,
    quantity: str,
    event: str,
    native_id: str,
    ordinal: int,
) -> str:
    """Return 32 hex digits.

    `side`, `price`, `quantity` and `event` are the exchange's own texts; `ordinal` counts equals within one frame.
    The same event from the stream, REST, another collector or a corrected mapping has the same id.
    """
    contract = f"{exchange}\x1f{category}\x1f{symbol}"
    printed = f"{contract}\x1f{side}\x1f{price}\x1f{quantity}\x1f{event}\x1f{native_id}\x1f{ordinal}"
    digest = BLANK.copy()
    digest.update(printed.encode())
    return digest.hexdigest()

"""Liquidations, open interest and funding as records: what is derived is the same for all exchanges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from processors.normalize.contracts import Contract
from processors.normalize.facts import Frame
from schemas.records import (
    Channel,
    Funding,
    FundingKind,
    Liquidation,
    OpenInterest,
    Position,
    PriceKind,
    QuantityKind,
    SourceQuality,
)

HOURS_A_YEAR = 8_760
HOUR_MS = 3_600_000
LONGEST_INTERVAL_HOURS = 24
MARK_LASTS_MS = 600_000  # a mark price further away says nothing of a moment; the slowest are polled every 5 minutes
STREAM = Channel.STREAM  # looked up once: Python 3.11 is slow at it


class Seen(msgspec.Struct, frozen=True, gc=False):
    """When and how a fact came."""

    event_ms: int
    received_ms: int
    channel: Channel


def closed(
    contract: Contract,
    frame: Frame,
    event_ms: int,
    name: str,
    position: Position,
    price: float,
    price_kind: PriceKind,
    quantity: float,
    quantity_kind: QuantityKind,
    quality: SourceQuality,
    revision: int,
    channel: Channel = STREAM,
) -> Liquidation:
    """`name`: its id. `price` and `quantity` are as printed; the contract leads to coins and dollars."""
    base, usd = contract.amounts(quantity, price)
    return Liquidation(
        contract.exchange,
        contract.symbol,
        contract.asset,
        event_ms,
        frame.received_ms,
        name,
        position,
        price / contract.scale,
        price,
        price_kind,
        base,
        quantity_kind,
        quantity,
        contract.unit,
        usd,
        source_quality=quality,
        channel=channel,
        raw_partition=frame.partition,
        raw_offset=frame.offset,
        raw_index=frame.index,
        revision=revision,
    )


def of_the_time(mark: float | None, mark_ms: int, event_ms: int) -> float | None:
    """Return a mark price where it is of about a moment, else None."""
    return mark if abs(event_ms - mark_ms) <= MARK_LASTS_MS else None


def hours_apart(paid: Iterable[tuple[str, int]]) -> Iterator[float | None]:
    """Yield for each payment of an answer, as symbol and time, oldest first, the hours since the symbol's one before.

    None for its first, and where others must lie between.
    """
    before_ms: dict[str, int] = {}
    for symbol, paid_ms in paid:
        hours = (paid_ms - before_ms.get(symbol, 0)) / HOUR_MS
        yield hours if 0 < hours <= LONGEST_INTERVAL_HOURS else None
        before_ms[symbol] = paid_ms


def open_interest(printed: float, native_mark: float | None, contract: Contract, seen: Seen) -> OpenInterest:
    """`printed`: of one side, in the contract's unit; the mark price, as printed, leads to coins or dollars."""
    base, usd = contract.amounts(printed, native_mark)
    return OpenInterest(
        exchange=contract.exchange,
        symbol=contract.symbol,
        asset=contract.asset,
        event_ms=seen.event_ms,
        received_ms=seen.received_ms,
        open_interest_base=base,
        open_interest_usd=usd,
        open_interest_native=printed,
        native_unit=contract.unit,
        channel=seen.channel,
    )


def funding(
    rate: float, hours: float | None, next_ms: int | None, kind: FundingKind, contract: Contract, seen: Seen
) -> Funding:
    """`rate`: fraction of the notional per interval of `hours`; None where the interval is not proven."""
    return Funding(
        exchange=contract.exchange,
        symbol=contract.symbol,
        asset=contract.asset,
        event_ms=seen.event_ms,
        received_ms=seen.received_ms,
        rate=rate,
        interval_hours=hours,
        rate_8h=rate * 8 / hours if hours else None,
        rate_year=rate * HOURS_A_YEAR / hours if hours else None,
        kind=kind,
        next_funding_ms=next_ms,
        channel=seen.channel,
    )

"""Open interest and funding as records: the derived units are the same for all exchanges."""

from __future__ import annotations

import msgspec

from processors.normalize.contracts import Contract
from schemas.records import Channel, Funding, FundingKind, OpenInterest

HOURS_A_YEAR = 8_760


class Seen(msgspec.Struct, frozen=True, gc=False):
    """When and how a fact came."""

    event_ms: int
    received_ms: int
    channel: Channel


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

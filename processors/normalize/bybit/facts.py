"""What a line of Bybit's means: side, quantity, price and clock of each, with its unit.

A linear quantity is in base coins, an inverse one in US dollars. A base coin may be scaled: 1000PEPE is 1000 PEPE.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from processors.normalize.bybit import wire
from processors.normalize.bybit.contracts import EXCHANGE
from processors.normalize.contracts import Contract
from processors.normalize.facts import Fact, Frame, Quote, Trade
from processors.normalize.measures import Seen, closed, funding, open_interest
from processors.normalize.printed import Blank, happened, per_coin, positive
from schemas.identity import liquidation_id
from schemas.records import (
    Channel,
    FundingKind,
    Liquidation,
    Position,
    PriceKind,
    QuantityKind,
    SourceQuality,
)

REVISION = 1

# The side of the position, not of the order that closed it: `Buy` says that a long was liquidated.
POSITIONS = {"Buy": Position.LONG, "Sell": Position.SHORT}

# Looked up once: for Python 3.11 the member of an enum is a tenth of a microsecond of work.
BANKRUPTCY, FILLED = PriceKind.BANKRUPTCY, QuantityKind.FILLED
COMPLETE, CAPPED = SourceQuality.COMPLETE, SourceQuality.CAPPED
STREAM, REST = Channel.STREAM, Channel.REST


class TickerState(msgspec.Struct, frozen=True, gc=False):
    """What later deltas of a ticker build on."""

    owner: str  # the connection that keeps it up to date; empty after REST alone
    event_ms: int
    mark: float | None  # as printed
    rate: float | None
    interval_hours: float | None
    next_funding_ms: int | None


NO_TICKER = TickerState("", 0, None, None, None, None)


def liquidation(
    item: wire.Print, ordinal: int, quality: SourceQuality, contract: Contract, frame: Frame
) -> Liquidation:
    """Bybit prints the bankruptcy price and the executed size; what the position was sold for it does not say."""
    price, quantity, event_ms = positive(item.p), positive(item.v), happened(item.T, frame.received_ms)
    category, at = contract.category, str(event_ms)
    return closed(
        contract,
        frame,
        event_ms,
        liquidation_id(EXCHANGE, category, item.s, item.S, item.p, item.v, at, "", ordinal),
        POSITIONS[item.S],
        price,
        BANKRUPTCY,
        quantity,
        FILLED,
        quality,
        REVISION,
    )


def trade(item: wire.Trade, contract: Contract, received_ms: int) -> Trade:
    """An order that walks the book prints several times, with one time, side and sequence number."""
    base, usd = contract.amounts(item.v, item.p)
    return Trade(
        item.s,
        contract.asset,
        happened(item.T, received_ms),
        item.S == "Buy",
        item.p / contract.scale,
        base,
        usd,
        item.i if item.seq is UNSET else f"{item.T}{item.S}{item.seq}",
        0 if item.seq is UNSET else item.seq,
    )


def overlaid(data: wire.Ticker, was: TickerState, owner: str, event_ms: int) -> TickerState:
    """Return the state with what this frame shows."""
    return TickerState(
        owner,
        event_ms,
        _shown(data.markPrice, was.mark) or None,
        _shown(data.fundingRate, was.rate),
        _shown(data.fundingIntervalHour, was.interval_hours),
        # Of a contract without funding the next time is blank, or 0 in answers of REST.
        was.next_funding_ms if data.nextFundingTime is UNSET else data.nextFundingTime or None,
    )


def ticker_facts(data: wire.Ticker, now: TickerState, contract: Contract, seen: Seen) -> list[Fact]:
    """Return a fact for each kind of field that this frame shows; `now` has the frame in it."""
    facts: list[Fact] = []
    mark = per_coin(data.markPrice, contract.scale)
    index = per_coin(data.indexPrice, contract.scale)
    last = per_coin(data.lastPrice, contract.scale)
    if mark or index or last:
        facts.append(Quote(contract.symbol, contract.asset, seen.event_ms, mark, index, last))
    printed = one_side(data)
    if printed is not None:
        facts.append(open_interest(printed, now.mark, contract, seen))
    shows_funding = not (data.fundingRate is data.nextFundingTime is data.fundingIntervalHour is UNSET)
    if shows_funding and now.rate is not None:
        hours = now.interval_hours or contract.interval_hours
        facts.append(funding(now.rate, hours, now.next_funding_ms, FundingKind.PREDICTED, contract, seen))
    return facts


def one_side(row: wire.Ticker | wire.OpenInterestRow) -> float | None:
    """Return the open interest of one side, as printed or half of that of both; None where the row shows none."""
    if isinstance(row.singleOpenInterest, float):
        return row.singleOpenInterest
    if isinstance(row.openInterest, float):
        return row.openInterest / 2
    return None


def _shown(printed: float | Blank | UnsetType, was: float | None) -> float | None:
    if isinstance(printed, float):
        return printed
    return was if printed is UNSET else None

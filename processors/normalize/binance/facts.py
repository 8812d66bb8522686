"""What a line of Binance's means: side, quantity, price and clock of each, with its unit.

A USD-M quantity is in base coins, which may be scaled (1000PEPE is 1000 PEPE); a COIN-M one is a number of contracts.
"""

from __future__ import annotations

import msgspec
from msgspec import DecodeError
from msgspec.json import Decoder

from processors.normalize.binance import wire
from processors.normalize.binance.contracts import EXCHANGE
from processors.normalize.contracts import Contract
from processors.normalize.facts import Fact, Frame, Quote, Trade, Unfilled
from processors.normalize.measures import HOUR_MS, LONGEST_INTERVAL_HOURS, Seen, closed, funding
from processors.normalize.printed import Amount, happened, per_coin, positive
from schemas.identity import liquidation_id
from schemas.records import FundingKind, Liquidation, Position, PriceKind, QuantityKind, SourceQuality

REVISION = 1

# The side of the order that closed the position: what was sold was a long.
POSITIONS = {"SELL": Position.LONG, "BUY": Position.SHORT}

# Looked up once: for Python 3.11 the member of an enum is a tenth of a microsecond of work.
FILL, ORDER, FILLED = PriceKind.FILL, PriceKind.ORDER, QuantityKind.FILLED
CAPPED = SourceQuality.CAPPED
PREDICTED = FundingKind.PREDICTED

EARLY_MS = 60_000  # the next payment may be told a little before this one's time

AMOUNT = Decoder(Amount, strict=False)


class Standing(msgspec.Struct, frozen=True, gc=False):
    """What is known of a symbol from its newest mark price."""

    event_ms: int
    mark: float | None  # as printed
    next_funding_ms: int  # 0: it has no funding
    interval_hours: float | None  # observed, up to the next payment; 0: whatever was known of it is not true any more


UNKNOWN = Standing(0, None, 0, None)


def liquidation(order: wire.Order, ordinal: int, contract: Contract, frame: Frame) -> Liquidation | Unfilled:
    """Binance prints the order that closed the position: filled quantity, average price; at most one a second."""
    event_ms = happened(order.T, frame.received_ms)
    if _amount(order.z) == 0:
        return Unfilled(contract.symbol, contract.asset, event_ms)
    has_fill = _amount(order.ap) > 0
    price, quantity = positive(order.ap if has_fill else order.p), positive(order.z)
    printed = (contract.category, order.s, order.S, order.ap, order.z, str(event_ms))
    return closed(
        contract,
        frame,
        event_ms,
        liquidation_id(EXCHANGE, *printed, "", ordinal),
        POSITIONS[order.S],
        price,
        FILL if has_fill else ORDER,
        quantity,
        FILLED,
        CAPPED,
        REVISION,
    )


def trade(item: wire.AggTrade, contract: Contract, received_ms: int) -> Trade:
    """An order that walks the book prints once for each price, with one time and side."""
    base, usd = contract.amounts(item.q, item.p)
    return Trade(
        item.s,
        contract.asset,
        happened(item.T, received_ms),
        not item.m,
        item.p / contract.scale,
        base,
        usd,
        f"{item.T}{'sell' if item.m else 'buy'}",
        item.a,
    )


def last_price(item: wire.MiniTicker, contract: Contract, received_ms: int) -> Quote | None:
    """Return the last price; None where nothing was traded yet."""
    last = per_coin(item.c, contract.scale)
    return Quote(item.s, contract.asset, happened(item.E, received_ms), None, None, last) if last else None


def following(was: Standing, row: wire.MarkPrice | wire.PremiumIndex) -> Standing:
    """Return what is known after this row."""
    hours = was.interval_hours if was.next_funding_ms == row.T else _observed_hours(was.next_funding_ms, row)
    return Standing(row.E, row.p or None, row.T, hours)


def standing_facts(
    row: wire.MarkPrice | wire.PremiumIndex, hours: float | None, contract: Contract, seen: Seen
) -> list[Fact]:
    """Return prices and the running rate. A dated future has no funding: its next time is 0, whatever its rate."""
    facts: list[Fact] = []
    mark, index = per_coin(row.p, contract.scale), per_coin(row.i, contract.scale)
    if mark or index:
        facts.append(Quote(contract.symbol, contract.asset, seen.event_ms, mark, index, None))
    if row.T and isinstance(row.r, float):
        facts.append(funding(row.r, hours, row.T, PREDICTED, contract, seen))
    return facts


def _observed_hours(paid_ms: int, row: wire.MarkPrice | wire.PremiumIndex) -> float | None:
    """Return the hours from the payment that was next until now to the one that is next now.

    None where another may lie between: no interval is shorter than an hour. 0 where the time was moved before it came.
    """
    if paid_ms - EARLY_MS > row.E:
        return 0.0
    if paid_ms + HOUR_MS <= row.E:
        return None
    hours = (row.T - paid_ms) / HOUR_MS
    return hours if 0 < hours <= LONGEST_INTERVAL_HOURS else None


def _amount(text: str) -> float:
    """Return the number of a text, of which zero is one, or raise ValueError."""
    try:
        return AMOUNT.decode(f'"{text}"')
    except DecodeError as error:
        raise ValueError(f"number is {text!r}, expected one of at least 0") from error

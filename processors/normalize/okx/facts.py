"""What a line of OKX's means: side, quantity, price and clock of each, with its unit.

A quantity counts contracts. One contract is so many coins, or, of an inverse contract, so many US dollars.
"""

from __future__ import annotations

from processors.normalize.contracts import Contract
from processors.normalize.facts import Frame, Quote, Trade
from processors.normalize.measures import HOUR_MS, Seen, closed, funding
from processors.normalize.okx import wire
from processors.normalize.okx.contracts import EXCHANGE
from processors.normalize.printed import happened, per_coin, positive
from schemas.identity import liquidation_id
from schemas.records import (
    Channel,
    Funding,
    FundingKind,
    Liquidation,
    Position,
    PriceKind,
    QuantityKind,
    SourceQuality,
)

REVISION = 1
DIGITS = 19  # a number of so many may not fit into 64 bits

# By side of the order and of the position. In net mode, or where the position is not said, the order decides: who had a
# long is sold out. What is missing here says no position, or two.
POSITIONS = {
    ("sell", "long"): Position.LONG,
    ("sell", "net"): Position.LONG,
    ("sell", ""): Position.LONG,
    ("", "long"): Position.LONG,
    ("buy", "short"): Position.SHORT,
    ("buy", "net"): Position.SHORT,
    ("buy", ""): Position.SHORT,
    ("", "short"): Position.SHORT,
}


def position_of(side: str, pos_side: str) -> Position:
    """Return the position that was closed, or raise ValueError."""
    position = POSITIONS.get((side, pos_side))
    if position is None:
        raise ValueError(f"side is {side!r} and posSide {pos_side!r}, expected one position of them")
    return position


def liquidation(item: wire.Detail, ordinal: int, contract: Contract, channel: Channel, frame: Frame) -> Liquidation:
    """OKX prints the price at which its liquidation took the position over; what it was sold for it does not say."""
    price, quantity, event_ms = positive(item.bkPx), positive(item.sz), happened(item.ts, frame.received_ms)
    side = f"{item.side} {item.posSide}"
    printed = (contract.category, contract.symbol, side, item.bkPx, item.sz, str(event_ms))
    return closed(
        contract,
        frame,
        event_ms,
        liquidation_id(EXCHANGE, *printed, "", ordinal),
        position_of(item.side, item.posSide),
        price,
        PriceKind.BANKRUPTCY,
        quantity,
        QuantityKind.FILLED,
        SourceQuality.SAMPLED,
        REVISION,
        channel,
    )


def trade(row: wire.TradeRow, contract: Contract, received_ms: int) -> Trade:
    """The exchange has merged what one order took at one price; that two prints are one order it does not say."""
    base, usd = contract.amounts(row.sz, row.px)
    return Trade(
        contract.symbol,
        contract.asset,
        happened(row.ts, received_ms),
        row.side == "buy",
        row.px / contract.scale,
        base,
        usd,
        row.tradeId,
        int(row.tradeId) if row.tradeId.isdecimal() and len(row.tradeId) < DIGITS else 0,
    )


def quote(
    contract: Contract,
    event_ms: int,
    *,
    mark: float | str = "",
    index: float | str = "",
    last: float | str = "",
) -> Quote:
    """Return prices of one coin from printed ones; blank, or 0 before the first one, is none."""
    scale = contract.scale
    return Quote(
        contract.symbol, contract.asset, event_ms, per_coin(mark, scale), per_coin(index, scale), per_coin(last, scale)
    )


def predicted(row: wire.FundingRow, rate: float, contract: Contract, seen: Seen) -> Funding:
    """The rate is charged at `fundingTime`; the payment after it tells the interval, which may change at any time."""
    apart_ms = row.nextFundingTime - row.fundingTime if row.fundingTime and row.nextFundingTime else 0
    hours = apart_ms / HOUR_MS if apart_ms > 0 else None
    return funding(rate, hours, row.fundingTime or None, FundingKind.PREDICTED, contract, seen)

"""What OKX prints (v5): of each message the part that is read.

https://www.okx.com/docs-v5/en/, as of 2026-07-22. Names are OKX's own. Frames are in tests/fixtures/okx/.
A row means the same in a push of the socket and in an answer of REST.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from processors.normalize.printed import LATEST_MS, Amount, Blank, Milliseconds, Name, Positive, Rate

Later = Annotated[int, Meta(ge=0, le=LATEST_MS)]  # a moment to come


class Arg(Struct, gc=False):
    """What a push is about; whose instrument, its rows say."""

    channel: str


class Message(Struct, gc=False):
    """Any message: control frames have an `event` and may have an `arg`, pushes an `arg`, answers of REST a `code`."""

    event: str = ""
    arg: Arg | None = None
    code: str = ""
    msg: str = ""
    data: Raw = Raw(b"null")


class Detail(Struct, gc=False):
    """One liquidation: `side` of the order, `posSide` of the position. Texts, for the id; blank ones are of MARGIN."""

    ts: Milliseconds
    side: Literal["buy", "sell", ""] = ""
    posSide: Literal["long", "short", "net", ""] = ""
    bkPx: str = ""
    sz: str = ""


class Liquidated(Struct, gc=False):
    """Row of `liquidation-orders`: one instrument."""

    instId: Name
    instType: Literal["SWAP", "FUTURES", "MARGIN", "OPTION"]
    details: list[Detail]


class OpenInterestRow(Struct, gc=False):
    """Row of `open-interest`: contracts."""

    instId: Name
    oi: Amount | Blank
    ts: Milliseconds


class FundingRow(Struct, gc=False):
    """Row of `funding-rate`: the rate that will be charged at `fundingTime`."""

    instId: Name
    fundingRate: Rate | Blank
    ts: Milliseconds
    fundingTime: Later | Blank = ""
    nextFundingTime: Later | Blank = ""  # the payment after that


class PastFundingRow(Struct, gc=False):
    """Row of `funding-rate-history`: the rate that was charged at `fundingTime`."""

    instId: Name
    realizedRate: Rate | Blank
    fundingTime: Milliseconds


class MarkRow(Struct, gc=False):
    """Row of `mark-price`."""

    instId: Name
    markPx: Amount | Blank
    ts: Milliseconds


class IndexRow(Struct, gc=False):
    """Row of `index-tickers`: `instId` names an index, BTC-USD."""

    instId: Name
    idxPx: Amount | Blank
    ts: Milliseconds


class TickerRow(Struct, gc=False):
    """Row of `tickers`."""

    instId: Name
    last: Amount | Blank
    ts: Milliseconds


class TradeRow(Struct, gc=False):
    """Row of `trades`: fills of one taker order at one price; `side` is the taker's."""

    instId: Name
    tradeId: str
    px: Positive
    sz: Positive
    side: Literal["buy", "sell"]
    ts: Milliseconds


class InstrumentRow(Struct, gc=False):
    """Row of `instruments`: a contract, or something without `ctVal`."""

    instId: Name
    instType: str
    state: str
    uly: str = ""
    ctType: Literal["linear", "inverse", ""] = ""
    ctVal: Positive | Blank = ""
    ctMult: Positive | Blank = ""
    ctValCcy: str = ""
    settleCcy: str = ""
    tickSz: Positive | Blank = ""
    lotSz: Positive | Blank = ""
    lever: Positive | Blank = ""
    expTime: Later | Blank = ""
    ruleType: str = ""


MESSAGE = Decoder(Message)
LIQUIDATIONS = Decoder(list[Liquidated], strict=False)
OPEN_INTEREST = Decoder(list[OpenInterestRow], strict=False)
FUNDING = Decoder(list[FundingRow], strict=False)
PAST_FUNDING = Decoder(list[PastFundingRow], strict=False)
MARKS = Decoder(list[MarkRow], strict=False)
INDEXES = Decoder(list[IndexRow], strict=False)
TICKERS = Decoder(list[TickerRow], strict=False)
TRADES = Decoder(list[TradeRow], strict=False)
INSTRUMENTS = Decoder(list[InstrumentRow], strict=False)
ROWS = Decoder(list[dict[str, Raw]])

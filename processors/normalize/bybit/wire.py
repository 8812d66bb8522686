"""What Bybit prints (v5): of each message the part that is read.

https://bybit-exchange.github.io/docs/v5, as of 2026-07-24. Names are Bybit's own. Frames are in tests/fixtures/bybit/.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from msgspec.json import Decoder

from processors.normalize.printed import LATEST_MS, Amount, Blank, Milliseconds, Name, Number, Positive, Rate

Side = Literal["Buy", "Sell"]
Later = Annotated[int, Meta(ge=0, le=LATEST_MS)]  # a moment to come; 0 is none
Hours = Annotated[float, Meta(gt=0, le=8_760)]


class Message(Struct, gc=False):
    """Any message: data has a `topic`, an answer of REST a `retCode`, an acknowledgement or a pong only an `op`."""

    topic: str = ""
    type: str = ""
    ts: int = 0
    data: Raw = Raw(b"null")
    op: str = ""
    retCode: int | None = None
    retMsg: str = ""
    result: Raw = Raw(b"null")
    time: int = 0


class Print(Struct, gc=False):
    """Element of `allLiquidation`: `S` is the side of the position, `p` its bankruptcy price. Texts, for the id."""

    T: int
    s: Name
    S: Side
    v: str
    p: str


class Prints(Struct, gc=False):
    """A message of `allLiquidation`, read in one go."""

    topic: str
    data: list[Print]
    type: str = ""
    ts: int = 0


class OldPrint(Struct, gc=False):
    """Data of the retired `liquidation`: at most one per symbol and second."""

    updatedTime: int
    symbol: Name
    side: Side
    size: str
    price: str


class Trade(Struct, gc=False):
    """Element of `publicTrade`: `S` is the taker's side."""

    T: int
    s: Name
    S: Side
    v: Positive
    p: Positive
    i: str
    seq: Number | UnsetType = UNSET  # one taker order's prints share it; absent in old frames
    BT: bool = False  # a block trade


class Ticker(Struct, gc=False):
    """Data of `tickers`, a row of REST tickers: missing is unchanged in a delta; blank is no value, nor is price 0."""

    symbol: Name
    markPrice: Amount | Blank | UnsetType = UNSET
    indexPrice: Amount | Blank | UnsetType = UNSET
    lastPrice: Amount | Blank | UnsetType = UNSET
    openInterest: Amount | Blank | UnsetType = UNSET  # both sides
    singleOpenInterest: Amount | Blank | UnsetType = UNSET  # since 2026-06-11
    fundingRate: Rate | Blank | UnsetType = UNSET
    fundingIntervalHour: Hours | Blank | UnsetType = UNSET
    nextFundingTime: Later | Blank | UnsetType = UNSET


class Tickers(Struct):
    """Result of /v5/market/tickers."""

    rows: list[Ticker] = field(name="list")
    category: str = ""


class OpenInterestRow(Struct):
    """A moment of /v5/market/open-interest."""

    timestamp: Milliseconds
    openInterest: Amount | Blank | UnsetType = UNSET
    singleOpenInterest: Amount | Blank | UnsetType = UNSET


class OpenInterestHistory(Struct):
    """Result of /v5/market/open-interest, newest first."""

    symbol: Name
    rows: list[OpenInterestRow] = field(name="list")
    category: str = ""


class FundingRow(Struct):
    """A settlement of /v5/market/funding/history."""

    symbol: Name
    fundingRate: Rate
    fundingRateTimestamp: Milliseconds


class FundingHistory(Struct):
    """Result of /v5/market/funding/history, newest first."""

    rows: list[FundingRow] = field(name="list")
    category: str = ""


class Leverage(Struct):
    """Of an instrument."""

    maxLeverage: Positive


class Prices(Struct):
    """Of an instrument."""

    tickSize: Positive


class Lots(Struct):
    """Of an instrument."""

    qtyStep: Positive


class InstrumentRow(Struct):
    """A contract of /v5/market/instruments-info."""

    symbol: Name
    contractType: Literal["LinearPerpetual", "LinearFutures", "InversePerpetual", "InverseFutures"]
    status: str
    baseCoin: Name
    quoteCoin: Name
    settleCoin: Name
    deliveryTime: Later | Blank = ""
    leverageFilter: Leverage | None = None
    priceFilter: Prices | None = None
    lotSizeFilter: Lots | None = None
    fundingInterval: Annotated[int, Meta(ge=0, le=525_600)] = 0  # minutes


class Instruments(Struct):
    """Result of /v5/market/instruments-info, one page."""

    rows: list[InstrumentRow] = field(name="list")


class Rows(Struct):
    """Any result, as far as its shape tells what was asked."""

    rows: list[dict[str, Raw]] = field(name="list")


MESSAGE = Decoder(Message)
PRINTS = Decoder(Prints)
OLD_PRINT = Decoder(OldPrint)
TRADES = Decoder(list[Trade], strict=False)
TICKER = Decoder(Ticker, strict=False)
TICKERS = Decoder(Tickers, strict=False)
OPEN_INTEREST = Decoder(OpenInterestHistory, strict=False)
FUNDING = Decoder(FundingHistory, strict=False)
INSTRUMENTS = Decoder(Instruments, strict=False)
ROWS = Decoder(Rows)

"""What Binance prints, USD-M and COIN-M: of each message the part that is read.

Sources are in tests/fixtures/binance/SOURCES.md. Names are Binance's own; they differ by case, so `e` is not `E`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.json import Decoder

from processors.normalize.bounded import SYMBOLS_MAX
from processors.normalize.printed import LATEST_MS, Amount, Blank, Milliseconds, Name, Number, Positive, Rate

NO_EXPIRY = 4_133_404_800_000  # the delivery date of what is never delivered

Book = Literal[1, 2] | UnsetType  # USD-M, COIN-M; a third one would count in units of its own
Later = Annotated[int, Meta(ge=0, le=LATEST_MS)]  # a moment to come; 0 is none
Hours = Annotated[float, Meta(gt=0, le=8_760)]


class Message(Struct, gc=False):
    """Any message of a socket that is no array: wrapped data, raw data, or a reply."""

    stream: str = ""
    data: Raw = Raw(b"")
    e: str = ""
    id: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET  # around the code and the text, or both are bare
    code: int | UnsetType = UNSET


class Order(Struct, gc=False):
    """The order of a liquidation: `S` is its side, `z` what was filled of it, `ap` at which average price.

    `p` is its limit, `q` what was ordered, `l` the last of its fills. Texts, for the id.
    """

    s: Name
    S: Literal["SELL", "BUY"]
    p: str
    ap: str
    z: str
    T: int
    st: Book = UNSET


class ForceOrder(Struct, gc=False, tag_field="e", tag="forceOrder"):
    """A liquidation: one order, even on the channel of all symbols. `st` is in it or, as documented, beside it."""

    o: Order
    st: Book = UNSET


class MarkPrice(Struct, gc=False, tag_field="e", tag="markPriceUpdate"):
    """`p` mark price, `i` index price, `r` the rate charged at `T`; a dated future has no rate or 0, and `T` 0."""

    E: int
    s: Name
    p: Amount | Blank
    i: Amount | Blank
    r: Rate | Blank
    T: Later
    st: Book = UNSET


class AggTrade(Struct, gc=False, tag_field="e", tag="aggTrade"):
    """Fills of one price and side within 100 ms: `m` says that the buyer was the maker; `q` counts all of them."""

    s: Name
    p: Positive
    q: Positive
    T: int
    m: bool
    a: Number = 0
    st: Book = UNSET


class MiniTicker(Struct, gc=False, tag_field="e", tag="24hrMiniTicker"):
    """`c` is the last price."""

    E: int
    s: Name
    c: Amount
    st: Book = UNSET


class ContractInfo(Struct, gc=False, tag_field="e", tag="contractInfo"):
    """A change of a listing, without most of what the listing says: nothing is read."""


Event = ForceOrder | MarkPrice | AggTrade | MiniTicker | ContractInfo


class PremiumIndex(
    Struct,
    gc=False,
    rename={
        "E": "time",
        "s": "symbol",
        "p": "markPrice",
        "i": "indexPrice",
        "r": "lastFundingRate",
        "T": "nextFundingTime",
    },
):
    """A row of `premiumIndex`, under the names of the stream that shows the same."""

    E: int
    s: Name
    p: Amount | Blank
    i: Amount | Blank
    r: Rate | Blank
    T: Later
    st: Book = UNSET


class OpenInterest(Struct):
    """`openInterest`: base coins of USD-M, contracts of COIN-M."""

    symbol: Name
    openInterest: Amount
    time: int


class FundingInfo(Struct):
    """A row of `fundingInfo`, which lists only symbols whose cap, floor or interval was adjusted."""

    symbol: Name
    fundingIntervalHours: Hours


class FundingRate(Struct):
    """A settlement of `fundingRate`; `Special` rates are dividends of stocks, beside the regular ones."""

    symbol: Name
    fundingRate: Rate
    fundingTime: Milliseconds
    rateType: str = "Regular"


class Filter(Struct):
    """A rule for orders: one kind names the tick, another the step."""

    filterType: str
    tickSize: Amount = 0
    stepSize: Amount = 0


class Listed(Struct):
    """A contract of `exchangeInfo`: only one of COIN-M has a size, in US dollars, and names its status otherwise."""

    symbol: Name
    baseAsset: Name
    quoteAsset: Name
    marginAsset: Name
    contractType: str
    deliveryDate: Annotated[int, Meta(ge=0, le=NO_EXPIRY)]
    status: str = ""
    contractStatus: str = ""
    contractSize: Positive | UnsetType = UNSET
    filters: list[Filter] = []


class ExchangeInfo(Struct):
    """The body of `exchangeInfo`."""

    symbols: list[Listed]
    serverTime: Milliseconds | UnsetType = UNSET


MESSAGE = Decoder(Message)
EVENTS = Decoder(Event | list[Event], strict=False)
PREMIUM_INDEX = Decoder(PremiumIndex | list[PremiumIndex], strict=False)
OPEN_INTEREST = Decoder(OpenInterest, strict=False)
FUNDING_INFO = Decoder(Annotated[list[FundingInfo], Meta(max_length=SYMBOLS_MAX)], strict=False)
FUNDING_RATE = Decoder(list[FundingRate], strict=False)
EXCHANGE_INFO = Decoder(ExchangeInfo, strict=False)

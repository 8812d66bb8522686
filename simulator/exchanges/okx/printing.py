"""How OKX prints the market: ids, contract values, ticks and lots, and the rows of its channels and answers.

Shapes: https://www.okx.com/docs-v5/en/ (2026-07-22). Every number is a text. Where a field means nothing here it keeps
a plain value.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, NamedTuple

from schemas.records import ContractKind
from simulator.contracts import COINS, OTHER_COIN_USD, Contract
from simulator.events import Quote, Trade

Row = dict[str, Any]

# Coins in one contract, as recorded; of other coins the power of ten that costs about as much as VALUE_USD.
VALUES = {"BTC": "0.01", "ETH": "0.1", "SOL": "1", "DOGE": "1000", "SHIB": "1000000"}
VALUE_USD = 30.0
INVERSE_VALUES = {"BTC": "100"}  # US dollars in one contract
OTHER_INVERSE_VALUE = "10"
LINEAR_LOT, INVERSE_LOT = "0.01", "0.1"  # contracts come in parts
SIGNIFICANT_DIGITS = 6  # of a price
FUNDING_HOURS = 8
LISTED_MS = "1611916828000"


class Listed(NamedTuple):
    """A contract as OKX lists it."""

    contract: Contract
    category: str  # its `instType`
    symbol: str
    family: str  # also the name of its index
    value: str  # of one contract: coins, or US dollars if inverse
    lot: str
    tick_digits: int  # decimals of a price; its tick is the last one

    @property
    def is_inverse(self) -> bool:
        """Whether contracts count US dollars."""
        return self.contract.kind is ContractKind.INVERSE

    def price(self, usd_per_coin: float) -> str:
        """Print a price, rounded to the tick."""
        return f"{usd_per_coin:.{self.tick_digits}f}"

    def quantity(self, coins: float, usd_per_coin: float) -> str:
        """Print a number of contracts, in lots, at least one."""
        amount = coins * usd_per_coin if self.is_inverse else coins
        lot = float(self.lot)
        lots = max(1, round(amount / float(self.value) / lot))
        return f"{lots * lot:.{-math.floor(math.log10(lot))}f}".rstrip("0").rstrip(".")

    def worth(self, quantity: str, price: str) -> tuple[float, float]:
        """Return coins and US dollars of a printed number of contracts at a printed price."""
        amount = float(quantity) * float(self.value)
        return (amount / float(price), amount) if self.is_inverse else (amount, amount * float(price))


def listed(contract: Contract) -> Listed:
    """Return how OKX lists a contract."""
    usd = COINS.get(contract.asset, OTHER_COIN_USD)
    is_inverse = contract.kind is ContractKind.INVERSE
    family = f"{contract.asset}-{contract.quote}"
    return Listed(
        contract,
        "SWAP" if contract.expiry_ms is None else "FUTURES",
        f"{family}-{_ending(contract)}",
        family,
        INVERSE_VALUES.get(contract.asset, OTHER_INVERSE_VALUE) if is_inverse else _value(contract.asset, usd),
        INVERSE_LOT if is_inverse else LINEAR_LOT,
        tick_digits=max(0, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(usd))),
    )


def _ending(contract: Contract) -> str:
    """BTC-USDT-SWAP, and with a delivery BTC-USDT-270326."""
    if contract.expiry_ms is None:
        return "SWAP"
    return f"{datetime.fromtimestamp(contract.expiry_ms / 1000, UTC):%y%m%d}"


def _value(asset: str, usd: float) -> str:
    exponent = round(math.log10(VALUE_USD / usd))
    return VALUES.get(asset, f"{10.0**exponent:.{max(0, -exponent)}f}")


def instrument(this: Listed) -> Row:
    """Print the facts of a contract as `instruments` does: base and quote currency are blank."""
    return {
        "instId": this.symbol,
        "instType": this.category,
        "uly": this.family,
        "instFamily": this.family,
        "ctType": "inverse" if this.is_inverse else "linear",
        "ctVal": this.value,
        "ctMult": "1",
        "ctValCcy": "USD" if this.is_inverse else this.contract.asset,
        "settleCcy": this.contract.asset if this.is_inverse else this.contract.quote,
        "baseCcy": "",
        "quoteCcy": "",
        "tickSz": f"{10.0**-this.tick_digits:.{this.tick_digits}f}",
        "lotSz": this.lot,
        "minSz": this.lot,
        "lever": "100",
        "listTime": LISTED_MS,
        "expTime": str(this.contract.expiry_ms or ""),
        "state": "live",
        "alias": "",
        "ruleType": "normal",
    }


def mark_price(this: Listed, quote: Quote, now_ms: int) -> Row:
    """Print a row of `mark-price`."""
    return {**_name(this), "markPx": this.price(quote.mark), "ts": str(now_ms)}


def index_ticker(this: Listed, quote: Quote, now_ms: int) -> Row:
    """Print a row of `index-tickers`, which has the name of an index where others have that of a contract."""
    price = this.price(quote.index)
    day = dict.fromkeys(("high24h", "low24h", "open24h", "sodUtc0", "sodUtc8"), price)
    return {"instId": this.family, "idxPx": price, **day, "ts": str(now_ms)}


def ticker(this: Listed, quote: Quote, now_ms: int) -> Row:
    """Print a row of `tickers`."""
    last = this.price(quote.last)
    sizes = dict.fromkeys(("lastSz", "askSz", "bidSz"), this.lot)
    day = dict.fromkeys(("open24h", "high24h", "low24h", "sodUtc0", "sodUtc8"), this.price(quote.index))
    volumes = {"volCcy24h": "0", "vol24h": "0"}
    return {**_name(this), "last": last, "askPx": last, "bidPx": last, **sizes, **day, **volumes, "ts": str(now_ms)}


def open_interest(this: Listed, quote: Quote, now_ms: int) -> Row:
    """Print a row of `open-interest`: contracts, coins, US dollars, of one side, with digits that are noise."""
    contracts = quote.open_interest / float(this.value)
    coins = quote.open_interest / quote.mark if this.is_inverse else quote.open_interest
    usd = quote.open_interest if this.is_inverse else quote.open_interest * quote.mark
    return {
        **_name(this),
        "oi": f"{contracts:.14f}",
        "oiCcy": f"{coins:.14f}",
        "oiUsd": f"{usd:.14f}",
        "ts": str(now_ms),
    }


def funding_rate(this: Listed, quote: Quote, now_ms: int) -> Row:
    """Print a row of `funding-rate`; only perpetuals have one."""
    next_ms = quote.next_funding_ms or 0
    return {
        **_name(this),
        "formulaType": "noRate",
        "fundingRate": f"{quote.funding_rate or 0.0:.16f}",
        "fundingTime": str(next_ms),
        "impactValue": "",
        "interestRate": "",
        "maxFundingRate": "0.00375",
        "method": "current_period",
        "minFundingRate": "-0.00375",
        "nextFundingRate": "",
        "nextFundingTime": str(next_ms + FUNDING_HOURS * 3_600_000),
        "premium": "",
        "settFundingRate": "0.0001",
        "settState": "settled",
        "ts": str(now_ms),
    }


def fills(this: Listed, trade: Trade, first: int) -> list[Row]:
    """Print the rows of `trades` of one taker order, one for each price; `first` is the first of their ids."""
    return [
        {
            "instId": this.symbol,
            "tradeId": str(number),
            "px": this.price(price),
            "sz": this.quantity(coins, price),
            "side": "buy" if trade.taker_buys else "sell",
            "ts": str(trade.event_ms),
            "count": "1",
            "source": "0",
            "seqId": number,
        }
        for number, (price, coins) in enumerate(trade.fills, first)
    ]


def _name(this: Listed) -> Row:
    return {"instId": this.symbol, "instType": this.category}

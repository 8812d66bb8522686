"""How Bybit prints the market: symbols, ticks and steps, and the fields of its answers.

Shapes: https://bybit-exchange.github.io/docs/v5/ (2026-07-24). Where a field means nothing here it keeps a plain value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from schemas.assets import asset_of
from schemas.records import ContractKind
from simulator.contracts import COINS, OTHER_COIN_USD, Contract
from simulator.events import Quote
from simulator.numbers import in_steps, tick

# Coins that cost too little to be listed one by one.
BASE_COINS = {"PEPE": "1000PEPE", "SHIB": "SHIB1000", "BONK": "1000BONK"}
QUARTER_CODES = {3: "H", 6: "M", 9: "U", 12: "Z"}
FUNDING_HOURS = 8
FUNDING_CAP = "0.005"
LAUNCHED_MS = "1585526400000"
SIGNIFICANT_DIGITS = 6  # of a price
STEP_USD = 20.0  # a quantity step is the power of ten of coins that costs about this much


class Listed(NamedTuple):
    """A contract as Bybit lists it. `scale` coins make one unit of `base`."""

    contract: Contract
    category: str
    symbol: str
    base: str
    scale: int
    tick_digits: int  # decimals of a price; its tick is the last one
    step: float

    def price(self, usd_per_coin: float) -> str:
        """Print a price, rounded to the tick."""
        return f"{usd_per_coin * self.scale:.{self.tick_digits}f}"

    def quantity(self, coins: float, usd_per_coin: float) -> str:
        """Print a quantity: base coins in steps, at least one; of an inverse contract whole US dollars."""
        amount = coins * usd_per_coin if self.category == "inverse" else coins / self.scale
        return self.amount(max(amount, self.step))

    def amount(self, native: float) -> str:
        """Print an amount of base coins, or of US dollars of an inverse contract, rounded to the step."""
        return in_steps(native, self.step)

    def worth(self, quantity: str, price: str) -> tuple[float, float]:
        """Return coins and US dollars of a printed quantity at a printed price."""
        amount = float(quantity)
        if self.category == "inverse":
            return amount / float(price) * self.scale, amount
        return amount * self.scale, amount * float(price)

    @property
    def tick(self) -> str:
        """The smallest step of a price."""
        return tick(self.tick_digits)


def listed(contract: Contract) -> Listed:
    """Return how Bybit lists a contract."""
    base = BASE_COINS.get(contract.asset, contract.asset)
    scale = asset_of(base).scale
    usd = COINS.get(contract.asset, OTHER_COIN_USD) * scale
    inverse = contract.kind is ContractKind.INVERSE
    return Listed(
        contract,
        "inverse" if inverse else "linear",
        _symbol(base, contract),
        base,
        scale,
        tick_digits=max(0, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(usd))),
        step=1.0 if inverse else 10.0 ** round(math.log10(STEP_USD / usd)),
    )


def _symbol(base: str, contract: Contract) -> str:
    """BTCUSDT, BTCPERP, BTCUSD; with a delivery BTCUSDT-26MAR27, BTC-26MAR27, BTCUSDH27."""
    usdc = contract.quote == "USDC"
    if contract.expiry_ms is None:
        return base + ("PERP" if usdc else contract.quote)
    delivery = datetime.fromtimestamp(contract.expiry_ms / 1000, UTC)
    if contract.kind is ContractKind.INVERSE:
        return f"{base}USD{QUARTER_CODES[delivery.month]}{delivery:%y}"
    return base + ("" if usdc else contract.quote) + f"-{delivery:%d%b%y}".upper()


def instrument(this: Listed) -> dict[str, Any]:
    """Print the facts of a contract as `instruments-info` does."""
    kind = ("Inverse" if this.category == "inverse" else "Linear") + (
        "Futures" if this.contract.expiry_ms else "Perpetual"
    )
    return {
        "symbol": this.symbol,
        "contractType": kind,
        "status": "Trading",
        "baseCoin": this.base,
        "quoteCoin": this.contract.quote,
        "launchTime": LAUNCHED_MS,
        "deliveryTime": str(this.contract.expiry_ms or 0),
        "deliveryFeeRate": "0.0005" if this.contract.expiry_ms else "",
        "priceScale": str(this.tick_digits),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": this.tick, "maxPrice": "1999999.80", "tickSize": this.tick},
        "lotSizeFilter": {
            "maxOrderQty": this.amount(this.step * 1e6),
            "minOrderQty": this.amount(this.step),
            "qtyStep": this.amount(this.step),
            "minNotionalValue": "5",
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 0 if this.contract.expiry_ms else FUNDING_HOURS * 60,
        "settleCoin": this.base if this.category == "inverse" else this.contract.quote,
        "copyTrading": "none",
        "upperFundingRate": FUNDING_CAP,
        "lowerFundingRate": "-" + FUNDING_CAP,
        "isPreListing": False,
        "preListingInfo": None,
        "symbolType": "",
    }


def standing(this: Listed, quote: Quote) -> dict[str, str]:
    """Print the fields of a ticker that move."""
    last, mark = this.price(quote.last), this.price(quote.mark)
    return {
        "lastPrice": last,
        "markPrice": mark,
        "indexPrice": this.price(quote.index),
        "bid1Price": last,
        "ask1Price": this.price(quote.last + 10.0**-this.tick_digits / this.scale),
        "fundingRate": "" if quote.funding_rate is None else f"{quote.funding_rate:.8f}",
        "nextFundingTime": str(quote.next_funding_ms or ""),
        **_open_interest(this, quote.open_interest, float(mark)),
    }


def _open_interest(this: Listed, one_side: float, mark: float) -> dict[str, str]:
    """Print open interest, of both sides and of one; its value is in quote currency, of inverse contracts in coins."""
    if this.category == "inverse":
        single = this.amount(one_side)
        both = 2 * float(single)
        value = both / mark
    else:
        single = this.amount(one_side / this.scale)
        both = 2 * float(single)
        value = both * mark
    return {
        "openInterest": this.amount(both),
        "openInterestValue": f"{value:.2f}",
        "singleOpenInterest": single,
        "singleOpenInterestValue": f"{value / 2:.2f}",
    }


def yesterday(this: Listed, quote: Quote) -> dict[str, str]:
    """Print the fields of a ticker that stay as they were when the market opened."""
    price = this.price(quote.index)
    lot = this.amount(this.step * 100)
    fields = {
        "symbol": this.symbol,
        "tickDirection": "ZeroPlusTick",
        "price24hPcnt": "0",
        "prevPrice24h": price,
        "highPrice24h": price,
        "lowPrice24h": price,
        "prevPrice1h": price,
        "turnover24h": "0.0000",
        "volume24h": "0.0000",
        "bid1Size": lot,
        "ask1Size": lot,
    }
    if this.contract.expiry_ms:
        return {**fields, "deliveryFeeRate": "0.0005", "predictedDeliveryPrice": "", "basis": "", "basisRate": ""}
    hours = {"fundingIntervalHour": str(FUNDING_HOURS), "fundingCap": FUNDING_CAP}
    return {**fields, **hours, "preOpenPrice": "", "preQty": "", "curPreListingPhase": ""}


def delivery(this: Listed, *, rest: bool) -> Mapping[str, str]:
    """Print when a contract is delivered: ISO text on the socket, milliseconds over REST; a perpetual never is."""
    expiry_ms = this.contract.expiry_ms
    if rest:
        return {"deliveryTime": str(expiry_ms or 0)}
    if expiry_ms is None:
        return {}
    return {"deliveryTime": f"{datetime.fromtimestamp(expiry_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"}

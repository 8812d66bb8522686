"""How Binance prints the market: symbols, ticks and steps, contracts of COIN-M, events and the rows of answers.

Shapes and their sources: tests/fixtures/binance/SOURCES.md. Where a field means nothing here it keeps a plain value.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, NamedTuple

from schemas.assets import asset_of
from schemas.records import ContractKind, Position
from simulator.contracts import COINS, OTHER_COIN_USD, Contract
from simulator.events import Quote, Trade
from simulator.numbers import in_steps, tick
from simulator.truth import Known

SIDES = {Position.LONG: "SELL", Position.SHORT: "BUY"}  # of the order that closed the position
BOOKS = {"um": 1, "cm": 2}  # `st`
BASE_COINS = {"PEPE": "1000PEPE", "SHIB": "1000SHIB", "BONK": "1000BONK"}  # too cheap to be listed one by one
CONTRACT_USD = {"BTC": 100.0}  # of a contract of COIN-M
OTHER_CONTRACT_USD = 10.0
FUNDING_HOURS = 8
ONBOARDED_MS = 1_585_526_400_000
NO_EXPIRY = 4_133_404_800_000  # the delivery date of what is never delivered
SIGNIFICANT_DIGITS = 6  # of a price
STEP_USD = 20.0  # a quantity step is the power of ten of coins that costs about this much
LIMIT_AWAY = 0.012  # how much worse than the fills the limit of a liquidation order is, in parts of the price


class Listed(NamedTuple):
    """A contract as Binance lists it. `scale` coins make one unit of `base`."""

    contract: Contract
    category: str
    symbol: str
    base: str
    scale: int
    tick_digits: int  # decimals of a price; its tick is the last one
    step: float
    contract_usd: float | None  # US dollars in one contract of COIN-M

    def price(self, usd_per_coin: float) -> str:
        """Print a price, rounded to the tick."""
        return f"{usd_per_coin * self.scale:.{self.tick_digits}f}"

    def quantity(self, coins: float, usd_per_coin: float) -> str:
        """Print a quantity, at least one step: base coins, or contracts of COIN-M."""
        native = coins * usd_per_coin / self.contract_usd if self.contract_usd else coins / self.scale
        return self.amount(max(native, self.step))

    def amount(self, native: float) -> str:
        """Print an amount of base coins or contracts, rounded to the step."""
        return in_steps(native, self.step)

    def worth(self, quantity: str, price: str) -> tuple[float, float]:
        """Return coins and US dollars of a printed quantity at a printed price."""
        if self.contract_usd:
            usd = float(quantity) * self.contract_usd
            return usd / float(price) * self.scale, usd
        return float(quantity) * self.scale, float(quantity) * float(price)

    @property
    def tick(self) -> str:
        """The smallest step of a price."""
        return tick(self.tick_digits)


def listed(contract: Contract) -> Listed:
    """Return how Binance lists a contract."""
    base = BASE_COINS.get(contract.asset, contract.asset)
    scale = asset_of(base).scale
    usd = COINS.get(contract.asset, OTHER_COIN_USD) * scale
    inverse = contract.kind is ContractKind.INVERSE
    return Listed(
        contract,
        "cm" if inverse else "um",
        _symbol(base, contract),
        base,
        scale,
        tick_digits=max(0, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(usd))),
        step=1.0 if inverse else 10.0 ** round(math.log10(STEP_USD / usd)),
        contract_usd=CONTRACT_USD.get(contract.asset, OTHER_CONTRACT_USD) if inverse else None,
    )


def _symbol(base: str, contract: Contract) -> str:
    """BTCUSDT, BTCUSDT_270326, BTCUSD_PERP, BTCUSD_270326."""
    if contract.expiry_ms is not None:
        return f"{base}{contract.quote}_{datetime.fromtimestamp(contract.expiry_ms / 1000, UTC):%y%m%d}"
    return f"{base}{contract.quote}" + ("_PERP" if contract.kind is ContractKind.INVERSE else "")


def instrument(this: Listed) -> dict[str, Any]:
    """Print the facts of a contract as `exchangeInfo` does."""
    row = {
        "symbol": this.symbol,
        "pair": this.base + this.contract.quote,
        "contractType": "CURRENT_QUARTER" if this.contract.expiry_ms else "PERPETUAL",
        "deliveryDate": this.contract.expiry_ms or NO_EXPIRY,
        "onboardDate": ONBOARDED_MS,
        "baseAsset": this.base,
        "quoteAsset": this.contract.quote,
        "marginAsset": this.base if this.contract_usd else this.contract.quote,
        "pricePrecision": 8,
        "quantityPrecision": 8,
        "underlyingType": "COIN",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": this.tick, "maxPrice": "4529764", "tickSize": this.tick},
            {"filterType": "LOT_SIZE", "minQty": this.amount(this.step), "stepSize": this.amount(this.step)},
        ],
    }
    if this.contract_usd:
        return {**row, "contractStatus": "TRADING", "contractSize": round(this.contract_usd)}
    return {**row, "status": "TRADING"}


def force_order(this: Listed, one: Known, now_ms: int) -> dict[str, Any]:
    """Print a liquidation: its order, whose last fill was about half of it."""
    away = -LIMIT_AWAY if one.position is Position.LONG else LIMIT_AWAY
    order = {
        "s": one.symbol,
        "S": SIDES[one.position],
        "o": "LIMIT",
        "f": "IOC",
        "q": one.quantity,
        "p": f"{float(one.price) * (1 + away):.{this.tick_digits}f}",
        "ap": one.price,
        "X": "FILLED",
        "l": this.amount(max(float(one.quantity) / 2, this.step)),
        "z": one.quantity,
        "T": one.event_ms,
        "ps": this.base + this.contract.quote,
        "st": BOOKS[this.category],
    }
    return {"e": "forceOrder", "E": now_ms, "o": order}


def mark_price(this: Listed, quote: Quote, now_ms: int) -> dict[str, Any]:
    """Print prices and funding as the streams do; `ap` is an average of the mark price."""
    mark = this.price(quote.mark)
    prices = {"s": this.symbol, "p": mark, "ap": mark, "P": mark, "i": this.price(quote.index)}
    funding = {"r": _rate(this, quote), "T": quote.next_funding_ms or 0, "st": BOOKS[this.category]}
    return {"e": "markPriceUpdate", "E": now_ms, **prices, **funding}


def premium_index(this: Listed, quote: Quote, now_ms: int) -> dict[str, Any]:
    """Print prices and funding as `premiumIndex` does."""
    mark = this.price(quote.mark)
    return {
        "symbol": this.symbol,
        "pair": this.base + this.contract.quote,
        "markPrice": mark,
        "indexPrice": this.price(quote.index),
        "estimatedSettlePrice": mark,
        "lastFundingRate": _rate(this, quote),
        "interestRate": "0.00010000",
        "nextFundingTime": quote.next_funding_ms or 0,
        "time": now_ms,
    }


def _rate(this: Listed, quote: Quote) -> str:
    """A dated future of USD-M shows a rate of zero, one of COIN-M none."""
    if quote.funding_rate is None:
        return "" if this.contract_usd else "0.00000000"
    return f"{quote.funding_rate:.8f}"


def mini_ticker(this: Listed, quote: Quote, now_ms: int) -> dict[str, Any]:
    """Print the last price; the day before it stood still."""
    last = this.price(quote.last)
    day = {"o": last, "h": last, "l": last, "v": "0", "q": "0"}
    return {"e": "24hrMiniTicker", "E": now_ms, "s": this.symbol, "c": last, **day, "st": BOOKS[this.category]}


def agg_trades(this: Listed, trade: Trade, first: int, now_ms: int) -> list[dict[str, Any]]:
    """Print a taker's order, once for each price; the numbers of a symbol begin with `first`."""
    prints = []
    for number, (price, coins) in enumerate(trade.fills, first):
        quantity = this.quantity(coins, price)
        head = {"e": "aggTrade", "E": now_ms, "a": number, "s": this.symbol, "p": this.price(price), "q": quantity}
        tail = {"f": number, "l": number, "T": trade.event_ms, "m": not trade.taker_buys, "st": BOOKS[this.category]}
        prints.append({**head, **({} if this.contract_usd else {"nq": quantity}), **tail})
    return prints


def open_interest(this: Listed, quote: Quote) -> dict[str, Any]:
    """Print open interest: base coins, or contracts of COIN-M."""
    native = quote.open_interest / (this.contract_usd or this.scale)
    row = {"symbol": this.symbol, "openInterest": this.amount(native), "time": quote.event_ms}
    return {**row, "pair": this.base + this.contract.quote} if this.contract_usd else row

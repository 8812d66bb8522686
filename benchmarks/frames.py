"""What the benchmarks feed: raw frames as Bybit prints them, the same at each run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from random import Random
from typing import Any, NamedTuple

import orjson

from schemas.raw import RawBatch, RawFrame, Source, SourceKind

EXCHANGE = "bybit"
SEED = 7
BEGIN_MS = 1_767_225_600_000  # 2026-01-01 00:00:00, UTC
SECOND_MS = 1_000
DELAY_MS = 100  # from the exchange's clock to ours
AFTER_MS = 70_000  # how much later the last heartbeats come: they close every minute
BATCH_FRAMES = 50

INSTRUMENTS, SOCKET, OURS = range(3)  # indexes into SOURCES
SOURCES = (
    Source(SourceKind.REST, "GET https://api.bybit.com/v5/market/instruments-info?category=linear&limit=1000", ""),
    Source(SourceKind.FRAME, "wss://stream.bybit.com/v5/public/linear", "linear-0"),
    Source(SourceKind.CONTROL, "", ""),
)
HEARTBEAT = b'{"control":"heartbeat"}'
FRAMES = "frames"  # topic with one frame a record; the key is the number of its source

MINUTES_RATE, MINUTES_CONTRACTS = 1_000, 50  # frames a second of the collector's clock: a cascade over all contracts
MIX_RATE, MIX_CONTRACTS, TRADED_CONTRACTS = 5_000, 600, 12
TICKERS, TRADES = 0.70, 0.28  # of the mix; the rest are liquidations
MOST_FILLS, MOST_PRINTS = 3, 5


class Contract(NamedTuple):
    """A linear contract; `scale` coins make one base coin."""

    symbol: str
    asset: str
    base: str
    scale: int
    price: float  # as printed, about


class Print(NamedTuple):
    """One liquidation as the exchange prints it."""

    contract: Contract
    side: str  # of the position: `Buy` is a long
    quantity: str
    price: str
    event_ms: int


class Sent(NamedTuple):
    """One frame as the collector received it."""

    source: int
    received_ms: int
    payload: bytes


def contracts(count: int) -> list[Contract]:
    """Return contracts, one of them scaled."""
    draw = Random(SEED)
    bases = ["BTC", "ETH", "1000PEPE", *(f"C{number:03}X" for number in range(count - 3))]
    return [
        Contract(
            symbol=f"{base}USDT",
            asset=base.removeprefix("1000"),
            base=base,
            scale=1000 if base.startswith("1000") else 1,
            price=10 ** draw.uniform(-1, 4.5),
        )
        for base in bases[:count]
    ]


def prints(count: int) -> Iterator[Print]:
    """Yield the liquidations of the job `minutes`, the first contracts much more often than the last."""
    draw, listed = Random(SEED), contracts(MINUTES_CONTRACTS)
    weights = [1 / place for place in range(1, len(listed) + 1)]
    for number, contract in enumerate(draw.choices(listed, weights, k=count)):
        yield _print(draw, contract, BEGIN_MS + number * SECOND_MS // MINUTES_RATE)


def minutes(count: int) -> Iterator[Sent]:
    """Yield `count` frames with one liquidation each, heartbeats between them and what contracts they are about."""
    frames = (Sent(SOCKET, each.event_ms + DELAY_MS, _liquidations([each])) for each in prints(count))
    return _with_context(frames, contracts(MINUTES_CONTRACTS))


def mix(count: int) -> Iterator[Sent]:
    """Yield `count` frames of 70 % tickers, 28 % trades, 2 % liquidations of 1 to 5 prints, with their context."""
    return _with_context(_mix(count), contracts(MIX_CONTRACTS))


def batches(frames: Iterable[Sent]) -> Iterator[RawBatch]:
    """Yield what a producer publishes."""
    rest, first = iter(frames), 0
    while some := tuple(islice(rest, BATCH_FRAMES)):
        raw = [RawFrame(each.received_ms * 1_000_000, each.source, each.payload) for each in some]
        yield RawBatch.of(EXCHANGE, "benchmark", first, SOURCES, raw)
        first += len(some)


def _with_context(frames: Iterable[Sent], listed: list[Contract]) -> Iterator[Sent]:
    """Put the contracts first, a heartbeat into each second, and heartbeats that close every minute at the end."""
    yield Sent(INSTRUMENTS, BEGIN_MS, _instruments(listed))
    beat_ms = BEGIN_MS
    for frame in frames:
        while frame.received_ms >= beat_ms + SECOND_MS:
            beat_ms += SECOND_MS
            yield Sent(OURS, beat_ms, HEARTBEAT)
        yield frame
    for later_ms in (AFTER_MS, AFTER_MS + SECOND_MS, AFTER_MS + 2 * SECOND_MS):
        yield Sent(OURS, beat_ms + later_ms, HEARTBEAT)


def _mix(count: int) -> Iterator[Sent]:
    draw, listed = Random(SEED), contracts(MIX_CONTRACTS)
    quoted: set[str] = set()
    for number in range(count):
        event_ms = BEGIN_MS + number * SECOND_MS // MIX_RATE
        kind = draw.random()
        if kind < TICKERS:
            contract = draw.choice(listed)
            payload = _ticker(draw, contract, event_ms, is_first=contract.symbol not in quoted)
            quoted.add(contract.symbol)
        elif kind < TICKERS + TRADES:
            payload = _trades(draw, draw.choice(listed[:TRADED_CONTRACTS]), event_ms, number)
        else:
            contract = draw.choice(listed)
            payload = _liquidations([_print(draw, contract, event_ms) for _ in range(draw.randint(1, MOST_PRINTS))])
        yield Sent(SOCKET, event_ms + DELAY_MS, payload)


def _print(draw: Random, contract: Contract, event_ms: int) -> Print:
    side = draw.choice(("Buy", "Sell"))
    return Print(contract, side, f"{draw.uniform(0.001, 50):.3f}", _price(draw, contract), event_ms)


def _price(draw: Random, contract: Contract) -> str:
    return f"{contract.price * draw.uniform(0.98, 1.02):.4f}"


def _liquidations(each: list[Print]) -> bytes:
    data = [
        {"T": one.event_ms, "s": one.contract.symbol, "S": one.side, "v": one.quantity, "p": one.price} for one in each
    ]
    return _pushed(f"allLiquidation.{each[0].contract.symbol}", "snapshot", data, each[0].event_ms)


def _trades(draw: Random, contract: Contract, event_ms: int, sequence: int) -> bytes:
    side = draw.choice(("Buy", "Sell"))
    data = [
        {
            "T": event_ms,
            "s": contract.symbol,
            "S": side,
            "v": f"{draw.uniform(0.001, 5):.3f}",
            "p": _price(draw, contract),
            "L": "PlusTick",
            "i": f"{sequence:08x}-0000-5000-8000-{fill:012x}",
            "BT": False,
            "RPI": False,
            "seq": sequence,
        }
        for fill in range(draw.randint(1, MOST_FILLS))
    ]
    return _pushed(f"publicTrade.{contract.symbol}", "snapshot", data, event_ms)


def _ticker(draw: Random, contract: Contract, event_ms: int, *, is_first: bool) -> bytes:
    """Show some of the fields, as a delta does, or all."""
    price = _price(draw, contract)
    interest = f"{draw.uniform(1e4, 1e5):.3f}"
    parts: list[tuple[float, dict[str, str]]] = [
        (0.6, {"indexPrice": price}),
        (0.5, {"markPrice": price}),
        (0.3, {"lastPrice": price, "turnover24h": "3515096831.9640", "volume24h": "55362.9100"}),
        (0.5, {"bid1Price": price, "bid1Size": "1.760", "ask1Price": price, "ask1Size": "4.690"}),
        (0.1, {"openInterest": interest, "openInterestValue": "3811884569.16", "singleOpenInterest": interest}),
        (0.02, {"fundingRate": f"{draw.uniform(-1e-4, 1e-4):.8f}", "nextFundingTime": str(BEGIN_MS + 28_800_000)}),
    ]
    shown = {"symbol": contract.symbol}
    for chance, fields in parts:
        if is_first or draw.random() < chance:
            shown |= fields
    return _pushed(f"tickers.{contract.symbol}", "snapshot" if is_first else "delta", shown, event_ms)


def _pushed(topic: str, kind: str, data: Any, event_ms: int) -> bytes:
    return orjson.dumps({"topic": topic, "type": kind, "ts": event_ms, "data": data})


def _instruments(listed: list[Contract]) -> bytes:
    rows = [
        {
            "symbol": contract.symbol,
            "contractType": "LinearPerpetual",
            "status": "Trading",
            "baseCoin": contract.base,
            "quoteCoin": "USDT",
            "settleCoin": "USDT",
            "deliveryTime": "0",
            "leverageFilter": {"maxLeverage": "100.00"},
            "priceFilter": {"tickSize": "0.0001"},
            "lotSizeFilter": {"qtyStep": "0.001"},
            "fundingInterval": 480,
        }
        for contract in listed
    ]
    result = {"category": "linear", "list": rows, "nextPageCursor": ""}
    return orjson.dumps({"retCode": 0, "retMsg": "OK", "result": result, "time": BEGIN_MS})

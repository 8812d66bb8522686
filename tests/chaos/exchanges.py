"""What each exchange shows, withholds and delays: a table, written down a second time with none of the code under test.

The first time is `processors/normalize`. Sources are in `tests/fixtures/<exchange>/SOURCES.md`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from simulator.truth import Known


class Printed(NamedTuple):
    """What an exchange printed of a liquidation. Twins share it."""

    symbol: str
    position: str
    price: float
    quantity: float
    event_ms: int


@dataclass(frozen=True)
class Exchange:
    """How one exchange tells of liquidations."""

    channel: Callable[[Known], str]  # on which one is told, as control frames name it
    told: Callable[[Any], list[Printed]]  # the liquidations of a sound frame
    is_sound: Callable[[Any], bool]  # whether the exchange meant a frame; broken ones keep their texts at most
    longest_hold_ms: int  # from a liquidation until it is told
    check_withheld: Callable[[Sequence[Known], int], Iterator[str]]  # of the truth up to a moment: what breaks its rule
    disturbed: tuple[str, ...]  # the beginnings of topics on which garbage may come


def of_symbol(truth: Sequence[Known]) -> dict[str, list[Known]]:
    """Return the liquidations of each symbol in the order in which they happened."""
    found: dict[str, list[Known]] = defaultdict(list)
    for known in sorted(truth, key=lambda known: known.event_ms):
        found[known.symbol].append(known)
    return found


# Bybit: `allLiquidation` shows all, in batches of 500 ms; its side is that of the position.

BYBIT_POSITIONS = {"Buy": "LONG", "Sell": "SHORT"}


def _bybit_told(message: dict[str, Any]) -> list[Printed]:
    if not str(message.get("topic")).startswith("allLiquidation."):
        return []
    return [
        Printed(item["s"], BYBIT_POSITIONS[item["S"]], float(item["p"]), float(item["v"]), item["T"])
        for item in message["data"]
    ]


def _bybit_is_sound(message: Any) -> bool:
    """A time is no text."""
    time_ms = message.get("ts") if isinstance(message, dict) else None
    return isinstance(message, dict) and ("op" in message or (isinstance(time_ms, int) and time_ms > 0))


def _bybit_withheld(truth: Sequence[Known], _until_ms: int) -> Iterator[str]:
    yield from (f"{known} is withheld, and Bybit shows all" for known in truth if known.withheld)


# OKX: `liquidation-orders` samples (here: two a contract and second), in batches; its side is that of the order.

OKX_POSITIONS = {"sell": "LONG", "buy": "SHORT"}
OKX_SHOWN_A_SECOND = 2


def _okx_told(message: Any) -> list[Printed]:
    if message == "pong" or _okx_channel(message) != "liquidation-orders":
        return []
    return [
        Printed(row["instId"], OKX_POSITIONS[item["side"]], float(item["bkPx"]), float(item["sz"]), int(item["ts"]))
        for row in message.get("data", ())
        for item in row["details"]
    ]


def _okx_is_sound(message: Any) -> bool:
    """Every row has a time, which is a text of digits; the answer to a ping is the one frame that is no JSON."""
    if message == "pong":
        return True
    if not isinstance(message, dict) or "event" in message:
        return isinstance(message, dict)
    rows = message.get("data")
    return isinstance(rows, list) and bool(rows) and all(map(_okx_has_time, rows))


def _okx_has_time(row: Any) -> bool:
    details = row.get("details", [row]) if isinstance(row, dict) else None
    return isinstance(details, list) and all(str(item.get("ts")).isdecimal() for item in details)


def _okx_channel(message: dict[str, Any]) -> str:
    about = message.get("arg")
    return str(about.get("channel")) if isinstance(about, dict) else ""


def _okx_withheld(truth: Sequence[Known], until_ms: int) -> Iterator[str]:
    """The first two of a contract within a second are shown, all others are not."""
    for known_ones in of_symbol(truth).values():
        seconds: dict[int, list[Known]] = defaultdict(list)
        for known in known_ones:
            seconds[known.event_ms // 1_000].append(known)
        for second, ones in seconds.items():
            withheld = [known for known in ones if known.withheld]
            shown = [known for known in ones if not known.withheld]
            is_told = second * 1_000 + 1_000 + EXCHANGES["okx"].longest_hold_ms < until_ms
            if len(shown) > OKX_SHOWN_A_SECOND or (withheld and is_told and len(shown) < OKX_SHOWN_A_SECOND):
                yield f"{len(shown)} of {len(ones)} are shown, expected {OKX_SHOWN_A_SECOND} at most: {ones}"
            elif withheld and shown and withheld[0].event_ms < shown[-1].event_ms:
                yield f"{withheld[0]} is withheld, and {shown[-1]} is shown though it came later"


# Binance: of the orders of one symbol within a second, `!forceOrder@arr` shows the largest; its side is the order's.

BINANCE_POSITIONS = {"SELL": "LONG", "BUY": "SHORT"}
BINANCE_EVENTS = {"forceOrder", "markPriceUpdate", "24hrMiniTicker", "aggTrade"}
BINANCE_SECOND_MS = 1_000
BINANCE_STEP_USD = 100.0  # quantities are compared before they are rounded, to steps that are worth less than this
BINANCE_TICK_MS = 500  # how much later than it happened the simulated exchange may take one in, on a busy machine


def _binance_told(message: dict[str, Any]) -> list[Printed]:
    if message.get("stream") != "!forceOrder@arr":
        return []
    order = message["data"]["o"]
    position = BINANCE_POSITIONS[order["S"]]
    return [Printed(order["s"], position, float(order["ap"]), float(order["z"]), order["T"])]


def _binance_is_sound(message: Any) -> bool:
    if not isinstance(message, dict):
        return False
    if "stream" not in message:
        return "id" in message or "error" in message
    data = message.get("data")
    events = data if isinstance(data, list) else [data]
    return all(isinstance(event, dict) and str(event.get("e")) in BINANCE_EVENTS for event in events)


def _binance_withheld(truth: Sequence[Known], _until_ms: int) -> Iterator[str]:
    """A second begins with the first that comes, so of three shown ones the first and the last are a second apart."""
    for ones in of_symbol(truth).values():
        shown = [known for known in ones if not known.withheld]
        for first, last in zip(shown, shown[2:], strict=False):
            if last.event_ms - first.event_ms < BINANCE_SECOND_MS - BINANCE_TICK_MS:
                yield f"{first} and {last} are shown, and one between them"
        for known in ones:
            if known.withheld and not any(_outshines(one, known) for one in shown):
                yield f"{known} is withheld, and none as large is shown beside it"


def _outshines(shown: Known, withheld: Known) -> bool:
    apart_ms = abs(shown.event_ms - withheld.event_ms)
    is_larger = shown.notional_usd > withheld.notional_usd - BINANCE_STEP_USD
    return apart_ms <= BINANCE_SECOND_MS + BINANCE_TICK_MS and is_larger


EXCHANGES = {
    "bybit": Exchange(
        channel=lambda known: f"allLiquidation.{known.symbol}",
        told=_bybit_told,
        is_sound=_bybit_is_sound,
        longest_hold_ms=600,  # batches of 500 ms, a few late
        check_withheld=_bybit_withheld,
        disturbed=("allLiquidation", "tickers", "publicTrade"),
    ),
    "okx": Exchange(
        channel=lambda known: f"liquidation-orders:{known.category}",
        told=_okx_told,
        is_sound=_okx_is_sound,
        longest_hold_ms=600,  # the end of its 250 ms, or of the next
        check_withheld=_okx_withheld,
        disturbed=("liquidation-orders", "mark-price", "trades"),
    ),
    "binance": Exchange(
        channel=lambda _known: "!forceOrder@arr",
        told=_binance_told,
        is_sound=_binance_is_sound,
        longest_hold_ms=1_100,  # a second
        check_withheld=_binance_withheld,
        disturbed=("!forceOrder", "!markPrice", "btcusdt@aggTrade"),
    ),
}

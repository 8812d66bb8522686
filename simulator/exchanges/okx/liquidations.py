"""OKX's liquidation orders: a part of what happens, in batches, not in order, and the last ones again for newcomers.

The exchange says no more than that the channel does not show all. Here it shows at most two of a contract within one
second, and withholds the others.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from schemas.records import Position
from simulator.contracts import Contract
from simulator.events import Liquidation
from simulator.exchanges.okx.printing import Listed, Row
from simulator.sockets import Client, Clients
from simulator.truth import Known, Truth, known

EXCHANGE, CHANNEL = "okx", "liquidation-orders"
TYPES = ("SWAP", "FUTURES", "MARGIN", "OPTION")
SHOWN_A_SECOND = 2  # of one contract
BATCH_MS = 250
SLOW_EVERY, NET_EVERY = 4, 3  # so many share a slower source; so many positions are in net mode
KEPT = 100  # of a type, for REST; their last are told to newcomers
REPLAYED = 10
SIDES = {Position.LONG: "sell", Position.SHORT: "buy"}  # of the order that closes the position


class Liquidations:
    """Samples liquidations, tells them in batches, and remembers the last."""

    def __init__(self, listed: Mapping[Contract, Listed], clients: Clients, truth: Truth) -> None:
        self._listed, self._clients, self._truth = listed, clients, truth
        self._shown: dict[Contract, tuple[int, int]] = {}  # the newest second of a contract, and how many it showed
        self._waiting: list[tuple[int, Liquidation]] = []  # with the number of the batch they are due in
        self._told: dict[str, deque[Known]] = {category: deque(maxlen=KEPT) for category in TYPES}

    def take(self, event: Liquidation, now_ms: int) -> None:
        """Let a liquidation wait for its batch, or withhold it."""
        second = event.event_ms // 1_000
        newest, count = self._shown.get(event.contract, (0, 0))
        count = count + 1 if newest == second else 1
        self._shown[event.contract] = second, count
        if count > SHOWN_A_SECOND:
            self._truth.write([known(EXCHANGE, self._listed[event.contract], event, 0, withheld=True)])
            return
        batch = now_ms // BATCH_MS + (2 if event.event_ms % SLOW_EVERY == 0 else 1)
        self._waiting.append((batch, event))

    def tell(self, now_ms: int) -> None:
        """Send the batches that are due, one frame for each type."""
        batch = now_ms // BATCH_MS
        due = [event for number, event in self._waiting if number <= batch]
        self._waiting = [(number, event) for number, event in self._waiting if number > batch]
        for category in ("SWAP", "FUTURES"):
            self._tell(category, [event for event in due if self._listed[event.contract].category == category])

    def replay(self, client: Client, category: str) -> None:
        """Tell a newcomer the last ones of a type."""
        last = list(self._told[category])[-REPLAYED:]
        if last:
            self._clients.tell(client, f"{CHANNEL}:{category}", _frame(category, last))

    def history(self, category: str, family: str) -> list[Row]:
        """Return the last ones of a family as REST prints them, newest first."""
        kept = [one for one in self._told[category] if _family(one) == family]
        kept.sort(key=lambda one: one.event_ms, reverse=True)
        return [{**row, "totalLoss": "0"} for row in _rows(kept)]

    def _tell(self, category: str, events: list[Liquidation]) -> None:
        topic = f"{CHANNEL}:{category}"
        sent_ns = time.time_ns() if self._clients.listens(topic) else 0
        facts = [known(EXCHANGE, self._listed[event.contract], event, sent_ns) for event in events]
        self._truth.write(facts)  # first: who is killed now has sent nothing that the file does not know
        self._told[category].extend(facts)
        if facts and sent_ns:
            self._clients.publish(topic, _frame(category, facts))


def printed(one: Known) -> Row:
    """Print one liquidation: `side` is that of the order, `posSide` that of the position, or `net`."""
    return {
        "bkLoss": "0",
        "bkPx": one.price,
        "ccy": "",
        "posSide": "net" if one.event_ms % NET_EVERY == 0 else one.position.lower(),
        "side": SIDES[one.position],
        "sz": one.quantity,
        "ts": str(one.event_ms),
    }


def _frame(category: str, facts: Iterable[Known]) -> bytes:
    return orjson.dumps({"arg": {"channel": CHANNEL, "instType": category}, "data": _rows(facts)})


def _rows(facts: Iterable[Known]) -> list[Row]:
    """Return one row for each contract, with a detail for each liquidation."""
    details: dict[str, tuple[Known, list[dict[str, Any]]]] = {}
    for one in facts:
        details.setdefault(one.symbol, (one, []))[1].append(printed(one))
    return [
        {
            "details": rows,
            "instFamily": _family(one),
            "instId": one.symbol,
            "instType": one.category,
            "uly": _family(one),
        }
        for one, rows in details.values()
    ]


def _family(one: Known) -> str:
    return one.symbol.rpartition("-")[0]

"""Finds the minutes that do not add up: their row says something else than the liquidations in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas.records import Liquidation

from .stored import liquidations, moment

# Both sides as the same numbers: counts, coins, dollars, prices, the worst quality; -1 stands for what is not proven.
# The exact sums depend on the order of the summands, so sums that differ in the last digits are alike.
DIFFERING = """
SELECT exchange, symbol, any(asset), minute_ms, max(version), max(newest_ms)
FROM
(
    SELECT exchange, symbol, any(asset) AS asset,
        intDiv(toUnixTimestamp64Milli(event_time), 60000) * 60000 AS minute_ms,
        toUInt64(0) AS version, max(toUnixTimestamp64Milli(received_time)) AS newest_ms,
        arrayMap(x -> if(isNaN(x), -1, x), [
            toFloat64(countIf(position = 'LONG')), toFloat64(countIf(position = 'SHORT')),
            sumIf(ifNull(quantity_base, nan), position = 'LONG'), sumIf(ifNull(quantity_base, nan), position = 'SHORT'),
            sumIf(ifNull(notional_usd, nan), position = 'LONG'), sumIf(ifNull(notional_usd, nan), position = 'SHORT'),
            min(price), max(price), toFloat64(max(if(source_quality = 'UNKNOWN', 7, toInt8(source_quality))))
        ]) AS facts
    FROM {database}.v_liquidations
    WHERE {exchange} event_time >= {from} AND event_time < {to}
    GROUP BY exchange, symbol, minute_ms
    UNION ALL
    SELECT exchange, symbol, asset, toUnixTimestamp64Milli(minute_time) AS minute_ms,
        version, toUnixTimestamp64Milli(received_time) AS newest_ms,
        [
            toFloat64(long_count), toFloat64(short_count),
            ifNull(long_base, -1), ifNull(short_base, -1), ifNull(long_usd, -1), ifNull(short_usd, -1),
            price_low, price_high, toFloat64(if(source_quality = 'UNKNOWN', 7, toInt8(source_quality)))
        ] AS facts
    FROM {database}.minutes FINAL
    WHERE {exchange} minute_time >= {from} AND minute_time < {to}
)
GROUP BY exchange, symbol, minute_ms
HAVING if(count() = 1,
    any(facts)[1] + any(facts)[2] > 0,
    uniqExact(asset) > 1 OR arrayExists(
        (a, b) -> abs(a - b) > 1e-9 * greatest(abs(a), abs(b)), groupArray(facts)[1], groupArray(facts)[2]))
ORDER BY minute_ms, exchange, symbol
"""


class Differing(NamedTuple):
    """A minute whose row is not the sum of its liquidations, or is missing, or should be."""

    exchange: str
    symbol: str
    asset: str
    minute_ms: int
    version: int  # of its row; 0 where it has none
    received_ms: int  # of the newest frame behind it


def differing(client: Any, database: str, from_ms: int, to_ms: int, exchange: str = "") -> list[Differing]:
    """Return the differing minutes of a stretch of event time that begins and ends with a minute, oldest first."""
    query = (
        DIFFERING.replace("{database}", database)
        .replace("{exchange}", "exchange = %(exchange)s AND" if exchange else "")
        .replace("{from}", moment("from_ms"))
        .replace("{to}", moment("to_ms"))
    )
    rows = client.execute(query, {"exchange": exchange, "from_ms": from_ms, "to_ms": to_ms})
    return [Differing(*row) for row in rows]


def liquidations_in(client: Any, database: str, minutes: Sequence[Differing]) -> list[list[Liquidation]]:
    """Return the liquidations of each minute, in the order in which they lie in raw."""
    places = {(each.exchange, each.symbol, each.minute_ms): number for number, each in enumerate(minutes)}
    where = f"""
    event_time >= {moment("from_ms")} AND event_time < {moment("to_ms")}
    AND (exchange, symbol, intDiv(toUnixTimestamp64Milli(event_time), 60000) * 60000) IN %(places)s
    """
    times = [each.minute_ms for each in minutes]
    parameters = {"places": tuple(places), "from_ms": min(times), "to_ms": max(times) + 60_000}
    found: list[list[Liquidation]] = [[] for _ in minutes]
    for each in liquidations(client, database, where, parameters):
        found[places[each.exchange, each.symbol, each.event_ms - each.event_ms % 60_000]].append(each)
    for known in found:
        known.sort(key=lambda each: (each.received_ms, each.raw_offset, each.raw_index, each.id))
    return found

"""Frames that are kept as they arrived: the one behind each liquidation, and those that nobody understood."""

from __future__ import annotations

from schemas.records import DeadLetter, Evidence, Liquidation

from .facts import BadFrame, Frame
from .parking import Letter

PAYLOAD_LIMIT = 64 << 10  # a page of history can be larger, and stands behind each of its rows
REASON_LIMIT = 500  # characters of a dead letter's reason; its payload is there in full


def evidence(liquidation: Liquidation, frame: Frame) -> Evidence:
    """Return the frame behind a liquidation."""
    return Evidence(
        liquidation.exchange,
        liquidation.symbol,
        liquidation.asset,
        liquidation.event_ms,
        liquidation.received_ms,
        liquidation.id,
        frame.url,
        frame.partition,
        frame.offset,
        frame.index,
        len(frame.payload) > PAYLOAD_LIMIT,
        frame.payload[:PAYLOAD_LIMIT],
    )


def dead_letter(exchange: str, stage: str, frame: Frame, bad: BadFrame, letter: Letter) -> DeadLetter:
    """Return a frame that the stage could not understand."""
    return DeadLetter(
        exchange=exchange,
        stage=stage,
        channel=bad.channel,
        reason=str(bad)[:REASON_LIMIT],
        source=frame.url,
        topic="raw",
        partition=frame.partition,
        offset=frame.offset,
        index=frame.index,
        received_ms=frame.received_ms,
        is_parked=letter.is_parked,
        suppressed=letter.suppressed,
        payload=frame.payload,
    )

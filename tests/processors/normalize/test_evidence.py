from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from processors.normalize.evidence import PAYLOAD_LIMIT, evidence
from processors.normalize.facts import Frame
from schemas.avro import decode, encode
from schemas.raw import SourceKind
from schemas.records import Evidence

from ..tiny import at, frame, liquidation, quote, raw, tiny_stage

ONE, OTHER = liquidation(1, number=1), liquidation(1, number=2, symbol="ETHUSDT", asset="ETH")


def kept(frames: Sequence[Frame]) -> list[tuple[Evidence, str | None]]:
    """Return what a stage keeps as evidence, with the key."""
    stage = tiny_stage(["evidence"])
    told = [publication for one in frames for publication in stage.receive(one)]
    return [(told_one.record, told_one.key) for told_one in told if isinstance(told_one.record, Evidence)]


def test_each_liquidation_has_its_frame_byte_for_byte() -> None:
    shown = replace(frame(ONE, quote(1, 50.0), OTHER, received_s=1.5), url="wss://tiny/x", offset=9, index=3)
    [(first, key), (second, other_key)] = kept([shown])
    assert first == Evidence(
        "tiny", "BTCUSDT", "BTC", at(1), ONE.received_ms, ONE.id, "wss://tiny/x", 1, 9, 3, False, shown.payload
    )
    assert (second.id, second.payload, key, other_key) == (OTHER.id, shown.payload, "BTC", "ETH")


def test_a_repeat_and_a_frame_without_liquidations_are_no_evidence() -> None:
    again = frame(ONE, received_s=2, kind=SourceKind.REST)
    assert [record.id for record, _ in kept([frame(ONE, received_s=1), again, frame(quote(3), received_s=3)])] == [
        ONE.id
    ]


def test_bytes_that_are_no_text_survive_the_topic() -> None:
    payload = bytes(range(256))
    record = evidence(ONE, raw(payload, received_s=1))
    assert decode(encode(record), Evidence) == record
    assert record.payload == payload


def test_a_long_frame_is_cut_and_says_so() -> None:
    longest, longer = (evidence(ONE, raw(b"x" * size, received_s=1)) for size in (PAYLOAD_LIMIT, PAYLOAD_LIMIT + 1))
    assert [(len(one.payload), one.is_cut) for one in (longest, longer)] == [
        (PAYLOAD_LIMIT, False),
        (PAYLOAD_LIMIT, True),
    ]

"""Fixtures of an exchange and the facts they mean: `python -m tests.golden` writes what is then read by eye."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from processors.normalize.facts import BadFrame, Fact, Frame, Normalizer
from processors.normalize.registry import NORMALIZERS
from schemas.exchanges import RAW_PARTITION
from schemas.raw import SourceKind

FIXTURES = Path(__file__).parent / "fixtures"
GOLDEN = ".records.jsonl"


class Line(msgspec.Struct):
    """A line of a fixture, in the form that `liq normalize` reads."""

    received_ns: int
    source: str
    payload: str


def fixtures() -> list[Path]:
    """Return the files of frames of all exchanges."""
    return sorted(path for path in FIXTURES.glob("*/*.jsonl") if not path.name.endswith(GOLDEN))


def golden(fixture: Path) -> Path:
    """Return the file of facts beside a file of frames."""
    return fixture.with_name(fixture.stem + GOLDEN)


def frames(fixture: Path) -> list[Frame]:
    """Return the frames of a file; offset 1 is its first line, and each source is one connection."""
    lines = msgspec.json.Decoder(Line).decode_lines(fixture.read_bytes())
    return [_frame(fixture.parent.name, number, line) for number, line in enumerate(lines, 1)]


def _frame(exchange: str, number: int, line: Line) -> Frame:
    kind = SourceKind.REST if line.source.startswith("GET ") else SourceKind.FRAME
    received_ms = line.received_ns // 1_000_000
    return Frame(line.payload.encode(), received_ms, kind, line.source, line.source, RAW_PARTITION[exchange], number, 0)


def outcome(normalizer: Normalizer, frame: Frame) -> Sequence[Fact] | BadFrame:
    """Return the facts of a frame, or why it has none."""
    try:
        return normalizer.normalize(frame)
    except BadFrame as bad:
        return bad


def facts(fixture: Path) -> Iterator[dict[str, Any]]:
    """Yield each fact with the number of its line; a frame that is not understood gives a `BadFrame`."""
    normalizer = NORMALIZERS[fixture.parent.name]()
    for frame in frames(fixture):
        found = outcome(normalizer, frame)
        if isinstance(found, BadFrame):
            yield {"line": frame.offset, "record": "BadFrame", "channel": found.channel, "reason": str(found)}
        else:
            for fact in found:
                yield {"line": frame.offset, "record": type(fact).__name__, **fields(fact)}


def fields(fact: Fact) -> dict[str, Any]:
    """Return the fields of a fact as plain values."""
    return fact._asdict() if isinstance(fact, tuple) else msgspec.to_builtins(fact)


def expected(fixture: Path) -> list[dict[str, Any]]:
    """Return the facts that a reader has found right."""
    return msgspec.json.Decoder(dict[str, Any]).decode_lines(golden(fixture).read_bytes())


def main() -> None:
    """Write the facts of all fixtures."""
    for fixture in fixtures():
        golden(fixture).write_bytes(msgspec.json.Encoder().encode_lines(facts(fixture)))


if __name__ == "__main__":
    main()

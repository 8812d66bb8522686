"""Frames as no exchange should send them, made from those it does send."""

from __future__ import annotations

from random import Random

STRANGE = (
    b"null",
    b'""',
    b'"NaN"',
    b"Infinity",
    b"-1",
    b'"-1"',
    b"1e999",
    b"[]",
    b"{}",
    b"true",
    b"\xff",
    b"\\",
    b"9" * 400,
    b'"' + b"7" * 70 + b'"',
    b'"\xc3\x28"',
    b'"\\ud800"',
    b"[[[[[[[[]]]]]]]]",
)
HUGE_PART = 1 / 5_000  # of all frames: they cost a hundred times as much as others
NESTED, LONG = 100_000, 1 << 20


def mutated(payload: bytes, random: Random) -> bytes:
    """Cut the payload, change bytes, double a part, put something strange in place of a part, or swell it."""
    start, end = sorted(random.randrange(len(payload) + 1) for _ in range(2))
    if random.random() < HUGE_PART:
        return payload[:start] + _huge(random) + payload[end:]
    match random.randrange(6):
        case 0:
            return payload[:start]
        case 1:
            return payload[:start] + bytes([random.randrange(256)]) + payload[start + 1 :]
        case 2:
            return payload[:end] + payload[start:]
        case 3:
            return payload[:start] + random.choice(STRANGE) + payload[end:]
        case 4:
            return _other_digit(payload, random)
        case _:
            return _in_place_of_a_value(payload, random)


def _in_place_of_a_value(payload: bytes, random: Random) -> bytes:
    """Keep the JSON whole, as an exchange would that changes a field."""
    parts = payload.split(b",")
    at = random.randrange(len(parts))
    name, colon, _ = parts[at].rpartition(b":")
    parts[at] = name + colon + random.choice(STRANGE)
    return b",".join(parts)


def _other_digit(payload: bytes, random: Random) -> bytes:
    """Keep everything whole but one digit: mostly a true frame with another number."""
    places = [place for place, byte in enumerate(payload[:2_000]) if 48 <= byte <= 57]
    if not places:
        return payload[::-1]
    at = random.choice(places)
    return payload[:at] + str(random.randrange(10)).encode() + payload[at + 1 :]


def _huge(random: Random) -> bytes:
    return random.choice((b"[" * NESTED, b'{"a":' * NESTED, b'"' + b"x" * LONG + b'"', b"1" * LONG, b"\x00" * LONG))

"""Bytes of the protocol: numbers and texts, read from a peer or written for it."""

from collections.abc import Callable

MAX_BLOCK_BYTES = 1 << 29  # a longer block ends the session
MAX_NAME_BYTES = 1 << 16


class Malformed(Exception):
    """The peer sent bytes that are not the protocol, or a type that cannot be measured."""


class Reader:
    """Reads what `pull` returns (empty bytes: the end); `take` hands back everything passed since the last `mark`."""

    def __init__(self, pull: Callable[[], bytes]) -> None:
        self._pull = pull
        self._buffer = b""
        self._at = 0
        self._start = 0  # of what `take` will return, in this buffer
        self._parts: list[bytes] = []  # of what `take` will return, from earlier buffers
        self._kept_bytes = 0

    def pull(self) -> None:
        """Goes on to the next buffer, for a caller at the end of this one. Raises EOFError where there is none."""
        self._parts.append(self._buffer[self._start :])
        self._kept_bytes += len(self._parts[-1])
        if self._kept_bytes > MAX_BLOCK_BYTES:
            raise Malformed(f"a block of more than {MAX_BLOCK_BYTES} bytes")
        self._buffer = self._pull()
        self._at = self._start = 0
        if not self._buffer:
            raise EOFError

    def mark(self) -> None:
        self._start = self._at
        self._kept_bytes = 0
        self._parts.clear()

    def take(self) -> bytes:
        self._parts.append(self._buffer[self._start : self._at])
        data = b"".join(self._parts) if len(self._parts) > 1 else self._parts[0]
        self.mark()
        return data

    def forget(self) -> None:
        """Drops what was pulled and not read."""
        self._at = len(self._buffer)
        self.mark()

    def at_end(self) -> bool:
        return self._at == len(self._buffer)

    def skip(self, size: int) -> None:
        while size > (have := len(self._buffer) - self._at):
            size -= have
            self.pull()
        self._at += size

    def exact(self, size: int, limit: int = MAX_BLOCK_BYTES) -> bytes:
        if size > limit:
            raise Malformed(f"a length of {size}, at most {limit} is accepted")
        parts = []
        while size > (have := len(self._buffer) - self._at):
            parts.append(self._buffer[self._at :])
            size -= have
            self.pull()
        self._at += size
        parts.append(self._buffer[self._at - size : self._at])
        return b"".join(parts)

    def byte(self) -> int:
        return self.exact(1)[0]

    def uint64(self) -> int:
        return int.from_bytes(self.exact(8), "little")

    def varint(self) -> int:
        value = 0
        for shift in range(0, 63, 7):
            part = self.byte()
            value |= (part & 127) << shift
            if part < 128:
                return value
        raise Malformed("a number of more than 9 bytes")

    def text(self, limit: int = MAX_NAME_BYTES) -> str:
        return self.exact(self.varint(), limit).decode("utf-8", "surrogateescape")

    def skip_strings(self, count: int) -> None:
        """Steps over `count` strings: the hot loop, since strings alone have no fixed width."""
        buffer, at, end = self._buffer, self._at, len(self._buffer)
        for _ in range(count):
            if at < end and (size := buffer[at]) < 128 and at + size < end:
                at += size + 1
                continue
            self._at = at
            self.skip(self.varint())
            buffer, at, end = self._buffer, self._at, len(self._buffer)
        self._at = at


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value: str) -> bytes:
    raw = value.encode("utf-8", "surrogateescape")
    return varint(len(raw)) + raw

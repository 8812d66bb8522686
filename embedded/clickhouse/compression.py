"""Compressed frames of the native protocol: checksum, method, sizes, content."""

import struct
from collections.abc import Iterator

import zstd
from clickhouse_cityhash.cityhash import CityHash128
from lz4.block import LZ4BlockError, compress, decompress  # type: ignore[attr-defined]  # lz4 lists no exports

from embedded.clickhouse.reader import MAX_BLOCK_BYTES, Malformed, Reader

LZ4, ZSTD, PLAIN = 0x82, 0x90, 0x02
FRAME_BYTES = 1 << 20
CHECKSUM_BYTES, HEAD_BYTES = 16, 9


def read_frame(reader: Reader) -> tuple[int, bytes]:
    """The next frame's method and content."""
    reader.mark()
    head = reader.exact(CHECKSUM_BYTES + HEAD_BYTES)
    method, size, content_size = struct.unpack_from("<BII", head, CHECKSUM_BYTES)
    if not HEAD_BYTES <= size <= MAX_BLOCK_BYTES or content_size > MAX_BLOCK_BYTES:
        raise Malformed(f"a frame of {size} bytes for {content_size}")
    body = reader.exact(size - HEAD_BYTES)
    reader.mark()
    if _checksum(head[CHECKSUM_BYTES:] + body) != head[:CHECKSUM_BYTES]:
        raise Malformed("a frame with a wrong checksum")
    return method, _decompress(method, body, content_size)


def frames(data: bytes, method: int) -> Iterator[bytes]:
    for start in range(0, len(data), FRAME_BYTES):
        content = data[start : start + FRAME_BYTES]
        body = _compress(method, content)
        frame = struct.pack("<BII", method, len(body) + HEAD_BYTES, len(content)) + body
        yield _checksum(frame) + frame


def _compress(method: int, content: bytes) -> bytes:
    if method == LZ4:
        return bytes(compress(content, store_size=False))
    if method == ZSTD:
        return bytes(zstd.compress(content, 1))
    return content


def _decompress(method: int, body: bytes, content_size: int) -> bytes:
    if method == PLAIN:
        return body
    try:
        if method == LZ4:
            return bytes(decompress(body, uncompressed_size=content_size))
        if method == ZSTD:
            return bytes(zstd.decompress(body))
    except (LZ4BlockError, zstd.Error) as e:
        raise Malformed(f"a frame that cannot be decompressed: {e}") from e
    raise Malformed(f"compression method {method}")


def _checksum(data: bytes) -> bytes:
    number: int = CityHash128(data)
    return struct.pack("<QQ", number >> 64, number & (1 << 64) - 1)

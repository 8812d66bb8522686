"""Which partition a key belongs to: the murmur2 of Kafka's Java client, as every client of ours uses it."""

from __future__ import annotations

from functools import lru_cache

PARTITIONER = "murmur2_random"  # its name in librdkafka, for producers: a key lies in one partition, whoever writes
SEED = 0x9747B28C
M = 0x5BD1E995
WORD = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the 32-bit murmur2 hash."""
    h = SEED ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * M & WORD
        k = (k ^ k >> 24) * M & WORD
        h = h * M & WORD ^ k
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * M & WORD
    h = (h ^ h >> 13) * M & WORD
    return h ^ h >> 15


@lru_cache(65_536)
def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a text key."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions

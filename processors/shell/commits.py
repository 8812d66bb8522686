"""How far groups have committed, for whoever watches them.

Read with aiokafka: confluent-kafka 2.16 takes the notes of our commits for something else, and may crash on them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaError,
    NotCoordinatorError,
)

from .connection import Client, aiokafka_settings

PASSING = (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError)
LIMIT_S = 10.0
PAUSE_S = 0.2

Committed = dict[tuple[str, int], int]  # by full topic name and partition: the next record to read


class Unanswered(RuntimeError):
    """Kafka does not say how far groups have committed."""


def committed(client: Client, groups: Iterable[str]) -> dict[str, Committed]:
    """Return what each group has committed, nothing for one that never did; raise `Unanswered`."""
    try:
        return asyncio.run(_committed(aiokafka_settings(client), list(groups)))
    except KafkaError as error:
        raise Unanswered(str(error)) from error


async def _committed(settings: dict[str, Any], groups: list[str]) -> dict[str, Committed]:
    admin = AIOKafkaAdminClient(**settings)
    await admin.start()
    try:
        return {group: await _of(admin, group) for group in groups}
    finally:
        await admin.close()


async def _of(admin: AIOKafkaAdminClient, group: str) -> Committed:
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            found = await admin.list_consumer_group_offsets(group)
        except PASSING:  # a broker that has just started
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(PAUSE_S)
        else:
            return {(tp.topic, tp.partition): mark.offset for tp, mark in found.items() if mark.offset >= 0}

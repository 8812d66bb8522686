"""Turns that keep their distance."""

from __future__ import annotations

import asyncio

from producers.pace import Pace


async def is_waiting(turn: asyncio.Task[None]) -> bool:
    """Say whether a turn is not taken after a while."""
    await asyncio.wait([turn], timeout=0.05)
    waits = not turn.done()
    turn.cancel()
    return waits


async def test_the_first_turn_comes_at_once_and_the_next_after_the_gap() -> None:
    pace = Pace(600.0)
    await pace.turn()
    assert await is_waiting(asyncio.create_task(pace.turn()))


async def test_without_a_gap_nobody_waits() -> None:
    pace = Pace(0.0)
    for _ in range(1000):
        await pace.turn()


async def test_turns_come_in_the_order_asked_for() -> None:
    pace, taken = Pace(0.001), list[int]()

    async def take(number: int) -> None:
        await pace.turn()
        taken.append(number)

    await asyncio.gather(*(take(number) for number in range(20)))
    assert taken == list(range(20))


async def test_a_pause_holds_for_who_waits_already() -> None:
    pace = Pace(0.02)
    await pace.turn()
    waiting = asyncio.create_task(pace.turn())
    await asyncio.sleep(0)
    pace.pause(600.0)
    assert await is_waiting(waiting)


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    pace = Pace(0.0)
    pace.pause(600.0)
    pace.pause(0.0)
    assert await is_waiting(asyncio.create_task(pace.turn()))

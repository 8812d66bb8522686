from __future__ import annotations

import pytest
from msgspec.structs import replace

from processors.normalize import parking as module
from processors.normalize.parking import PARK_AFTER, QUIET_MS, SAMPLE, Letter, Parking
from processors.pieces import pack, unpack

from ..tiny import raw

TRADES = raw(b'{"topic": "trades.BTCUSDT"}', received_s=0)
OPEN, PARKED = Letter(False, 0), Letter(True, 0)


def fail(parking: Parking, times: int, channel: str = "trades", received_ms: int = 0) -> list[Letter]:
    """Return the dead letters of so many failures."""
    letters = (parking.failed(channel, received_ms) for _ in range(times))
    return [letter for letter in letters if letter]


def test_a_channel_that_fails_in_a_row_is_parked_and_sampled() -> None:
    parking = Parking()
    assert fail(parking, PARK_AFTER - 1) == [OPEN] * (PARK_AFTER - 1)
    assert parking.parked == 0
    assert fail(parking, 1) == [PARKED]
    assert parking.parked == 1
    assert fail(parking, 2 * SAMPLE) == [Letter(True, SAMPLE - 1)] * 2
    assert parking.suppressed == 2 * SAMPLE - 2


def test_a_frame_of_the_channel_that_maps_ends_the_parking_and_nothing_is_left_uncounted() -> None:
    parking = Parking()
    fail(parking, PARK_AFTER + 5)
    parking.mapped(raw(b"tickers", received_s=0))
    assert parking.parked == 1
    parking.mapped(TRADES)
    assert (parking.parked, parking.failing) == (0, {})
    assert fail(parking, 2) == [Letter(False, 5), OPEN]


def test_a_frame_of_a_channel_with_a_longer_name_does_not_end_the_parking() -> None:
    parking = Parking()
    fail(parking, PARK_AFTER, "tickers")
    parking.mapped(replace(TRADES, payload=b'{"channel":"index-tickers"}'))
    assert parking.parked == 1
    parking.mapped(replace(TRADES, payload=b'{"channel":"tickers"}'))
    assert parking.parked == 0


def test_channels_fail_apart() -> None:
    parking = Parking()
    fail(parking, PARK_AFTER, "trades")
    assert fail(parking, 1, "tickers") == [OPEN]


def test_the_request_of_an_answer_names_its_channel_too() -> None:
    parking = Parking()
    fail(parking, PARK_AFTER, "/v5/tickers")
    parking.mapped(replace(raw(b"{}", received_s=0), url="GET https://host/v5/tickers?category=linear"))
    assert parking.parked == 0


def test_what_has_no_name_is_parked_until_it_is_quiet() -> None:
    parking = Parking()
    assert fail(parking, PARK_AFTER + 3, "") == [*[OPEN] * (PARK_AFTER - 1), PARKED]
    parking.mapped(TRADES)
    assert fail(parking, 1, "", received_ms=QUIET_MS) == []
    assert fail(parking, 1, "", received_ms=2 * QUIET_MS + 1) == [Letter(False, 4)]


def test_garbage_that_invents_names_shares_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHANNELS", 2)
    parking = Parking()
    letters = [letter for number in range(50) if (letter := parking.failed(f"invented{number}", 0))]
    assert len(letters) == 2 + PARK_AFTER
    assert len(parking.tables()["parking"]) == 3
    assert fail(parking, 1, "trades", received_ms=QUIET_MS + 1) == [OPEN]
    assert [letter.is_parked for letter in fail(parking, PARK_AFTER, "trades", received_ms=QUIET_MS + 1)][-1]


def test_a_restart_changes_nothing() -> None:
    steady, restarted = Parking(), Parking()
    fail(steady, PARK_AFTER + 5)
    fail(steady, 3, "")
    restarted.load(unpack(pack(steady.tables())))
    assert (restarted.parked, restarted.failing) == (steady.parked, steady.failing)
    assert fail(restarted, SAMPLE) == fail(steady, SAMPLE)

"""Thousands of damaged frames, as `make fuzz` sends millions; and that it would notice what it looks for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from processors.normalize.bybit import Bybit
from processors.normalize.facts import Fact, Frame
from processors.normalize.registry import NORMALIZERS
from schemas.records import Liquidation

from .run import Fuzz

FRAMES = 3_000


class Lying(Bybit):
    """Takes a price of nothing for a price."""

    def normalize(self, frame: Frame) -> Sequence[Fact]:
        """Return prices of 0 now and then."""
        facts = super().normalize(frame)
        return [replace(fact, price=0.0) if isinstance(fact, Liquidation) else fact for fact in facts]


class Crashing(Bybit):
    """Does not expect text that is no UTF-8."""

    def normalize(self, frame: Frame) -> Sequence[Fact]:
        """Decode first."""
        frame.payload.decode()
        return super().normalize(frame)


class Forgetful(Bybit):
    """Has the side of a liquidation depend on what came before."""

    def normalize(self, frame: Frame) -> Sequence[Fact]:
        """Turn every other liquidation around."""
        self.turned = not getattr(self, "turned", False)
        facts = super().normalize(frame)
        return [replace(fact, id="0" * 32) if self.turned and isinstance(fact, Liquidation) else fact for fact in facts]


@pytest.mark.parametrize("exchange", sorted(NORMALIZERS))
def test_a_damaged_frame_is_a_dead_letter_a_parked_one_or_valid_and_harms_no_other(exchange: str) -> None:
    fuzz = Fuzz(exchange, NORMALIZERS[exchange](), seed=1)
    fuzz.run(FRAMES)
    assert (fuzz.witness.lies, fuzz.harmed) == ([], [])
    assert fuzz.witness.counts["bad"] > FRAMES / 4
    assert fuzz.witness.counts["valid"] > FRAMES / 20


def test_an_impossible_value_is_noticed() -> None:
    fuzz = Fuzz("bybit", Lying(), seed=1)
    fuzz.run(100)
    assert fuzz.witness.lies


def test_a_crash_is_noticed() -> None:
    with pytest.raises(UnicodeDecodeError):
        Fuzz("bybit", Crashing(), seed=1).run(FRAMES)


def test_harm_to_true_frames_is_noticed() -> None:
    fuzz = Fuzz("bybit", Forgetful(), seed=1)
    fuzz.run(100)
    assert fuzz.harmed

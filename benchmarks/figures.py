"""What a benchmark found: figures, and bars that some of them have to meet."""

from __future__ import annotations

from statistics import median

import msgspec


class Figure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One number with its unit; `at_most` or `at_least` is its bar."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def passed(self) -> bool:
        """Say whether it meets its bar; without a bar it does."""
        is_low = self.at_most is None or self.value <= self.at_most
        is_high = self.at_least is None or self.value >= self.at_least
        return is_low and is_high

    @property
    def line(self) -> str:
        """Return it for people."""
        text = f"{self.name:<64} {self.value:>12,.2f} {self.unit}"
        if self.at_most is not None:
            return f"{text}, at most {self.at_most:g}: {self._verdict}"
        if self.at_least is not None:
            return f"{text}, at least {self.at_least:g}: {self._verdict}"
        return text

    @property
    def _verdict(self) -> str:
        return "passed" if self.passed else "MISSED"


def middle(values: list[float]) -> float:
    """Return the median."""
    return float(median(values))


def percentile(values: list[float], part: float) -> float:
    """Return the value that `part` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

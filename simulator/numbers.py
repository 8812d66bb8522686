"""Numbers as exchanges print them: whole ticks and steps, with no more decimals than these have."""

from __future__ import annotations

import math


def in_steps(amount: float, step: float) -> str:
    """Print an amount, rounded to the step, which is a power of ten."""
    return f"{round(amount / step) * step:.{max(0, -round(math.log10(step)))}f}"


def tick(decimals: int) -> str:
    """Print the smallest step of a price with so many decimals."""
    return f"{10.0**-decimals:.{decimals}f}"

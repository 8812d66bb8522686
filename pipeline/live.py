"""What a person sees while everything runs: live counts by stage, redrawn on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .settings import Settings

if TYPE_CHECKING:
    from .run import Running

LINE_EVERY_S = 10.0
UP_AND_CLEAR = "\x1b[{}A\x1b[J"


class Display:
    """Shows reports on stdout; quiet where stdout belongs to one JSON object: then a line on stderr."""

    def __init__(self, settings: Settings, quiet: bool) -> None:
        """Choose between a redrawn table and lines."""
        self._mark = "SIMULATED" if settings.market == "sim" else "live"
        self._out = sys.stderr if quiet else sys.stdout
        self._redraws = self._out.isatty()
        self._drawn = 0
        self._shown_at = float("-inf")
        self._before: tuple[float, int] = (time.monotonic(), 0)
        self._first_row_s: float | None = None

    def show(self, parts: Running) -> None:
        """Show the counts if it is time to."""
        now = time.monotonic()
        due = self._redraws or now - self._shown_at >= LINE_EVERY_S
        if not due and self._first_row_s is not None:
            return
        report = parts.report()
        if self._first_row_s is None and any(report["rows"].values()):
            self._first_row_s = now - parts.started
            self._write(f"{self._mark}: first rows in ClickHouse {self._first_row_s:.1f} s after the start\n")
        if due:
            self._shown_at = now
            self._draw(report, self._rate(now, report["frames"]))

    def _rate(self, now: float, frames: int) -> float:
        then, before = self._before
        self._before = (now, frames)
        return (frames - before) / max(now - then, 1e-3)

    def _draw(self, report: Mapping[str, Any], rate: float) -> None:
        lines = table(report, self._mark, rate) if self._redraws else [one_line(report, self._mark, rate)]
        erase = UP_AND_CLEAR.format(self._drawn) if self._drawn else ""
        self._drawn = len(lines) if self._redraws else 0
        self._out.write(erase + "\n".join(lines) + "\n")
        self._out.flush()

    def _write(self, text: str) -> None:
        self._drawn = 0
        self._out.write(text)
        self._out.flush()


def one_line(report: Mapping[str, Any], mark: str, rate: float) -> str:
    """Return the counts in one line."""
    records, rows, lag = report["records"], report["rows"], report["lag"]
    return (
        f"{mark}  frames {report['frames']:,} ({rate:,.0f}/s)  liquidations {records['liquidations']:,}"
        f"  minutes {records['minutes']:,}  rows {sum(rows.values()):,}"
        f"  lag {' '.join(f'{name} {_number(behind)}' for name, behind in lag.items())}"
        f"  dead letters {report['dead_letters']:,}  gaps {report['gaps']:,}"
    )


def table(report: Mapping[str, Any], mark: str, rate: float) -> list[str]:
    """Return the counts by stage."""
    records, lag = report["records"], report["lag"]
    lines = [f"{mark}   Ctrl-C ends it", ""]
    lines += [_row("exchanges", "frames since the start", report["frames"], f"{rate:,.0f}/s, gaps {report['gaps']:,}")]
    made = [name for name in records if name != "raw"]
    for number, name in enumerate(made):
        lines.append(
            _row("normalize" if not number else "", name, records[name], _lag(lag, "normalize") if not number else "")
        )
    for number, (name, count) in enumerate(report["rows"].items()):
        lines.append(_row("ClickHouse" if not number else "", name, count, _lag(lag, "sink") if not number else ""))
    return lines


def _row(stage: str, what: str, count: int, note: str) -> str:
    return f"{stage:12}{what:26}{count:>12,}  {note}".rstrip()


def _lag(lag: Mapping[str, int | None], group: str) -> str:
    return f"{_number(lag.get(group))} records behind"


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"

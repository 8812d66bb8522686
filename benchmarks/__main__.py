"""`python -m benchmarks [NAME ...]`: runs them one after the other; the last line is JSON; 1 where a bar is missed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import orjson

from . import cost, latency, recovery, sink, start, throughput
from .figures import Figure

BENCHMARKS: dict[str, Callable[[], list[Figure]]] = {
    "throughput": throughput.measure,
    "cost": cost.measure,
    "latency": latency.measure,
    "sink": sink.measure,
    "start": start.measure,
    "recovery": recovery.measure,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    if unknown := sorted(set(names) - BENCHMARKS.keys()):
        print(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    found: dict[str, list[Figure]] = {}
    for name in names or BENCHMARKS:
        began_s = time.monotonic()
        print(f"\n{name}", flush=True)
        found[name] = BENCHMARKS[name]()
        for figure in found[name]:
            print(f"  {figure.line}")
        print(f"  took {time.monotonic() - began_s:.0f} s", flush=True)
    missed = [figure.name for figures in found.values() for figure in figures if not figure.passed]
    print(orjson.dumps({"figures": found, "missed": missed, "passed": not missed}, default=_fields).decode())
    return 1 if missed else 0


def _fields(figure: object) -> object:
    if isinstance(figure, Figure):
        shown = {"name": figure.name, "value": round(figure.value, 3), "unit": figure.unit, "passed": figure.passed}
        bar = {"at_most": figure.at_most, "at_least": figure.at_least}
        return shown | {side: value for side, value in bar.items() if value is not None}
    raise TypeError(f"no JSON for {type(figure).__name__}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

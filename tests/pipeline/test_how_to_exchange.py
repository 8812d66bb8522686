"""The page that tells how to add an exchange, followed to the letter in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "exchange.md"
PACKAGES = ("schemas", "producers", "processors", "sinks", "simulator", "embedded", "pipeline", "tests")
BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_S = 100


def blocks() -> Iterator[tuple[Path, str]]:
    """Yield the file that each block of the page names, and what it says of it."""
    for path, text in BLOCK.findall(PAGE.read_text()):
        yield Path(path), text


def follow(folder: Path) -> None:
    """Write the new files of the page; in those that exist add imports to the imports, and the rest to the table."""
    for path, text in blocks():
        target = folder / path
        if target.exists():
            target.write_text(with_lines(target.read_text(), text))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)


def with_lines(code: str, text: str) -> str:
    lines = code.splitlines()
    for line in text.splitlines():
        if line.startswith("from "):
            at = max(number for number, each in enumerate(lines) if each.startswith("from ")) + 1
        else:
            at = max(number for number, each in enumerate(lines) if each in (")", "}"))
        lines.insert(at, line)
    return "\n".join(lines) + "\n"


def run(folder: Path, *arguments: str) -> str:
    """Run Python in the folder and return what it prints."""
    environment = {**os.environ, "LIQ_EXCHANGES": "tulip", "LIQ_DATA_DIR": str(folder / "data")}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project to which the page was applied."""
    copy: Path = tmp_path_factory.mktemp("tulip")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    follow(copy)
    return copy


def facts(folder: Path) -> list[dict[str, Any]]:
    found = folder / "tests" / "fixtures" / "tulip" / "constructed-liquidations.records.jsonl"
    return [json.loads(line) for line in found.read_text().splitlines()]


@pytest.mark.timeout(240)
def test_an_exchange_that_was_added_by_the_page_alone_reaches_the_tables(folder: Path) -> None:
    run(folder, "tests.golden")
    contract, long, quote, bad = facts(folder)
    assert (contract["record"], contract["multiplier"]) == ("Instrument", 0.001)
    assert (long["position"], long["quantity_base"], long["notional_usd"]) == ("LONG", 0.12, pytest.approx(11_160.06))
    assert (quote["record"], quote["mark"]) == ("Quote", 93_010.0)
    assert (bad["record"], bad["channel"]) == ("BadFrame", "liq")

    run(folder, "pytest", "-q", "-p", "no:cacheprovider", "tests/processors/normalize", "-k", "tulip")

    report = json.loads(run(folder, "pipeline", "run", "--for", "8s", "--json"))
    assert report["rows"]["liquidations"] > 0
    assert report["rows"]["market_seconds"] > 0
    assert (report["dead_letters"], report["gaps"]) == (0, 0)

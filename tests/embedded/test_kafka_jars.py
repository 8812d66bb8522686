"""Only the committed jars run; what is missing comes from the repository that the user's jgo settings name."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from embedded import jars
from embedded.processes import CannotStart


def ignore(line: str) -> None:
    """For tests that do not look at the progress."""


@pytest.fixture(scope="session")
def all_jars() -> list[Path]:
    return jars.verified(jars.CACHE, ignore)


@pytest.fixture
def cache(all_jars: list[Path], tmp_path: Path) -> Path:
    """A cache that a test may damage."""
    directory = tmp_path / "cache"
    directory.mkdir()
    for jar in all_jars:
        (directory / jar.name).symlink_to(jar)
    return directory


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory behind an empty repository on this machine, which jgo is told to use."""
    directory = tmp_path / "mirror"
    directory.mkdir()
    handler = partial(QuietHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        settings = tmp_path / "jgo.conf"
        settings.write_text(f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield directory
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing; the base class writes every request to stderr."""


def publish(mirror: Path, jar: jars.Jar, content: bytes) -> None:
    directory = mirror / jar.group.replace(".", "/") / jar.artifact / jar.version
    directory.mkdir(parents=True)
    (directory / jar.name).write_bytes(content)


def test_a_full_cache_needs_no_repository(cache: Path, mirror: Path) -> None:
    progress: list[str] = []
    assert jars.verified(cache, progress.append) == [cache / jar.name for jar in jars.locked()]
    assert progress == []


def test_the_lock_names_each_jar_once() -> None:
    names = [jar.name for jar in jars.locked()]
    assert len(names) == len(set(names)) == 46


def test_a_corrupt_jar_never_runs(cache: Path) -> None:
    victim = cache / jars.locked()[3].name
    content = bytearray(victim.read_bytes())
    content[1000] ^= 1
    victim.unlink()
    victim.write_bytes(content)
    with pytest.raises(CannotStart) as refusal:
        jars.verified(cache, ignore)
    assert str(refusal.value) == f"{victim} has another SHA-256 than kafka.lock: delete it and start again"


def test_an_additional_jar_never_runs(cache: Path) -> None:
    (cache / "stranger-1.0.jar").touch()
    with pytest.raises(CannotStart) as refusal:
        jars.verified(cache, ignore)
    stranger = cache / "stranger-1.0.jar"
    assert str(refusal.value) == f"{stranger} is not named in kafka.lock: delete it and start again"


def test_a_missing_jar_is_fetched(cache: Path, mirror: Path) -> None:
    jar = jars.locked()[0]
    content = (cache / jar.name).read_bytes()
    (cache / jar.name).unlink()
    publish(mirror, jar, content)
    progress: list[str] = []
    jars.verified(cache, progress.append)
    assert (cache / jar.name).read_bytes() == content
    assert progress == [f"Kafka: fetching jar 1 of 1, {jar.name}"]


def test_a_jar_that_arrives_with_another_checksum_is_not_kept(cache: Path, mirror: Path) -> None:
    jar = jars.locked()[0]
    (cache / jar.name).unlink()
    publish(mirror, jar, b"something else")
    with pytest.raises(CannotStart) as refusal:
        jars.verified(cache, ignore)
    assert str(refusal.value) == f"{jar.name} came with another SHA-256 than kafka.lock: check jgo's repositories"
    assert sorted(path.name for path in cache.iterdir()) == sorted(other.name for other in jars.locked()[1:])


def test_a_jar_that_nobody_has_is_one_clear_line(cache: Path, mirror: Path) -> None:
    (cache / jars.locked()[0].name).unlink()
    with pytest.raises(CannotStart, match=f"^cannot fetch jars into {cache}: go online once, or copy them there .*$"):
        jars.verified(cache, ignore)

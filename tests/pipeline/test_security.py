"""Each service with a user of its own and the permissions that docs/how-to/security.md lists, and nothing beside."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from embedded.clickhouse import Server
from embedded.processes import free_port
from pipeline.access import LOOK, TO_PRODUCE, TO_REBUILD, TO_REPLAY, TO_SINK, VERIFY, to_process
from processors.stages import STAGES
from schemas.topics import READER, full_name
from sinks.connection import ClickHouse, connect
from tests.secured import PASSWORD, Certificates, Secured, documented, secured_broker, tls_before

LIMIT_S = 60.0
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "security.md"
GRANTS = documented(PAGE)
SERVICES = sorted({service for service, *_ in GRANTS})
LACK_GROUPS = ("process", "sink")  # users `<service>-alone` have all permissions but those on groups
NOBODY = "nobody"
WATCHER = "CN=watcher"
ANY = AclBindingFilter(
    restype=ResourceType.ANY,
    name=None,  # type: ignore[arg-type]  # any: their types do not know of it
    resource_pattern_type=ResourcePatternType.ANY,
    principal=None,  # type: ignore[arg-type]
    host=None,  # type: ignore[arg-type]
    operation=AclOperation.ANY,
    permission_type=AclPermissionType.ANY,
)


@dataclass(frozen=True)
class Secure:
    """The servers, and how `liq` is told of them."""

    kafka: Secured
    clickhouse_port: int
    plain_port: int  # the same ClickHouse without TLS
    folder: Path

    def environment(self, user: str, **other: object) -> dict[str, str]:
        settings = {
            "kafka_brokers": self.kafka.broker.bootstrap,
            "kafka_security": "SASL_SSL",
            "kafka_user": user,
            "kafka_password": PASSWORD,
            "kafka_ca": self.kafka.certificates.authority,
            "clickhouse_port": self.clickhouse_port,
            "clickhouse_tls": "true",
            "clickhouse_ca": self.kafka.certificates.authority,
            "clickhouse_password": PASSWORD,
            "asset_partitions": 4,
        } | other
        ours = {f"LIQ_{name.upper()}": str(value) for name, value in settings.items()}
        return {name: value for name, value in os.environ.items() if not name.startswith("LIQ_")} | ours

    def start(self, user: str, *arguments: str, **other: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=self.folder,
            env=self.environment(user, **other),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def rows(self) -> int:
        with connect(ClickHouse("127.0.0.1", self.plain_port, "liq_sim", password=PASSWORD)) as client:
            return int(client.execute("SELECT count() FROM liq_sim.liquidations")[0][0])


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    if not shutil.which("openssl"):
        pytest.skip("the command openssl makes the certificates")
    folder = tmp_path_factory.mktemp("secure")
    certificates = Certificates.made_in(folder)
    with secured_broker(certificates) as kafka, Server(password=PASSWORD) as clickhouse:
        with tls_before(clickhouse.port, certificates) as port:
            grant(AdminClient({**kafka.admin()}))
            made = Secure(kafka, port, clickhouse.port, folder)
            assert ended(made.start("setup", "setup"))[0] == 0
            yield made


def grant(admin: AdminClient) -> None:
    """Make the users, with the permissions of the page."""
    alone = [
        (f"{service}-alone", kind, names, may)
        for service, kind, names, may in GRANTS
        if service in LACK_GROUPS and kind != "group"
    ]
    watcher = [(WATCHER, kind, names, may) for service, kind, names, may in GRANTS if service == "status"]
    bindings = [binding for row in [*GRANTS, *alone, *watcher] for binding in bindings_of(*row)]
    users = {*SERVICES, *(f"{service}-alone" for service in LACK_GROUPS), NOBODY}
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    made = admin.alter_user_scram_credentials(
        [UserScramCredentialUpsertion(user, how, PASSWORD.encode()) for user in sorted(users)]
    )
    for answer in [*made.values(), *admin.create_acls(bindings).values()]:
        answer.result()
    until(lambda: len(admin.describe_acls(ANY).result()) == len(bindings))
    until(lambda: not unknown(admin, users))


def unknown(admin: AdminClient, users: Iterable[str]) -> list[str]:
    """Return the users that the broker has not heard of yet."""
    answers = admin.describe_user_scram_credentials(sorted(users))
    assert isinstance(answers, dict)
    return [user for user, answer in answers.items() if answer.exception()]


def bindings_of(user: str, kind: str, names: Iterable[str], operations: Iterable[str]) -> Iterator[AclBinding]:
    for name in names:
        pattern = ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL
        resource = (ResourceType[kind.upper()], name.removesuffix("*"), pattern)
        for operation in operations:
            yield AclBinding(*resource, f"User:{user}", "*", operation_of(operation), AclPermissionType.ALLOW)


def operation_of(text: str) -> AclOperation:
    return AclOperation[re.sub(r"(?<!^)(?=[A-Z])", "_", text).upper()]  # DescribeConfigs


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LIMIT_S)
    return process.returncode, out, err


ASKED = {
    "produce": TO_PRODUCE,
    "process": to_process(STAGES["normalize"]),
    "sink": TO_SINK,
    "replay": TO_REPLAY,
    "rebuild": TO_REBUILD,
}


@pytest.mark.parametrize("command", ASKED)
def test_the_page_lists_what_the_code_asks_for(command: str) -> None:
    needs = ASKED[command]
    topics = {("topic", full_name("liq.sim.", name)): (may | VERIFY) - LOOK for name, may in needs.topics.items()}
    groups = {("group", f"liq.sim.{name}"): may for name, may in needs.groups.items()}
    alone = {("group", READER): LOOK} if needs.reads_alone else {}
    listed = {
        (kind, name): {operation_of(operation) for operation in operations}
        for who, kind, names, operations in GRANTS
        for name in names
        if who == command
    }
    assert listed == {**topics, **groups, **alone}


def test_every_service_works_with_its_own_user_and_the_permissions_of_the_page(secure: Secure) -> None:
    port = free_port()
    hosts = {"urls__bybit__ws": f"ws://127.0.0.1:{port}", "urls__bybit__rest": f"http://127.0.0.1:{port}"}
    running = {
        "simulate": secure.start(NOBODY, "simulate", "bybit", "--port", str(port), "--liquidations", "20"),
        "produce": secure.start("produce", "produce", "bybit", **hosts),
        "process": secure.start("process", "process"),
        "sink": secure.start("sink", "sink"),
    }
    try:
        until(lambda: secure.rows() or any(process.poll() is not None for process in running.values()))
        assert [ended(process) for process in running.values() if process.poll() is not None] == []
        tail, status = secure.start("tail", "tail", "liquidations"), secure.start("status", "status", "--json")
        code, lines, _ = ended(tail)
        assert (code, {json.loads(line)["exchange"] for line in lines.splitlines()}) == (0, {"bybit"})
        code, line, _ = ended(status)
        assert (code, json.loads(line)["rows"]["liquidations"] > 0) == (0, True)
        assert not any(PASSWORD in " ".join(arguments) for arguments in command_lines(running.values()))
    finally:
        for process in running.values():
            process.terminate()
        ends = {name: ended(process) for name, process in running.items()}
    assert {name: code for name, (code, *_) in ends.items()} == dict.fromkeys(running, 0)
    assert [name for name, (_, out, err) in ends.items() if PASSWORD in out + err or "Traceback" in err] == []


def command_lines(processes: Iterable[subprocess.Popen[str]]) -> Iterator[list[str]]:
    for process in processes:
        yield Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")


def test_a_certificate_of_its_own_is_a_user_too(secure: Secure) -> None:
    certificate = {"kafka_cert": secure.folder / "watcher.pem", "kafka_key": secure.folder / "watcher.key"}
    where = {"kafka_brokers": secure.kafka.of_certificates, "kafka_security": "SSL", "kafka_password": ""}

    code, out, err = ended(secure.start("", "status", "--json", **where, **certificate))

    assert (code, err) == (0, "")
    assert json.loads(out)["lag"].keys() == {"normalize", "sink"}


class Refusal(NamedTuple):
    """A command that may not go on, with which settings, and what it says."""

    command: str
    settings: dict[str, object]
    says: str


def refusals(secure: Secure) -> list[Refusal]:
    kafka = f"liq: Kafka at {secure.kafka.broker.bootstrap}"
    clickhouse = f"liq: ClickHouse at 127.0.0.1:{secure.clickhouse_port}"
    everything = "DESCRIBE and DESCRIBE_CONFIGS and READ and WRITE topic liq.sim.raw.v1, DESCRIBE group liq-reader"
    wrong_kafka: dict[str, object] = {"kafka_password": "wrong"}
    wrong_clickhouse: dict[str, object] = {"clickhouse_password": "wrong"}
    strange_kafka: dict[str, object] = {"kafka_ca": secure.kafka.certificates.stranger}
    strange_clickhouse: dict[str, object] = {"clickhouse_ca": secure.kafka.certificates.stranger}
    nobody: dict[str, object] = {"kafka_user": NOBODY}
    return [
        Refusal("produce bybit", wrong_kafka, f"{kafka} refuses user produce (SASL authentication error: "),
        Refusal("process", wrong_kafka, f"{kafka} refuses user process (SASL authentication error: "),
        Refusal("tail raw", strange_kafka, f"{kafka} is not trusted (SSL handshake failed: "),
        Refusal("sink", strange_kafka, f"{kafka} is not trusted (SSL handshake failed: "),
        Refusal("produce bybit", nobody, f"{kafka} does not let user nobody {everything}"),
        Refusal("tail raw", nobody, f"{kafka} does not let user nobody READ topic liq.sim.raw.v1"),
        Refusal("process", {"kafka_user": "process-alone"}, "user process-alone READ group liq.sim.normalize,"),
        Refusal("sink", {"kafka_user": "sink-alone"}, "user sink-alone READ group liq.sim.sink: grant"),
        Refusal("sink", wrong_clickhouse, f"{clickhouse} refuses user default ("),
        Refusal("setup", wrong_clickhouse, f"{clickhouse} refuses user default ("),
        Refusal("sink", strange_clickhouse, f"{clickhouse} is not trusted ([SSL: CERTIFICATE_VERIFY_FAILED]"),
        Refusal("status", strange_clickhouse, f"{clickhouse} is not trusted ([SSL: CERTIFICATE_VERIFY_FAILED]"),
    ]


def test_whoever_is_refused_ends_soon_with_one_line_and_code_4(secure: Secure) -> None:
    expected = refusals(secure)
    started = [secure.start(each.command.split()[0], *each.command.split(), **each.settings) for each in expected]
    found = [ended(process) for process in started]
    assert [(code, out, err.count("liq: ")) for code, out, err in found] == [(4, "", 1)] * len(expected)
    assert [(each.says, err) for each, (_, _, err) in zip(expected, found, strict=True) if each.says not in err] == []

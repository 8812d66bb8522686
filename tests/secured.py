"""A broker and a way to ClickHouse that let nobody in without TLS, a name and a permission."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedded.kafka import Broker
from embedded.processes import free_port

ADMIN, PASSWORD = "admin", "only-for-tests"
PLAIN = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    f'username="{ADMIN}" password="{PASSWORD}" user_{ADMIN}="{PASSWORD}";'
)
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@dataclass(frozen=True)
class Certificates:
    """Files in PEM: of an authority, of those it signed, and of an authority that signed nobody."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def stranger(self) -> Path:
        return self.folder / "stranger.pem"

    @property
    def server(self) -> Path:
        """Key and certificate in one file."""
        return self.folder / "server-with-key.pem"

    @classmethod
    def made_in(cls, folder: Path) -> Certificates:
        made = cls(folder)
        for authority in ("authority", "stranger"):
            _openssl(folder, authority)
        of_authority = ("-CA", "authority.pem", "-CAkey", "authority.key", "-addext", "basicConstraints=CA:FALSE")
        _openssl(folder, "server", *of_authority, "-addext", "subjectAltName=IP:127.0.0.1")
        _openssl(folder, "watcher", *of_authority)
        made.server.write_bytes((folder / "server.key").read_bytes() + (folder / "server.pem").read_bytes())
        return made


def _openssl(folder: Path, name: str, *more: str) -> None:
    """Make a key and a certificate of `name`, signed by itself unless `more` says by whom."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key")
    command = ["openssl", "req", "-x509", *key, "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name}", *more]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@dataclass(frozen=True)
class Secured:
    """A broker whose users have names (SCRAM) at one listener and certificates at another."""

    broker: Broker
    of_certificates: str  # address of the other listener
    certificates: Certificates

    def admin(self) -> dict[str, str]:
        """Return librdkafka's settings for the user who may everything."""
        return {
            "bootstrap.servers": self.broker.bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": ADMIN,
            "sasl.password": PASSWORD,
            "ssl.ca.location": str(self.certificates.authority),
        }


@contextmanager
def secured_broker(certificates: Certificates) -> Iterator[Secured]:
    """Start it; nobody but the admin has a permission yet."""
    port, other, controller = free_port(), free_port(), free_port()
    with Broker(port=port, properties=_properties(certificates, port, other, controller)) as broker:
        yield Secured(broker, f"127.0.0.1:{other}", certificates)


def _properties(certificates: Certificates, port: int, other: int, controller: int) -> Mapping[str, str]:
    at = "127.0.0.1"
    return {
        "listeners": f"SASL_SSL://{at}:{port},SSL://{at}:{other},CONTROLLER://{at}:{controller}",
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:SASL_SSL",
        "controller.quorum.voters": f"1@{at}:{controller}",
        "inter.broker.listener.name": "SASL_SSL",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": PLAIN,
        "listener.name.sasl_ssl.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": PLAIN,
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": SCRAM,
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificates.server),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificates.authority),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN}",
    }


@contextmanager
def tls_before(port: int, certificates: Certificates) -> Iterator[int]:
    """Yield a port that takes TLS and hands on what is inside to another port of this machine."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plain_reader, plain_writer = await asyncio.open_connection("127.0.0.1", port)
        both = (_hand_on(reader, plain_writer), _hand_on(plain_reader, writer))
        await asyncio.gather(*both, return_exceptions=True)  # whoever hangs up ends both

    async def serve(bound: socket.socket) -> None:
        async with await asyncio.start_server(accept, sock=bound, ssl=context):
            await asyncio.to_thread(ended.wait)

    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=lambda: asyncio.run(serve(bound)))
        thread.start()
        try:
            yield bound.getsockname()[1]
        finally:
            ended.set()
            thread.join()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


def documented(page: Path) -> list[tuple[str, str, list[str], list[str]]]:
    """Return the permissions that a page lists: service, kind of resource, names, operations."""
    rows = re.findall(r"^\| `(\w+)` \| (topic|group) \| (.+) \| ([\w, ]+) \|$", page.read_text(), re.MULTILINE)
    return [(service, kind, re.findall(r"`([^`]+)`", names), may.split(", ")) for service, kind, names, may in rows]

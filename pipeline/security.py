"""TLS and SASL: which settings belong together, and librdkafka's words for them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import Settings


def mistakes(settings: Settings) -> list[str]:
    """Return what is wrong with the settings of TLS and SASL, each with what to do."""
    return [*_at_odds(settings)] or [*_unreadable(settings)]


def _at_odds(settings: Settings) -> Iterator[str]:
    security = settings.kafka_security
    named = [bool(settings.kafka_user), bool(settings.kafka_password.get_secret_value())]
    if security.startswith("SASL") and not all(named):
        yield f"kafka_security is {security}: set kafka_user and kafka_password"
    if not security.startswith("SASL") and any(named):
        yield f"kafka_user and kafka_password do nothing while kafka_security is {security}: set it to SASL_SSL"
    if bool(settings.kafka_cert) != bool(settings.kafka_key):
        yield "kafka_cert and kafka_key belong together: set both"
    if not security.endswith("SSL") and (settings.kafka_ca or settings.kafka_cert):
        yield f"kafka_ca and kafka_cert do nothing while kafka_security is {security}: set it to SSL or SASL_SSL"
    if settings.clickhouse_ca and not settings.clickhouse_tls:
        yield "clickhouse_ca does nothing without clickhouse_tls: set clickhouse_tls to true"


def _unreadable(settings: Settings) -> Iterator[str]:
    """Look into the files now: a client would only complain when it connects, and try again for ever."""
    for name, file in (("kafka_ca", settings.kafka_ca), ("clickhouse_ca", settings.clickhouse_ca)):
        try:
            ssl.create_default_context(cafile=file)
        except OSError as error:
            yield f"{name}: {file} holds no certificates in PEM ({error})"
    if settings.kafka_cert and settings.kafka_key:
        try:
            no_password = b""  # else OpenSSL asks the terminal for one
            ssl.create_default_context().load_cert_chain(settings.kafka_cert, settings.kafka_key, no_password)
        except OSError as error:
            yield f"kafka_cert and kafka_key: no certificate with its key, unencrypted, in PEM ({error})"


def kafka_client(settings: Settings) -> dict[str, str]:
    """Return what every client of librdkafka begins with: where the brokers are, and how to prove who is who."""
    files = {
        "ssl.ca.location": settings.kafka_ca,
        "ssl.certificate.location": settings.kafka_cert,
        "ssl.key.location": settings.kafka_key,
    }
    client = {"bootstrap.servers": settings.kafka_brokers, "security.protocol": settings.kafka_security}
    client |= {name: str(file) for name, file in files.items() if file}
    if settings.kafka_security.startswith("SASL"):
        client["sasl.mechanism"] = settings.kafka_sasl_mechanism
        client["sasl.username"] = settings.kafka_user
        client["sasl.password"] = settings.kafka_password.get_secret_value()
    return client

"""How to reach Kafka, said once: librdkafka's settings, and the same as aiokafka and Faust spell them."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from typing import Any

import faust

Client = Mapping[str, str]  # librdkafka's settings, `bootstrap.servers` above all

LIBRARY_LOG = logging.getLogger("librdkafka")  # else it writes to the terminal by itself
KNOWN = {
    *("bootstrap.servers", "security.protocol"),
    *("sasl.mechanism", "sasl.username", "sasl.password"),
    *("ssl.ca.location", "ssl.certificate.location", "ssl.key.location"),
}


def faust_settings(client: Client) -> dict[str, Any]:
    """Return the settings of a Faust app for the same cluster; raise `ValueError` for what has no counterpart here."""
    _refuse_unknown(client)
    broker = ";".join(f"kafka://{server.strip()}" for server in client["bootstrap.servers"].split(","))
    return {"broker": broker, "broker_credentials": _credentials(client)}


def _credentials(client: Client) -> faust.SASLCredentials | faust.SSLCredentials | None:
    context = _tls(client)
    if "sasl.username" in client:
        return faust.SASLCredentials(
            username=client["sasl.username"],
            password=client["sasl.password"],
            mechanism=client["sasl.mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context else None


def aiokafka_settings(client: Client) -> dict[str, Any]:
    """Return the settings of a client of aiokafka for the same cluster."""
    _refuse_unknown(client)
    return {
        "bootstrap_servers": client["bootstrap.servers"],
        "security_protocol": client.get("security.protocol", "PLAINTEXT"),
        "ssl_context": _tls(client),
        "sasl_mechanism": client.get("sasl.mechanism", "PLAIN"),
        "sasl_plain_username": client.get("sasl.username"),
        "sasl_plain_password": client.get("sasl.password"),
    }


def _refuse_unknown(client: Client) -> None:
    if unknown := sorted(client.keys() - KNOWN):
        raise ValueError(f"Kafka setting {unknown[0]} is not known to the stages: leave it out")


def _tls(client: Client) -> ssl.SSLContext | None:
    """Return a context that verifies the broker's certificate and its name, None without TLS."""
    if not client.get("security.protocol", "PLAINTEXT").endswith("SSL"):
        return None
    context = ssl.create_default_context(cafile=client.get("ssl.ca.location"))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # of Python 3.13: refuses what librdkafka takes
    if "ssl.certificate.location" in client:
        context.load_cert_chain(client["ssl.certificate.location"], client["ssl.key.location"])
    return context

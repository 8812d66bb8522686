"""How the shell says to Faust and aiokafka what librdkafka's settings mean; the secured broker is in test_security."""

from __future__ import annotations

import ssl

import pytest

from processors.shell.connection import aiokafka_settings, faust_settings


def test_faust_gets_every_broker() -> None:
    client = {"bootstrap.servers": "one:9092, two:9093"}
    assert faust_settings(client) == {"broker": "kafka://one:9092;kafka://two:9093", "broker_credentials": None}


def test_a_user_is_handed_on_without_tls() -> None:
    client = {
        "bootstrap.servers": "one:9092",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "worker",
        "sasl.password": "secret",
    }
    credentials = faust_settings(client)["broker_credentials"]
    assert (credentials.protocol.value, credentials.mechanism.value) == ("SASL_PLAINTEXT", "SCRAM-SHA-256")
    assert (credentials.username, credentials.password, credentials.ssl_context) == ("worker", "secret", None)
    assert "secret" not in repr(credentials)
    assert aiokafka_settings(client) == {
        "bootstrap_servers": "one:9092",
        "security_protocol": "SASL_PLAINTEXT",
        "ssl_context": None,
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "worker",
        "sasl_plain_password": "secret",
    }


def test_tls_verifies_the_name_of_the_broker() -> None:
    client = {"bootstrap.servers": "one:9092", "security.protocol": "SSL"}
    contexts = [faust_settings(client)["broker_credentials"].context, aiokafka_settings(client)["ssl_context"]]
    assert [context.check_hostname for context in contexts] == [True, True]
    assert [context.verify_mode for context in contexts] == [ssl.CERT_REQUIRED] * 2


def test_every_python_takes_the_authorities_that_librdkafka_takes() -> None:
    client = {"bootstrap.servers": "one:9092", "security.protocol": "SSL"}
    contexts = [faust_settings(client)["broker_credentials"].context, aiokafka_settings(client)["ssl_context"]]
    assert [context.verify_flags & ssl.VERIFY_X509_STRICT for context in contexts] == [0, 0]


def test_a_setting_that_faust_would_ignore_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Kafka setting linger\.ms is not known"):
        faust_settings({"bootstrap.servers": "one:9092", "linger.ms": "x"})

"""Settings: one precedence, one origin each, secrets that stay secret, mistakes that are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.exits import BadConfiguration
from pipeline.settings import Settings, child_environment, load, of_own_servers, origins


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_flag_beats_the_environment_which_beats_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("liq.toml").write_text('market = "live"\nkafka_brokers = "file:1"\ninstance = "file"\n')
    monkeypatch.setenv("LIQ_KAFKA_BROKERS", "environment:1")
    monkeypatch.setenv("LIQ_INSTANCE", "environment")
    flags = {"instance": "flag", "log_level": None}

    loaded, came_from = load(flags), origins(flags)

    assert (loaded.market, loaded.kafka_brokers, loaded.instance, loaded.log_level) == (
        "live",
        "environment:1",
        "flag",
        "INFO",
    )
    assert {name: came_from[name] for name in ("market", "kafka_brokers", "instance", "log_level")} == {
        "market": "liq.toml",
        "kafka_brokers": "environment",
        "instance": "flag",
        "log_level": "default",
    }


def test_prefix_and_database_follow_the_market() -> None:
    sim, live = load({}), load({"market": "live"})

    assert (sim.prefix, sim.database) == ("liq.sim.", "liq_sim")
    assert (live.prefix, live.database) == ("liq.live.", "liq_live")


def test_each_producer_has_a_spool_of_its_own() -> None:
    embedded, placed = load({}), load({"market": "live", "spool_dir": "/spool", "instance": "b"})

    assert embedded.spool("bybit") == Path("data/sim/spool/bybit-0")
    assert placed.spool("okx") == Path("/spool/live/spool/okx-b")


def test_a_secret_comes_from_the_file_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("password").write_text("s3cret\n")
    monkeypatch.setenv("LIQ_CLICKHOUSE_PASSWORD_FILE", "password")

    loaded = load({})

    assert loaded.clickhouse_password.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(loaded)
    assert origins({})["clickhouse_password"] == "secret file"


def test_lists_and_urls_are_written_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQ_MAJORS", "BTC, ETH")
    monkeypatch.setenv("LIQ_URLS__BYBIT__WS", "ws://127.0.0.1:1")

    assert load({}).majors == ("BTC", "ETH")
    assert load({}).urls == {"bybit": {"ws": "ws://127.0.0.1:1"}}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LIQ_KAFKA_BROKER", "x:1", "there is no setting LIQ_KAFKA_BROKER; did you mean LIQ_KAFKA_BROKERS"),
        ("LIQ_MARKET", "demo", "market: Input should be 'sim' or 'live' (got 'demo')"),
        ("LIQ_CLICKHOUSE_PORT", "70000", "clickhouse_port: Input should be less than or equal to 65535"),
        ("LIQ_CLICKHOUSE_PASSWORD_FILE", "nowhere", "LIQ_CLICKHOUSE_PASSWORD_FILE: "),
    ],
)
def test_a_mistake_in_the_environment_is_named(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(BadConfiguration) as caught:
        load({})

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"kafka_security": "SASL_SSL", "kafka_user": "me"}, "kafka_security is SASL_SSL: set kafka_user and kafka_pa"),
        (
            {"kafka_user": "me", "kafka_password": "s3cret"},
            "do nothing while kafka_security is PLAINTEXT: set it to SA",
        ),
        ({"kafka_security": "SSL", "kafka_cert": "text"}, "kafka_cert and kafka_key belong together: set both"),
        (
            {"kafka_security": "SSL", "kafka_cert": "text", "kafka_key": "text"},
            "no certificate with its key, unencrypt",
        ),
        ({"kafka_security": "SSL", "kafka_ca": "nowhere"}, "kafka_ca: Path does not point to a file (got 'nowhere')"),
        ({"kafka_security": "SSL", "kafka_ca": "text"}, "kafka_ca: text holds no certificates in PEM"),
        ({"kafka_ca": "text"}, "kafka_ca and kafka_cert do nothing while kafka_security is PLAINTEXT"),
        ({"clickhouse_ca": "text"}, "clickhouse_ca does nothing without clickhouse_tls"),
    ],
)
def test_what_does_not_secure_anything_is_a_mistake(flags: dict[str, str], words: str) -> None:
    Path("text").write_text("no PEM")

    with pytest.raises(BadConfiguration) as caught:
        load(flags)

    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_client_of_kafka_gets_what_is_set_and_nothing_else() -> None:
    user = {"kafka_user": "me", "kafka_password": "s3cret"}

    assert load({}).kafka == {"bootstrap.servers": "127.0.0.1:9092", "security.protocol": "PLAINTEXT"}
    assert load({"kafka_security": "SASL_SSL", **user}).kafka == {
        "bootstrap.servers": "127.0.0.1:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": "s3cret",
    }


def test_servers_of_our_own_are_reached_whatever_is_set_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQ_KAFKA_SECURITY", "SASL_SSL")
    monkeypatch.setenv("LIQ_KAFKA_USER", "me")
    monkeypatch.setenv("LIQ_KAFKA_PASSWORD", "s3cret")
    monkeypatch.setenv("LIQ_CLICKHOUSE_PASSWORD", "s3cret")

    for name, value in child_environment(load({}), **of_own_servers()).items():
        monkeypatch.setenv(name, value)

    assert load({}).kafka == {"bootstrap.servers": "127.0.0.1:9092", "security.protocol": "PLAINTEXT"}
    assert load({}).clickhouse_password.get_secret_value() == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [('markt = "sim"', "there is no setting 'markt'; did you mean market?"), ("market = ", "liq.toml: ")],
)
def test_a_mistake_in_the_file_is_named(text: str, words: str) -> None:
    Path("liq.toml").write_text(text)

    with pytest.raises(BadConfiguration) as caught:
        load({})

    assert words in str(caught.value)


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []

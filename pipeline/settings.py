"""Settings: read once, typed, with units, and passed down. Nobody else looks at the environment."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from . import security
from .exits import BadConfiguration

PREFIX = "LIQ_"
FILE_SUFFIX = "_FILE"
CONFIG_FILE = "liq.toml"


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]  # `BTC,ETH` in the environment, a list in TOML
File = Annotated[FilePath | None, BeforeValidator(lambda value: value or None)]  # empty in the environment: none


class SecretFileSource(PydanticBaseSettingsSource):
    """Reads `LIQ_CLICKHOUSE_PASSWORD_FILE=/run/secrets/x` as the value of `clickhouse_password`."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Return the content of the file that the environment names."""
        path = os.environ.get(f"{PREFIX}{field_name.upper()}{FILE_SUFFIX}")
        if path is None or field.annotation is not SecretStr:
            return None, field_name, False
        try:
            return Path(path).read_text().rstrip("\n"), field_name, False
        except OSError as error:
            raise BadConfiguration(f"{PREFIX}{field_name.upper()}{FILE_SUFFIX}: {error}") from error

    def __call__(self) -> dict[str, Any]:
        """Return what was found."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """All that may differ between machines. Precedence: flag, environment, secret file, liq.toml, default."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", toml_file=CONFIG_FILE, extra="forbid", frozen=True
    )

    market: Literal["sim", "live"] = Field("sim", description="simulated or real exchanges; part of every name")
    data_dir: Path = Field(Path("data"), description="where the embedded parts keep their data")
    exchanges: Names = Field(("binance", "bybit", "okx"), description="exchanges that `liq run` collects")
    majors: Names = Field(("BTC", "ETH", "SOL"), description="assets whose public trades are read")
    urls: dict[str, dict[str, str]] = Field(
        {}, description="hosts by exchange: LIQ_URLS__BYBIT__WS, LIQ_URLS__BYBIT__REST"
    )
    kafka_brokers: str = Field("127.0.0.1:9092", description="bootstrap servers, host:port, comma-separated")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="protocol of the brokers' listener"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="how the user proves itself"
    )
    kafka_user: str = Field("", description="user of the brokers, with SASL")
    kafka_password: SecretStr = Field(SecretStr(""), description="its password; from the environment or a file")
    kafka_ca: File = Field(None, description="PEM of the authority behind the brokers; unset: the system's")
    kafka_cert: File = Field(None, description="PEM of our own certificate, for mutual TLS")
    kafka_key: File = Field(None, description="PEM of its key, unencrypted")
    kafka_replicas: int = Field(1, ge=1, description="replicas of each topic that `liq setup` creates")
    asset_partitions: int = Field(12, ge=1, description="partitions of each topic that is cut by asset")
    clickhouse_host: str = Field("127.0.0.1", description="host of ClickHouse's native protocol")
    clickhouse_port: int = Field(9000, ge=1, le=65535, description="port of ClickHouse's native protocol")
    clickhouse_user: str = Field("default", description="user that writes")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="its password; from the environment or a file")
    clickhouse_tls: bool = Field(False, description="TLS to ClickHouse, whose port is 9440 then by custom")
    clickhouse_ca: File = Field(None, description="PEM of the authority behind ClickHouse; unset: well-known ones")
    clickhouse_database: str = Field("", description="database; empty: liq_sim or liq_live, by market")
    rebuild_every_s: float = Field(
        300, ge=0, description="seconds between two looks of the sink for minutes that do not add up; 0: none"
    )
    spool_dir: Path | None = Field(None, description="where producers keep frames while Kafka is away; unset: data_dir")
    spool_mib: int = Field(1024, ge=32, description="MiB that each producer may keep there")
    instance: str = Field("0", description="stable name of this replica: static membership in consumer groups")
    health_file: Path | None = Field(None, description="touched while work goes on; a probe reads its age")
    metrics_port: int | None = Field(None, ge=0, le=65535, description="Prometheus metrics on 127.0.0.1; unset: none")
    metrics_host: str = Field("127.0.0.1", description="address the metrics are served on")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, else JSON")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level that is logged")

    @property
    def prefix(self) -> str:
        """Return the prefix of every topic and group: simulated and real data never mix."""
        return f"liq.{self.market}."

    @property
    def database(self) -> str:
        """Return the ClickHouse database."""
        return self.clickhouse_database or f"liq_{self.market}"

    def spool(self, exchange: str) -> Path:
        """Return the directory of one producer's spool: of its market, its exchange and its instance alone."""
        return (self.spool_dir or self.data_dir) / self.market / "spool" / f"{exchange}-{self.instance}"

    @property
    def kafka(self) -> dict[str, str]:
        """Return the librdkafka settings that every client of ours begins with."""
        return security.kafka_client(self)

    @model_validator(mode="after")
    def _is_secured_as_meant(self) -> Self:
        if found := security.mistakes(self):
            raise ValueError("; ".join(found))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources, strongest first."""
        return (init_settings, *_sources(settings_cls).values())


def _sources(cls: type[BaseSettings]) -> dict[str, PydanticBaseSettingsSource]:
    return {
        "environment": EnvSettingsSource(cls),
        "secret file": SecretFileSource(cls),
        CONFIG_FILE: TomlConfigSettingsSource(cls),
    }


def load(flags: Mapping[str, Any]) -> Settings:
    """Return the settings; `flags` that are None were not given. Raise `BadConfiguration`."""
    _refuse_unknown()
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise BadConfiguration("; ".join(_explain(problem) for problem in error.errors())) from error
    except tomllib.TOMLDecodeError as error:
        raise BadConfiguration(f"{CONFIG_FILE}: {error}") from error
    except ValueError as error:  # a value of the environment that cannot be parsed
        raise BadConfiguration(str(error)) from error


def _explain(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if not name:  # of settings that belong together; the input would be all of them, with the secrets
        return str(problem["msg"].removeprefix("Value error, "))
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {name!r}{_suggest(name, list(Settings.model_fields))}"
    secret = "password" in name
    return f"{name}: {problem['msg']}" + ("" if secret else f" (got {problem['input']!r})")


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else "; `liq config show` lists them all"


def _refuse_unknown() -> None:
    """A misspelt variable would silently leave the default in force."""
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    secrets = [
        f"{PREFIX}{name.upper()}{FILE_SUFFIX}"
        for name, field in Settings.model_fields.items()
        if field.annotation is SecretStr
    ]
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper().partition("__")[0] not in (*known, *secrets):
            raise BadConfiguration(f"there is no setting {name}{_suggest(name, known)}")


def origins(flags: Mapping[str, Any]) -> dict[str, str]:
    """Say for each setting where its value comes from."""
    given = {name: value for name, value in flags.items() if value is not None}
    sources = {"flag": InitSettingsSource(Settings, given), **_sources(Settings)}
    found = {label: source() for label, source in sources.items()}
    return {
        name: next((label for label, values in found.items() if name in values), "default")
        for name in Settings.model_fields
    }


def of_own_servers() -> dict[str, Any]:
    """Return the settings for Kafka and ClickHouse of our own, whatever is set for servers elsewhere."""
    kept = {"clickhouse_database"}
    about = {name: field for name, field in Settings.model_fields.items() if name.startswith(("kafka_", "clickhouse_"))}
    return {name: field.default for name, field in about.items() if name not in kept}


def child_environment(settings: Settings, **overrides: object) -> dict[str, str]:
    """Return the environment of a service that this process starts: ours, with these settings on top."""
    own = {"market": settings.market, "data_dir": settings.data_dir, "asset_partitions": settings.asset_partitions}
    values = {**own, "log_level": settings.log_level, **overrides}
    texts = {name: "" if value is None else str(value) for name, value in values.items()}
    return {**os.environ, **{f"{PREFIX}{name.upper()}": text for name, text in texts.items()}}

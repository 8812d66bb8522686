"""`liq run`, and what has to be there before anything runs: `liq setup`."""

from __future__ import annotations

import re

import click
import orjson

from .. import exits
from .given import settings_of


@click.command()
@click.option("--for", "duration", type=str, help="End by itself: 90s, 10m, 2h. The clock starts when all is ready.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option(
    "--rate", type=click.FloatRange(min=1), default=200, show_default=True, help="Frames a second, simulated."
)
@click.option("--kafka-port", type=click.IntRange(1, 65535), help="Port of the embedded Kafka.")
@click.option("--clickhouse-port", type=click.IntRange(1, 65535), help="Port of the embedded ClickHouse.")
@click.option("--simulator-port", type=click.IntRange(1, 65535), help="Port of the simulated exchange.")
@click.pass_context
def run(
    context: click.Context,
    duration: str | None,
    as_json: bool,
    rate: float,
    kafka_port: int | None,
    clickhouse_port: int | None,
    simulator_port: int | None,
) -> None:
    """Run everything on this machine, on an embedded Kafka and ClickHouse."""
    loaded = settings_of(context)
    from .. import run as all_in_one
    from ..live import Display

    seconds = _seconds(duration) if duration else None
    ports = {"kafka": kafka_port, "clickhouse": clickhouse_port, "simulator": simulator_port}
    report = all_in_one.run(loaded, ports, rate, seconds, Display(loaded, quiet=as_json).show)
    if as_json:
        click.echo(orjson.dumps(report))
    if missing := all_in_one.delivered_nothing(report):
        raise exits.Ended(f"delivered nothing: {', '.join(missing)}")


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found or not float(found[1]):
        raise click.BadParameter(f"{text!r} is no duration: 90s, 10m, 2h", param_hint="--for")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


@click.command()
@click.option("--check", is_flag=True, help="Verify only, change nothing.")
@click.pass_context
def setup(context: click.Context, check: bool) -> None:
    """Create the topics and the tables, and verify them. Safe to repeat."""
    loaded = settings_of(context)
    from ..clickhouse import migrate, verify_tables
    from ..setup import create_topics, verify_topics

    created = [] if check else create_topics(loaded)
    verify_topics(loaded)
    for name in created:
        click.echo(f"created topic {name}")
    for name in [] if check else migrate(loaded):
        click.echo(f"applied {name}")
    verify_tables(loaded)
    click.echo("topics and tables are as declared", err=True)

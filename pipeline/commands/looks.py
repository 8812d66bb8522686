"""Looks from the outside: `liq tail`, `liq evidence`, `liq status`, `liq config`."""

from __future__ import annotations

import re

import click
import orjson

from .. import exits
from .. import settings as settings_module
from ..settings import Settings
from .given import known, settings_of


@click.command()
@click.argument("topic")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=10, show_default=True, help="Newest records to show."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.pass_context
def tail(context: click.Context, topic: str, lines: int, follow: bool) -> None:
    """Print the newest records of a TOPIC, decoded, as JSON lines."""
    loaded = settings_of(context)
    from schemas.topics import logical_name

    from ..tail import READABLE
    from ..tail import tail as tail_lines

    name = logical_name(loaded.prefix, topic)
    known(name, READABLE)
    for text in tail_lines(loaded, READABLE[name], lines, follow):
        click.echo(text)


@click.command()
@click.argument("liquidation_id", metavar="ID")
@click.pass_context
def evidence(context: click.Context, liquidation_id: str) -> None:
    """Print a liquidation, by its ID of 32 hex digits, and the frame that it came from: one JSON object."""
    loaded = settings_of(context)
    from .. import clickhouse
    from ..jsonlines import as_text

    if not re.fullmatch("[0-9a-f]{32}", liquidation_id):
        raise click.BadParameter(f"{liquidation_id!r} is no id: 32 hex digits, in lower case", param_hint="ID")
    found = clickhouse.evidence(loaded, liquidation_id)
    if found is None:
        raise exits.Ended(f"{loaded.database} knows no liquidation {liquidation_id}: is it of another market?")
    click.echo(orjson.dumps(found, default=as_text))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Show how far each stage is and what lies in topics and tables."""
    loaded = settings_of(context)
    from ..status import collect, table

    found = collect(loaded)
    click.echo(orjson.dumps(found) if as_json else table(found))
    if found["rows"] is None:
        raise SystemExit(exits.UNREACHABLE)


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@click.pass_context
def show(context: click.Context, origin: bool) -> None:
    """Print every setting; secrets are masked."""
    loaded = settings_module.load(context.obj)
    sources = settings_module.origins(context.obj)
    for name, field in Settings.model_fields.items():
        value = f"{name} = {getattr(loaded, name)!s}"
        click.echo(f"{value:48} # {sources[name] if origin else field.description}")

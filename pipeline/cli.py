"""The command `liq`: data on stdout, everything else on stderr, one line for what went wrong."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click
import orjson

from . import exits, telemetry
from . import settings as settings_module
from .settings import Settings


@click.group(epilog=exits.EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="liqstream")
@click.option("--market", type=click.Choice(["sim", "live"]), help="Simulated or real exchanges.")
@click.option("--log-level", type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]), help="Least level to log.")
@click.pass_context
def cli(context: click.Context, /, **flags: str | None) -> None:
    """Liquidations of crypto derivatives: from the exchanges through Kafka to ClickHouse.

    Settings come from flags, LIQ_... variables, liq.toml, and defaults, in this order: `liq config show --origin`.
    """
    context.obj = dict(flags)


def _settings(context: click.Context, **more: object) -> Settings:
    loaded = settings_module.load({**context.obj, **more})
    telemetry.configure(loaded)
    return loaded


def _service(context: click.Context) -> Settings:
    exits.may_end_from_now_on()
    return _settings(context)


@cli.command()
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
    loaded = _settings(context)
    from . import run as all_in_one
    from .live import Display

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


@cli.command()
@click.option("--check", is_flag=True, help="Verify only, change nothing.")
@click.pass_context
def setup(context: click.Context, check: bool) -> None:
    """Create the topics and the tables, and verify them. Safe to repeat."""
    loaded = _settings(context)
    from .clickhouse import migrate
    from .setup import create_topics, verify_topics

    created = [] if check else create_topics(loaded)
    verify_topics(loaded)
    for name in created:
        click.echo(f"created topic {name}")
    for name in [] if check else migrate(loaded):
        click.echo(f"applied {name}")
    click.echo("topics and tables are as declared", err=True)


@cli.command()
@click.argument("exchange")
@click.option("--dry-run", is_flag=True, help="Print the frames instead of publishing them: input of `liq normalize`.")
@click.pass_context
def produce(context: click.Context, exchange: str, dry_run: bool) -> None:
    """Publish the raw frames of one EXCHANGE."""
    loaded = _service(context)
    from producers.registry import EXCHANGES
    from producers.run import run as produce_run

    from .access import TO_PRODUCE
    from .setup import verify_topics

    _known(exchange, EXCHANGES)
    if not dry_run:
        verify_topics(loaded, TO_PRODUCE)
    code = produce_run(
        exchange,
        urls=loaded.urls.get(exchange, {}),
        majors=loaded.majors,
        prefix=loaded.prefix,
        client=loaded.kafka,
        spool_dir=loaded.spool(exchange),
        spool_mib=loaded.spool_mib,
        health_file=loaded.health_file,
        dry_run=dry_run,
    )
    raise SystemExit(code)


@cli.command()
@click.argument("stage", default="normalize")
@click.pass_context
def process(context: click.Context, stage: str) -> None:
    """Run the worker of one STAGE."""
    loaded = _service(context)
    from processors.shell import run_worker
    from processors.stages import STAGES

    from .access import to_process
    from .setup import verify_topics

    _known(stage, STAGES)
    verify_topics(loaded, to_process(STAGES[stage]))
    run_worker(
        stage,
        partial(STAGES[stage].make, asset_partitions=loaded.asset_partitions),
        STAGES[stage].inputs,
        STAGES[stage].outputs,
        prefix=loaded.prefix,
        client=loaded.kafka,
        instance=f"{stage}-{loaded.instance}",
        health_file=loaded.health_file,
    )


@cli.command()
@click.pass_context
def sink(context: click.Context) -> None:
    """Land the topics in ClickHouse, and now and then rebuild the minutes that do not add up."""
    loaded = _service(context)
    from sinks.run import run as sink_run

    from .access import TO_SINK
    from .clickhouse import address, check_access
    from .rebuild import now_and_then
    from .setup import verify_topics

    verify_topics(loaded, TO_SINK)
    check_access(loaded)
    with now_and_then(loaded):
        code = sink_run(
            prefix=loaded.prefix,
            client=loaded.kafka,
            clickhouse=address(loaded),
            group=f"{loaded.prefix}sink",
            instance=f"sink-{loaded.instance}",
            health_file=loaded.health_file,
        )
    raise SystemExit(code)


@cli.command()
@click.argument("exchange")
@click.option("--port", type=click.IntRange(0, 65535), default=18080, show_default=True, help="0: a free one.")
@click.option("--rate", type=click.FloatRange(min=1), default=200, show_default=True, help="Frames a second.")
@click.option(
    "--liquidations", type=click.FloatRange(min=0), default=2, show_default=True, help="Liquidations a second."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same market.")
@click.option(
    "--truth", type=click.Path(dir_okay=False, path_type=Path), help="File for every liquidation that was made."
)
@click.pass_context
def simulate(
    context: click.Context, exchange: str, port: int, rate: float, liquidations: float, seed: int, truth: Path | None
) -> None:
    """Serve a simulated EXCHANGE that speaks its own protocol on 127.0.0.1."""
    loaded = _settings(context)
    from simulator.run import run as simulator_run

    code = simulator_run(
        exchange,
        port=port,
        seed=seed,
        rate=rate,
        liquidations_per_second=liquidations,
        truth=truth,
        health_file=loaded.health_file,
    )
    raise SystemExit(code)


@cli.command()
@click.argument("exchange")
@click.argument("file", type=click.File("rb"), default="-")
@click.pass_context
def normalize(context: click.Context, exchange: str, file: BinaryIO) -> None:
    """Turn raw frames of one EXCHANGE into records, without Kafka.

    Reads JSON lines from FILE or stdin: {"received_ns": ..., "source": ..., "payload": "<the frame, untouched>"};
    source is the URL of the socket, or the request: "GET https://host/path?query". Writes one record a line.
    Ends with 5 where a frame could not be understood.
    """
    _settings(context)
    from processors.normalize.registry import NORMALIZERS

    from .jsonlines import line
    from .normalize import fields, records

    _known(exchange, NORMALIZERS)
    dead = 0
    for record in records(exchange, file):
        dead += type(record).__name__ == "DeadLetter"
        click.echo(line(type(record).__name__, fields(record)))
    if dead:
        click.echo(f"liq: {dead} frames could not be understood; they are among the records as DeadLetter", err=True)
        raise SystemExit(exits.FINISHED_WITH_LOSSES)


@cli.command()
@click.argument("exchange")
@click.option("--from", "start", required=True, help="First moment that was received: 2026-11-20T14:00; UTC.")
@click.option("--to", "end", required=True, help="The moment behind the last one; both go by whole minutes.")
@click.option("--file", type=click.File("rb"), help="JSON lines instead of Kafka: everything of this stretch.")
@click.option("--revision", type=click.IntRange(min=1), help="Of the records; by default above all that is stored.")
@click.option(
    "--warm-up", type=click.IntRange(min=0), default=12, show_default=True, help="Minutes read before --from."
)
@click.pass_context
def replay(
    context: click.Context,
    exchange: str,
    start: str,
    end: str,
    file: BinaryIO | None,
    revision: int | None,
    warm_up: int,
) -> None:
    """Run raw of one EXCHANGE through the mapping as it is now, in place of what was made of it before.

    Publishes with a higher revision, retracts what the mapping does not make any more, rebuilds the minutes, and
    prints one JSON object of counts. Ends with 5 where the stretch has dead letters or gaps.
    """
    loaded = _settings(context)
    from processors.normalize.registry import NORMALIZERS

    from .access import TO_REPLAY
    from .replay import replay as replay_stretch
    from .setup import verify_topics
    from .stretch import Stretch, from_file, from_kafka

    _known(exchange, NORMALIZERS)
    stretch = Stretch(exchange, _minute_ms(start, "--from"), _minute_ms(end, "--to", is_end=True))
    verify_topics(loaded, TO_REPLAY)
    source = from_file(exchange, file) if file else from_kafka(loaded, stretch, warm_up)
    report = replay_stretch(loaded, stretch, source, is_file=file is not None, revision=revision)
    click.echo(orjson.dumps(report))
    if report["dead_letters"] or report["gaps"]:
        raise SystemExit(exits.FINISHED_WITH_LOSSES)


@cli.command()
@click.option("--exchange", default="", help="Only this one.")
@click.option("--from", "start", help="First minute of event time, UTC; by default 26 hours before the last.")
@click.option("--to", "end", help="The moment behind the last minute; by default some minutes ago.")
@click.pass_context
def rebuild(context: click.Context, exchange: str, start: str | None, end: str | None) -> None:
    """Add up minutes once more whose rows do not agree with their liquidations, and print how many there were."""
    loaded = _settings(context)
    from processors.normalize.registry import NORMALIZERS

    from .access import TO_REBUILD
    from .rebuild import rebuild_between
    from .setup import verify_topics

    if exchange:
        _known(exchange, NORMALIZERS)
    from_ms = _minute_ms(start, "--from") if start else None
    to_ms = _minute_ms(end, "--to", is_end=True) if end else None
    verify_topics(loaded, TO_REBUILD)
    click.echo(orjson.dumps({"minutes": rebuild_between(loaded, from_ms, to_ms, exchange)}))


def _minute_ms(text: str, option: str, *, is_end: bool = False) -> int:
    """Return the start of a moment's minute, for the end of a stretch that of the next one, in ms since the epoch."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no moment: 2026-11-20T14:00", param_hint=option) from error
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return (math.ceil(seconds / 60) if is_end else math.floor(seconds / 60)) * 60_000


@cli.command()
@click.argument("topic")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=10, show_default=True, help="Newest records to show."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.pass_context
def tail(context: click.Context, topic: str, lines: int, follow: bool) -> None:
    """Print the newest records of a TOPIC, decoded, as JSON lines."""
    loaded = _settings(context)
    from .tail import tail as tail_lines

    for text in tail_lines(loaded, topic, lines, follow):
        click.echo(text)


@cli.command()
@click.argument("liquidation_id", metavar="ID")
@click.pass_context
def evidence(context: click.Context, liquidation_id: str) -> None:
    """Print a liquidation, by its ID of 32 hex digits, and the frame that it came from: one JSON object."""
    loaded = _settings(context)
    from . import clickhouse
    from .jsonlines import as_text

    if not re.fullmatch("[0-9a-f]{32}", liquidation_id):
        raise click.BadParameter(f"{liquidation_id!r} is no id: 32 hex digits, in lower case", param_hint="ID")
    found = clickhouse.evidence(loaded, liquidation_id)
    if found is None:
        raise exits.Ended(f"{loaded.database} knows no liquidation {liquidation_id}: is it of another market?")
    click.echo(orjson.dumps(found, default=as_text))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Show how far each stage is and what lies in topics and tables."""
    loaded = _settings(context)
    from .status import collect, table

    found = collect(loaded)
    click.echo(orjson.dumps(found) if as_json else table(found))


@cli.group()
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


def _known(name: str, registry: Any) -> None:
    if name not in registry:
        raise click.BadParameter(f"{name!r} is not one of {', '.join(registry)}")


def main() -> None:
    """Run the command; every end has its code."""
    raise SystemExit(_guarded(lambda: cli(standalone_mode=False)))


def _guarded(command: Callable[[], object]) -> int:
    try:
        command()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return exits.INTERRUPTED
    except exits.Signalled as ended:
        return ended.code
    except exits.Ended as error:
        click.echo(f"liq: {error}", err=True)
        return error.code
    except BrokenPipeError:  # `liq tail ... | head` has seen enough
        sys.stderr.close()
        return 0
    return 0

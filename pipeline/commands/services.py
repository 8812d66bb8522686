"""The services: `liq produce`, `liq process`, `liq sink`; and the exchange that `liq simulate` plays."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import click

from ..exits import BadConfiguration, Refused, Unreachable
from ..settings import Settings
from .given import known, settings_of, settings_of_service


@click.command()
@click.argument("exchange")
@click.option("--dry-run", is_flag=True, help="Print the frames instead of publishing them: input of `liq normalize`.")
@click.pass_context
def produce(context: click.Context, exchange: str, dry_run: bool) -> None:
    """Publish the raw frames of one EXCHANGE."""
    loaded = settings_of_service(context)
    from producers.registry import EXCHANGES
    from producers.run import run as produce_run

    known(exchange, EXCHANGES)
    if not dry_run:
        _verify_raw(loaded, exchange)
        _keep_apart(loaded, exchange, EXCHANGES[exchange].hosts)
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


def _verify_raw(loaded: Settings, exchange: str) -> None:
    """Verify the topic, or raise; but where Kafka is away and a spool is left from before, that takes more frames."""
    from producers.spool import is_waiting

    from ..access import TO_PRODUCE
    from ..setup import verify_topics

    try:
        verify_topics(loaded, TO_PRODUCE)
    except Unreachable as away:
        if isinstance(away, Refused) or not is_waiting(loaded.spool(exchange)):
            raise


def _keep_apart(loaded: Settings, exchange: str, hosts: Iterable[str]) -> None:
    """Raise where frames of a real exchange would get among simulated ones."""
    missing = [f"LIQ_URLS__{exchange}__{host}".upper() for host in hosts if host not in loaded.urls.get(exchange, {})]
    if loaded.market == "sim" and missing:
        raise BadConfiguration(
            f"the market sim takes simulated exchanges only: set {', '.join(missing)}, or --market live"
        )


@click.command()
@click.argument("stage", default="normalize")
@click.pass_context
def process(context: click.Context, stage: str) -> None:
    """Run the worker of one STAGE."""
    loaded = settings_of_service(context)
    from processors.shell import run_worker
    from processors.stages import STAGES

    from ..access import to_process
    from ..setup import verify_topics

    known(stage, STAGES)
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


@click.command()
@click.pass_context
def sink(context: click.Context) -> None:
    """Land the topics in ClickHouse, and now and then rebuild the minutes that do not add up."""
    loaded = settings_of_service(context)
    from sinks.run import run as sink_run

    from ..access import TO_SINK
    from ..clickhouse import address, check_access
    from ..rebuild import now_and_then
    from ..setup import verify_topics

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


@click.command()
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
    loaded = settings_of(context)
    from simulator.exchanges.registry import EXCHANGES
    from simulator.run import run as simulator_run

    known(exchange, EXCHANGES)
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

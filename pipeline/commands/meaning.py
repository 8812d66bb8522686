"""What frames mean, once more: `liq normalize`, `liq replay`, `liq rebuild`."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import BinaryIO

import click
import orjson

from .. import exits
from .given import known, settings_of


@click.command()
@click.argument("exchange")
@click.argument("file", type=click.File("rb"), default="-")
@click.pass_context
def normalize(context: click.Context, exchange: str, file: BinaryIO) -> None:
    """Turn raw frames of one EXCHANGE into records, without Kafka.

    Reads JSON lines from FILE or stdin: {"received_ns": ..., "source": ..., "payload": "<the frame, untouched>"};
    source is the URL of the socket, or the request: "GET https://host/path?query". Writes one record a line.
    Ends with 5 where a frame could not be understood.
    """
    settings_of(context)
    from processors.normalize.registry import NORMALIZERS

    from ..jsonlines import line
    from ..normalize import fields, records, stage_of

    known(exchange, NORMALIZERS)
    stage = stage_of(exchange)
    for record in records(stage, exchange, file):
        click.echo(line(type(record).__name__, fields(record)))
    if stage.unfilled:
        click.echo(f"liq: {stage.unfilled} printed liquidations had nothing executed: no records", err=True)
    if stage.dead_letters:
        letters = stage.dead_letters - stage.counts["suppressed"]
        told = f"{stage.dead_letters} frames could not be understood; {letters} of them are among the records"
        click.echo(f"liq: {told} as DeadLetter, a channel that fails in a row has no more", err=True)
        raise SystemExit(exits.FINISHED_WITH_LOSSES)


@click.command()
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
    loaded = settings_of(context)
    from processors.normalize.registry import NORMALIZERS

    from ..access import TO_REPLAY
    from ..replay import replay as replay_stretch
    from ..setup import verify_topics
    from ..stretch import Stretch, from_file, from_kafka

    known(exchange, NORMALIZERS)
    stretch = Stretch(exchange, _minute_ms(start, "--from"), _minute_ms(end, "--to", is_end=True))
    verify_topics(loaded, TO_REPLAY)
    source = from_file(exchange, file) if file else from_kafka(loaded, stretch, warm_up)
    report = replay_stretch(loaded, stretch, source, is_file=file is not None, revision=revision)
    click.echo(orjson.dumps(report))
    if report["dead_letters"] or report["gaps"]:
        raise SystemExit(exits.FINISHED_WITH_LOSSES)


@click.command()
@click.option("--exchange", default="", help="Only this one.")
@click.option("--from", "start", help="First minute of event time, UTC; by default 26 hours before the last.")
@click.option("--to", "end", help="The moment behind the last minute; by default some minutes ago.")
@click.pass_context
def rebuild(context: click.Context, exchange: str, start: str | None, end: str | None) -> None:
    """Add up minutes once more whose rows do not agree with their liquidations, and print how many there were."""
    loaded = settings_of(context)
    from processors.normalize.registry import NORMALIZERS

    from ..access import TO_REBUILD
    from ..rebuild import rebuild_between
    from ..setup import verify_topics

    if exchange:
        known(exchange, NORMALIZERS)
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

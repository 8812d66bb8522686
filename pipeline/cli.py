"""The command `liq`: data on stdout, everything else on stderr, one line for what went wrong."""

from __future__ import annotations

import errno
from collections.abc import Callable

import click

from . import exits
from .commands.looks import config, evidence, status, tail
from .commands.meaning import normalize, rebuild, replay
from .commands.run import run, setup
from .commands.services import process, produce, simulate, sink

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


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


for group in (
    (run, setup),
    (produce, process, sink, simulate),
    (normalize, replay, rebuild),
    (tail, evidence, status, config),
):
    for command in group:
        cli.add_command(command)


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
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # `liq tail ... | head` has seen enough; click makes it 1
            return 0
        raise
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        click.echo(f"liq: {error.strerror}: make room, or write elsewhere", err=True)
        return exits.FAILURE
    return 0

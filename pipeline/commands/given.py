"""What every command is given: the settings, and names that must be known."""

from __future__ import annotations

from collections.abc import Collection

import click

from .. import exits, telemetry
from .. import settings as settings_module
from ..settings import Settings


def settings_of(context: click.Context, **more: object) -> Settings:
    """Return the settings, with what the command line says on top."""
    loaded = settings_module.load({**context.obj, **more})
    telemetry.configure(loaded)
    return loaded


def settings_of_service(context: click.Context) -> Settings:
    """Return the settings of a command that works until a signal, which from now on is no failure."""
    exits.may_end_from_now_on()
    return settings_of(context)


def known(name: str, registry: Collection[str]) -> None:
    """Raise a usage error for a name that is not in the registry."""
    if name not in registry:
        raise click.BadParameter(f"{name!r} is not one of {', '.join(registry)}")

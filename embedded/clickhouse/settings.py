"""Settings that come with a query hold for that query; what the session had before is put back for the next."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from chdb import ChdbError

from embedded.clickhouse.engine import Engine
from embedded.clickhouse.statements import quoted
from embedded.clickhouse.wire import Setting

UNKNOWN_SETTING = "Code: 115."
QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.S)


class Override(NamedTuple):
    value: str  # what a query asked for
    restore: str  # as SQL: what the session had, or DEFAULT


class Settings:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._overrides: dict[str, Override] = {}

    def apply(self, settings: Mapping[str, Setting], parameters: Mapping[str, str]) -> None:
        """Makes these, and no others, the settings of the next query. Raises ChdbError where one is wrong."""
        for name in [name for name in self._overrides if name not in settings]:
            self._engine.run(f"SET {name} = {self._overrides.pop(name).restore}")
        for name, setting in settings.items():
            self._override(name, setting)
        for name, value in parameters.items():
            self._engine.run(f"SET param_{name} = {value if QUOTED.fullmatch(value) else quoted(value)}")

    def _override(self, name: str, setting: Setting) -> None:
        known = self._overrides.get(name)
        if known and known.value == setting.value:
            return
        restore = known.restore if known else self._current(name)
        try:
            self._engine.run(f"SET {name} = {quoted(setting.value)}")
        except ChdbError as e:
            if UNKNOWN_SETTING not in str(e) or setting.important:
                raise
            return  # as a server does: a client may know settings that this version does not
        self._overrides[name] = Override(setting.value, restore)

    def _current(self, name: str) -> str:
        found = self._engine.rows(f"SELECT value FROM system.settings WHERE name = {quoted(name)} AND changed")
        return quoted(found[0][0]) if found else "DEFAULT"

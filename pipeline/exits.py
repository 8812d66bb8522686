"""How a command ends: each way has a code, and a line that says what to do."""

from __future__ import annotations

import signal
import sys

FAILURE = 1
CONFIGURATION = 3
UNREACHABLE = 4
FINISHED_WITH_LOSSES = 5
INTERRUPTED = 130
TERMINATED = 143

EPILOG = (
    "Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 Kafka or ClickHouse unreachable or refusing us, "
    "5 finished with dead letters or gaps, 130 and 143 ended by a signal."
)


class Ended(Exception):
    """The command cannot go on; the message says why and what to do."""

    code = FAILURE


class Signalled(Exception):
    """The user or the system asked for the end."""

    def __init__(self, number: int) -> None:
        """Keep the exit code that belongs to the signal."""
        super().__init__(signal.Signals(number).name)
        self.code = INTERRUPTED if number == signal.SIGINT else TERMINATED


class BadConfiguration(Ended):
    """A setting is wrong or missing."""

    code = CONFIGURATION


class Unreachable(Ended):
    """Kafka or ClickHouse does not answer."""

    code = UNREACHABLE


class Refused(Unreachable):
    """Kafka or ClickHouse answers, and does not know us or does not let us."""


def may_end_from_now_on() -> None:
    """End with 0 where a service is told to stop while it still starts, as it does later."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

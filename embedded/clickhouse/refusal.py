"""Statements and clients that this server answers itself, with the error codes of ClickHouse."""

NOT_IMPLEMENTED = 48
SYNTAX_ERROR = 62
UNKNOWN_PACKET = 99
READONLY = 164
TOO_MANY_CLIENTS = 202
NOT_ENOUGH_SPACE = 243
AUTHENTICATION_FAILED = 516
UNKNOWN_EXCEPTION = 1002


class Refused(Exception):
    """The message says what to do, `code` is one of the above."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class LostWrites(Refused):
    """The engine could not write and has parts in memory that the disk has not."""

    def __init__(self) -> None:
        super().__init__(
            NOT_ENOUGH_SPACE,
            "The engine could not write to its files: make room on the disk. "
            "The statement is undone, or in doubt if it was not an INSERT; the server now reloads what is on the disk",
        )

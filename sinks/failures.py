"""What a failed statement means: wait and repeat, a row to blame, or the end."""

from __future__ import annotations

from enum import Enum

from clickhouse_driver import errors


class CannotGoOn(Exception):
    """The sink ends; the message says why and what to do. Nothing is lost: Kafka delivers again."""


class Meaning(Enum):
    """What to do about a failure."""

    PASSES = "wait, connect again and repeat: the rows replace themselves if they had arrived"
    ROW = "one of the rows is to blame"
    FINAL = "neither helps"


# The numbers of src/Common/ErrorCodes.cpp.
PASSING = {
    32: "ATTEMPT_TO_READ_AFTER_EOF",
    74: "CANNOT_READ_FROM_FILE_DESCRIPTOR",
    75: "CANNOT_WRITE_TO_FILE_DESCRIPTOR",
    76: "CANNOT_OPEN_FILE",
    159: "TIMEOUT_EXCEEDED",
    173: "CANNOT_ALLOCATE_MEMORY",
    198: "DNS_ERROR",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    225: "NO_ZOOKEEPER",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    285: "TOO_FEW_LIVE_REPLICAS",
    286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
    319: "UNKNOWN_STATUS_OF_INSERT",
    394: "QUERY_WAS_CANCELLED",
    425: "SYSTEM_ERROR",
    439: "CANNOT_SCHEDULE_TASK",
    745: "SERVER_OVERLOADED",
    999: "KEEPER_EXCEPTION",
}
BLAMING_A_ROW = {
    6: "CANNOT_PARSE_TEXT",
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    38: "CANNOT_PARSE_DATE",
    41: "CANNOT_PARSE_DATETIME",
    53: "TYPE_MISMATCH",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    72: "CANNOT_PARSE_NUMBER",
    117: "INCORRECT_DATA",
    131: "TOO_LARGE_STRING_SIZE",
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    469: "VIOLATED_CONSTRAINT",
    691: "UNKNOWN_ELEMENT_OF_ENUM",
}
NOT_LET_IN = {
    192: "UNKNOWN_USER",
    193: "WRONG_PASSWORD",
    194: "REQUIRED_PASSWORD",
    497: "ACCESS_DENIED",
    516: "AUTHENTICATION_FAILED",
}


def code_of(error: Exception) -> int:
    """Return ClickHouse's number of an error; 210, a broken connection, for those of the operating system."""
    return int(error.code or 0) if isinstance(error, errors.Error) else 210


def meaning_of(error: Exception) -> Meaning:
    """Say what to do about a failure of clickhouse-driver."""
    if isinstance(error, errors.LogicalError) or code_of(error) in BLAMING_A_ROW:
        return Meaning.ROW  # the driver's LogicalError: a value that the Enum does not have
    lost_track = (errors.UnexpectedPacketFromServerError, errors.PartiallyConsumedQueryError)
    if isinstance(error, lost_track) or code_of(error) in PASSING:
        return Meaning.PASSES
    return Meaning.FINAL


def is_of_tls(error: Exception) -> bool:
    """Say whether certificates or protocols did not fit; of that the driver hands on only the text."""
    return "[SSL" in str(error)


def in_one_line(error: Exception) -> str:
    """Return what went wrong, without the stack trace of the server."""
    text = str(getattr(error, "message", None) or error).partition("Stack trace:")[0]
    return " ".join(text.split()) or repr(error)

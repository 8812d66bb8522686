"""The server's process: python -m embedded.clickhouse DIRECTORY --port N; ends on SIGTERM."""

import argparse
import faulthandler
import logging
import os
import resource
import signal
import socket
import sys
import threading
from functools import partial
from pathlib import Path

from chdb import ChdbError

from embedded.clickhouse.engine import Engine
from embedded.clickhouse.listener import Listener
from embedded.clickhouse.server import READY
from embedded.clickhouse.session import User

READER_SETTINGS = {"max_execution_time": "60", "max_result_rows": "10000000"}


def main() -> str | None:
    """Returns why it could not start."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    faulthandler.enable()
    if arguments.max_file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (arguments.max_file_bytes, arguments.max_file_bytes))
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    _prepare_spool(arguments.directory / "spool")
    connect = partial(Engine, arguments.directory, dict(arguments.option))
    try:
        sock = socket.create_server(("127.0.0.1", arguments.port), backlog=128)
        listener = Listener(sock, _users(), connect, arguments.max_clients)
    except (OSError, ChdbError) as e:
        reason = str(e).partition("\n")[0]  # a stack trace of the engine follows
        return f"cannot serve {arguments.directory} on port {arguments.port}: {reason}"
    logging.info("%s, on port %d", READY.decode(), arguments.port)
    listener.serve(ended)
    return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="embedded.clickhouse", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--max-clients", type=int, default=100)
    parser.add_argument("--max-file-bytes", type=int, help="fail writes beyond it, as a full disk would")
    parser.add_argument(
        "--option", action="append", default=[], type=lambda text: text.split("=", 1), help="NAME=VALUE"
    )
    return parser.parse_args()


def _users() -> dict[str, User]:
    """Passwords are not on the command line, where every user of the machine could read them."""
    return {
        "default": User(os.environ.get("CLICKHOUSE_PASSWORD", "")),
        "reader": User(os.environ.get("CLICKHOUSE_READER_PASSWORD", ""), READER_SETTINGS, readonly=True),
    }


def _prepare_spool(spool: Path) -> None:
    """Rows of inserts that were under way when an earlier process was killed are no use."""
    spool.mkdir(exist_ok=True)
    for left in spool.iterdir():
        left.unlink()


if __name__ == "__main__":
    sys.exit(main())

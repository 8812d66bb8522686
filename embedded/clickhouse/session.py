"""One client: its statements go to an engine connection of its own, blocks come back."""

import hmac
import logging
import re
import select
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from chdb import ChdbError

from embedded.clickhouse import wire
from embedded.clickhouse.engine import Engine
from embedded.clickhouse.execution import Execution, Running
from embedded.clickhouse.reader import Malformed
from embedded.clickhouse.refusal import AUTHENTICATION_FAILED, UNKNOWN_EXCEPTION, UNKNOWN_PACKET, LostWrites, Refused
from embedded.clickhouse.statements import quoted, quoted_name
from embedded.clickhouse.wire import Cancelled, Hello, Wire

log = logging.getLogger(__name__)

ENGINE_ERROR = re.compile(r"Code: (\d+)\. (?:DB::Exception: )?(.*)", re.S)
HELLO_TIMEOUT_S, PACKET_TIMEOUT_S = 10.0, 300.0
CLOSED, CANCEL = b"", bytes([wire.FROM_CANCEL])


@dataclass(frozen=True)
class User:
    password: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    readonly: bool = False


class Session:
    """`serve` is for a thread of its own; the other methods are for the thread that watches it."""

    def __init__(
        self,
        sock: socket.socket,
        tag: str,
        users: Mapping[str, User],
        connect: Callable[[], Engine],
        on_lost_writes: Callable[[], None],
    ) -> None:
        self._wire = Wire(sock)
        self._tag = tag
        self._users = users
        self._connect = connect
        self._on_lost_writes = on_lost_writes
        self._running = Running(tag)
        self._leaving = False  # its client is being told why
        self._progress = [0, 0, 0]

    def cancel_if_abandoned(self, admin: Engine) -> None:
        """Ends the running query when its client has cancelled it, or left."""
        if self._running.now and select.select([self._wire.sock], [], [], 0)[0]:
            try:
                begins = self._wire.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except OSError:
                begins = CLOSED
            if begins in (CLOSED, CANCEL):
                self._running.cancel(admin)

    def end(self, admin: Engine) -> None:
        """Ends the running query and the connection."""
        self._running.cancel(admin)
        if not self._leaving:
            self._hang_up()

    def close(self) -> None:
        """After `serve` has returned: before, this socket's number might already be another one's."""
        self._wire.sock.close()

    def refuse(self, error: Exception) -> None:
        """Tells the client why, if it is still there."""
        found = ENGINE_ERROR.search(str(error))
        code = error.code if isinstance(error, Refused) else int(found[1]) if found else UNKNOWN_EXCEPTION
        message = found[2] if found else str(error)
        try:
            self._wire.send_exception(code, f"DB::Exception: {message}")
        except OSError:
            log.debug("%s: gone before it was told: %s", self._tag, message)

    def serve(self) -> None:
        """Returns when the client is gone, or was told why it has to go."""
        engine = self._connect()
        try:
            user = self._greet(engine)
            execution = Execution(engine, self._wire, self._running, user.readonly)
            while True:
                self._packet(execution)
        except LostWrites as e:
            self._leaving = True
            self._on_lost_writes()  # first: a client that comes back at once must find the reloaded engine
            self.refuse(e)
        except (ChdbError, Refused) as e:  # of the greeting
            self.refuse(e)
        except (Malformed, ValueError) as e:  # the latter: a FixedString of no number, say
            log.warning("%s: %s", self._tag, e)
            self.refuse(Refused(UNKNOWN_PACKET, f"{self._tag}: {e}"))
        except (EOFError, OSError) as e:
            log.debug("%s: gone (%r)", self._tag, e)
        finally:
            engine.close()
            self._hang_up()

    def _packet(self, execution: Execution) -> None:
        packet = self._wire.packet(None, PACKET_TIMEOUT_S)
        if packet == wire.FROM_QUERY:
            self._query(execution)
        elif packet == wire.FROM_PING:
            self._wire.send(wire.PONG)
        elif packet == wire.FROM_DATA:
            self._wire.block()  # of an INSERT that failed while its rows were under way
        elif packet != wire.FROM_CANCEL:  # a cancel that came after the end is nothing
            raise Malformed(f"packet {packet}")
        self._wire.flush()

    def _query(self, execution: Execution) -> None:
        query = self._wire.query()
        self._running.cancelled = False
        self._progress = [0, 0, 0]
        try:
            execution.run(query)
        except Cancelled:
            pass
        except LostWrites:
            raise
        except (ChdbError, Refused) as e:
            if not self._running.cancelled:
                self.refuse(e)
                return
        self._wire.send(wire.END)

    def _greet(self, engine: Engine) -> User:
        if self._wire.packet(HELLO_TIMEOUT_S, HELLO_TIMEOUT_S) != wire.FROM_HELLO:
            raise Malformed("no hello")
        hello = self._wire.hello()
        user = self._authenticated(hello)
        if hello.revision < wire.REVISION:
            reason = f"speaks revision {hello.revision} of the protocol, this server needs {wire.REVISION} or later"
            raise Refused(UNKNOWN_PACKET, f"{hello.client} {reason}: install a newer client")
        if hello.database:
            engine.run(f"USE {quoted_name(hello.database)}")
        for name, value in {"log_comment": self._tag, "implicit_select": "0", **user.settings}.items():
            engine.run(f"SET {name} = {quoted(value)}")
        if user.readonly:
            engine.run("SET readonly = 1")  # last: it forbids further settings
        engine.on_progress(self._on_progress)
        self._wire.send_hello(*engine.version_and_timezone())
        self._wire.addendum()
        return user

    def _authenticated(self, hello: Hello) -> User:
        user = self._users.get(hello.user)
        right = user.password if user else ""
        same = hmac.compare_digest(hello.password.encode(errors="surrogateescape"), right.encode())
        if user is None or not same:
            reason = "password is incorrect, or there is no user with such name"
            raise Refused(AUTHENTICATION_FAILED, f"{hello.user}: Authentication failed: {reason}")
        return user

    def _on_progress(self, progress: dict[str, int]) -> None:
        """Called by the engine, about ten times a second, in the middle of a query."""
        now = [progress["read_rows"], progress["read_bytes"], progress["total_rows_to_read"]]
        if self._running.now and now != self._progress:
            rows, size, total = (max(0, new - old) for new, old in zip(now, self._progress, strict=True))
            self._progress = now
            try:
                self._wire.send_progress(rows, size, total)
            except OSError:  # the client is gone; the query notices when it sends
                self._running.cancelled = True

    def _hang_up(self) -> None:
        with suppress(OSError):  # the client was quicker
            self._wire.sock.shutdown(socket.SHUT_RDWR)

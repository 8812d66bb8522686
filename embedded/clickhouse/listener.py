"""The server's life: accepts clients, ends queries nobody waits for, reloads the engine when it lost writes."""

import itertools
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping

from embedded.clickhouse.engine import Engine
from embedded.clickhouse.refusal import TOO_MANY_CLIENTS, Refused
from embedded.clickhouse.session import Session, User

log = logging.getLogger(__name__)

TICK_S = 0.1
CHECK_WRITES_S = 1.0
PATIENCE_S = 10.0  # for a session to end


class Listener:
    """Everything here happens in the thread that calls `serve`; each session has a thread of its own."""

    def __init__(
        self, sock: socket.socket, users: Mapping[str, User], connect: Callable[[int], Engine], max_clients: int
    ) -> None:
        """`connect` receives the number of writes that had failed before; it raises ChdbError where it cannot."""
        self._sock = sock
        self._users = users
        self._connect = connect
        self._max_clients = max_clients
        self._failed_writes = 0
        self._admin = self._connection()  # keeps the engine open while there is no session
        self._sessions: dict[Session, threading.Thread] = {}
        self._numbers = itertools.count(1)
        self._lost_writes = threading.Event()

    def serve(self, ended: threading.Event) -> None:
        """Returns soon after `ended` is set, with the engine closed."""
        check_writes_at = 0.0
        while not ended.is_set():
            arrived = select.select([self._sock], [], [], TICK_S)[0]
            if self._lost_writes.is_set():
                self._reload()
            self._look_after_sessions()
            if arrived:
                self._admit(self._sock.accept()[0])
            if time.monotonic() > check_writes_at:
                check_writes_at = time.monotonic() + CHECK_WRITES_S
                if self._admin.has_lost_writes():  # by a merge, say: sessions report their own
                    self._lost_writes.set()
        self._sock.close()
        self._close()

    def _connection(self) -> Engine:
        return self._connect(self._failed_writes)

    def _admit(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = Session(sock, f"session-{next(self._numbers)}", self._users, self._connection, self._lost_writes.set)
        if len(self._sessions) >= self._max_clients:
            session.refuse(Refused(TOO_MANY_CLIENTS, f"Too many clients, at most {self._max_clients}"))
            session.close()
            return
        self._sessions[session] = threading.Thread(target=session.serve, daemon=True)
        self._sessions[session].start()

    def _look_after_sessions(self) -> None:
        for session, thread in list(self._sessions.items()):
            if thread.is_alive():
                session.cancel_if_abandoned(self._admin)
            else:
                session.close()
                del self._sessions[session]

    def _reload(self) -> None:
        """Goes back to what is on the disk, where the engine's memory is ahead of it.

        A part that is there only in pieces is left out when the engine opens its tables, and what a failed merge had
        merged still lies there for some minutes and counts again. So nothing that was acknowledged is lost,
        but for what was in tables of the engine Memory.
        """
        log.warning("the engine failed to write to its files: reloading what is on the disk")
        self._close()
        self._lost_writes.clear()
        self._admin = self._connection()
        self._admin.remove_broken_parts()

    def _close(self) -> None:
        """The engine ends with its last connection, which must be ours: sessions first."""
        for session in self._sessions:
            session.end(self._admin)
        for session, thread in self._sessions.items():
            thread.join(PATIENCE_S)
            if thread.is_alive():
                raise RuntimeError(f"a session did not end within {PATIENCE_S:.0f} s")
            session.close()
        self._sessions.clear()
        self._failed_writes = self._admin.failed_writes()
        self._admin.close()

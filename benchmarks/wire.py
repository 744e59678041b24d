"""A wire between clients and a server that can be cut, held, or made to lose an answer: what networks do."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Wire:
    """Passes on what comes to `path` (a socket) to the server at `server` (a socket too)."""

    def __init__(self, path: Path, server: Path) -> None:
        self.path, self.server = path, server
        self.url = f"unix://{path}"
        self.lost = threading.Event()
        """Set once the answer that was to be lost is lost."""
        self._lose: bytes | None = None
        self._ends: dict[socket.socket, tuple[socket.socket, bool]] = {}
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._door: socket.socket | None = None
        self.join()
        self._thread = threading.Thread(target=self._run, daemon=True, name="wire")
        self._thread.start()

    def lose_answer_to(self, command: bytes) -> None:
        """Carry the next request with this word in it to the server, and cut the connection instead of answering."""
        self.lost.clear()
        self._lose = command

    def cut(self) -> None:
        """Cut every connection; new ones are taken."""
        with self._lock:
            for end in list(self._ends):
                self._drop(end)

    def part(self) -> None:
        """Cut every connection, and take no new one until `join`."""
        with self._lock:
            if self._door is not None:
                self._selector.unregister(self._door)
                self._door.close()
                self._door = None
            self.path.unlink(missing_ok=True)
        self.cut()

    def join(self) -> None:
        """Take connections again."""
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(self.path))
        door.listen(64)
        with self._lock:
            self._door = door
            self._selector.register(door, selectors.EVENT_READ)

    def close(self) -> None:
        """Cut everything, for good."""
        self._over.set()
        self._thread.join()
        self.part()
        self._selector.close()

    def _run(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(0.02):
                with self._lock, contextlib.suppress(OSError):
                    self._turn(key.fileobj)

    def _turn(self, end: Any) -> None:
        if self._door is not None and end is self._door:
            self._take(self._door.accept()[0])
        elif end in self._ends:
            self._carry(end)

    def _take(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self.server))
        except OSError:
            client.close()
            server.close()
            return
        for end, other, is_server in ((client, server, False), (server, client, True)):
            self._ends[end] = (other, is_server)
            self._selector.register(end, selectors.EVENT_READ)

    def _carry(self, end: socket.socket) -> None:
        other, is_server = self._ends[end]
        try:
            data = end.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            self._drop(end)
            return
        loses = self._lose is not None and not is_server and self._lose in data
        other.sendall(data)
        if loses:
            other.recv(1 << 20)  # the server has done it
            self._lose = None
            self._drop(end)
            self.lost.set()

    def _drop(self, end: socket.socket) -> None:
        if end in self._ends:
            for one in (end, self._ends[end][0]):
                del self._ends[one]
                self._selector.unregister(one)
                one.close()


@contextmanager
def wire(path: Path, server: Path) -> Iterator[Wire]:
    """A wire, closed at the end."""
    made = Wire(path, server)
    try:
        yield made
    finally:
        made.close()

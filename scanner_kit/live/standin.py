"""The stand-in for a private server, where no program is found: fakeredis, in Python, which keeps nothing.

It listens on the socket of the state folder, or, on Windows, on a free port of this machine alone.
"""

import io
import itertools
import select
import socket
import sys
from typing import Any

from fakeredis import TcpFakeServer
from fakeredis._clients._tcp_server import TCPFakeRequestHandler

from scanner_kit.live.server import Place


class StandIn(TcpFakeServer):
    """fakeredis on the address that it is given: a host and a port, or the path of a socket."""

    request_queue_size = 128

    def __init__(self, address: Any) -> None:
        if isinstance(address, str):
            self.address_family = socket.AF_UNIX
        self._clients = itertools.count()
        super().__init__(address)
        self.RequestHandlerClass = _Client

    @classmethod
    def at(cls, place: Place) -> "StandIn":
        """A stand-in at the place of a private server."""
        if sys.platform == "win32":
            server = cls(("127.0.0.1", 0))
            place.say(f"redis://127.0.0.1:{server.server_address[1]}", "demo", None)
            return server
        place.say(place.url, "demo", None)
        place.socket.unlink(missing_ok=True)
        return cls(str(place.socket))

    def get_request(self) -> tuple[Any, Any]:
        """The next client, under a name of its own: on a socket of a file all have the same."""
        return super().get_request()[0], ("client", next(self._clients))


class _Client(TCPFakeRequestHandler):
    """A client whose answers may be larger than what the connection takes at once."""

    def setup(self) -> None:
        super().setup()
        self.wfile = self.writer.writer = _Patient(self.connection)


class _Patient(io.BufferedIOBase):
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        left = memoryview(data)
        while left:
            try:
                left = left[self._connection.send(left) :]
            except BlockingIOError:
                select.select([], [self._connection], [], 1.0)
        return len(data)

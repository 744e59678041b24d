"""The stand-in for a private server, where no program is found: fakeredis, in Python, which keeps nothing.

It listens on the socket of the state folder, or, on Windows, on a free port of this machine alone.
"""

import io
import itertools
import select
import socket
import sys
from typing import Any

import redis
from fakeredis import TcpFakeServer
from fakeredis._clients._tcp_server import TCPFakeRequestHandler
from fakeredis._helpers import SimpleError

from scanner_kit.live.server import Place

TURN = 0.1
"""Seconds after which who waits for a client looks whether the server is to end."""
AT_ONCE = 1 << 20
"""Bytes that are taken from a client at once."""


class StandIn(TcpFakeServer):
    """fakeredis on the address that it is given: a host and a port, or the path of a socket."""

    request_queue_size = 128

    def __init__(self, address: Any) -> None:
        if isinstance(address, str):
            self.address_family = socket.AF_UNIX
        self._clients = itertools.count()
        super().__init__(address)
        self.RequestHandlerClass = _Client
        self.fake_server.dbs[0]  # made before there are clients: of two that come at once each would make its own

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
    """A client that stays connected when it is told of an error, and whose requests and answers may be large.

    fakeredis's own closes the connection after an error, fails where it does not take an answer at once, and takes what
    it is sent line by line: of a value of some megabytes that takes so long that the client gives up.
    """

    def setup(self) -> None:
        super().setup()
        self.wfile = self.writer.writer = _Patient(self.connection)

    def handle(self) -> None:
        try:
            while not self.server._shutdown_event.is_set():
                if self.current_client.can_read():
                    self.writer.dump(self._answer())
                elif select.select([self.connection], [], [], TURN)[0]:
                    if (data := self._request()) == b"":
                        return
                    if data is not None:
                        self.current_client.get_socket().sendall(data)
        except OSError:
            return  # the client is gone

    def _request(self) -> bytes | None:
        """What the client has sent: empty once it is gone, None where there is nothing after all."""
        try:
            data: bytes = self.connection.recv(AT_ONCE)
        except BlockingIOError:
            return None
        return data

    def _answer(self) -> Any:
        try:
            return self.current_client.read_response()
        except redis.ResponseError as fault:
            told = str(fault)
            return SimpleError(told) if told.partition(" ")[0].isupper() else fault


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

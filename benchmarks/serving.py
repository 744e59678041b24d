"""A page served by a thread of this process, for as long as somebody looks at it; no socket and no loop outlives it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import panel as pn


@contextmanager
def serving(start: Callable[[], Any]) -> Iterator[str]:
    """The address of what `start` serves (`threaded=True`) until the block is left."""
    others = set(pn.state._servers)
    thread = start()
    until(lambda: set(pn.state._servers) - others)
    (name,) = set(pn.state._servers) - others
    server = pn.state._servers[name][0]
    until(lambda: server.port)
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        closed = threading.Event()
        server.io_loop.add_callback(_close, server, closed)
        assert closed.wait(10)
        thread.stop()
        thread.join(10)
        assert not thread.is_alive()
        server.io_loop.close()
        pn.state._servers.pop(name, None)
        pn.state._threads.pop(name, None)


async def _close(server: Any, closed: threading.Event) -> None:
    """Take no more connections, then let go of those that a browser keeps: one accepted in between would stay open."""
    server._http.stop()
    await server._http.close_all_connections()
    closed.set()


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait for something that comes by itself."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)

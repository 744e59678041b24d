"""Serving the live page: in this process with `serve(board)`, or by `panel serve dashboards/live.py`.

>>> board = shared_board()
>>> board is shared_board()
True
"""

import logging
from collections.abc import Callable
from typing import Any

import panel as pn
from tornado.websocket import WebSocketClosedError

from scanner_kit.views.feed import Board
from scanner_kit.views.page import TITLE, live

BOARD = "scanner_kit.board"
UNUSED_SESSION_MS = 600_000


def extension() -> None:
    """Load what the pages need, from this machine; a page that loses its connection finds its way back."""
    pn.extension(reconnect=True)
    for name in ("asyncio", "bokeh.server.views.ws"):
        logging.getLogger(name).addFilter(worth_saying)  # one that is there already is not added again


def worth_saying(record: logging.LogRecord) -> bool:
    """Whether a record of a log says more than that a browser left while something was on its way to it.

    Tornado leaves the failure of such a message in a task that nobody asks, and asyncio tells it as an error, with a
    traceback; Bokeh warns of those after it.
    """
    said, fault = record.getMessage(), record.exc_info[1] if record.exc_info else None
    if isinstance(fault, WebSocketClosedError):
        return "WebSocketProtocol13.write_message" not in said
    return said != "Failed sending message as connection was closed"


def share(board: Board) -> Board:
    """Make a board the one that every page of this process shows."""
    pn.state.cache[BOARD] = board
    return board


def shared_board(make: Callable[[], Board] = Board) -> Board:
    """The board that this process shows, made when it is first asked for: one engine feeds all sessions."""
    if BOARD not in pn.state.cache:
        share(make())
    board: Board = pn.state.cache[BOARD]
    return board


def serve(board: Board, port: int = 5006, *, address: str = "127.0.0.1", show: bool = False, **options: Any) -> Any:
    """Serve the live page of a board on this process's event loop; returns the server, started.

    `options` go to `panel.serve`; with `start=False` it starts with the loop of the caller.
    """
    extension()
    share(board)
    given = {
        "start": True,
        "threaded": False,
        "unused_session_lifetime_milliseconds": UNUSED_SESSION_MS,
        "title": TITLE,
        **options,
    }
    return pn.serve({"/": _session, "live": _session}, port=port, address=address, show=show, **given)


def _session() -> Any:
    return live(shared_board())

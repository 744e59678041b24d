"""Serving: the pages of a desk (live, explorer and health) from one process.

One reader follows the bus for all sessions; a session that ends leaves nothing. `/api/health` answers machines.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import panel as pn
from tornado.ioloop import PeriodicCallback

from scanner_kit.composition import AnyScanner
from scanner_kit.errors import port_refused
from scanner_kit.meter import in_order
from scanner_kit.views import pages
from scanner_kit.views.explorer import Records, Review, explorer
from scanner_kit.views.feed import Board
from scanner_kit.views.health.answer import HealthAnswer
from scanner_kit.views.health.page import health
from scanner_kit.views.page import live
from scanner_kit.views.serve import UNUSED_SESSION_MS, extension, share

NAMES = ("live", "explorer", "health")
LOOK_MS = 200
SILENT_SECONDS = 30.0
"""A browser that answers no ping for so long is let go of: what it does not read would be kept without a bound."""
API = "/api/health"


@dataclass(frozen=True)
class Site:
    """What the pages of a process show: a board, what is stored, and who reviews it."""

    board: Board
    records: Records
    review: Review | None = None
    roster: Sequence[AnyScanner] = ()
    dark: bool = True

    def page(self, name: str) -> Any:
        """A page, for the session that asks for it."""
        made: dict[str, Callable[[], Any]] = {
            "live": lambda: live(self.board, dark=self.dark),
            "explorer": self._explorer,
            "health": lambda: health(self.board, dark=self.dark),
        }
        return made[name]()

    def routes(self) -> dict[str, Callable[[], Any]]:
        """The pages by their path; the first is what one comes to without."""
        paths = {name: (lambda name=name: self.page(name)) for name in NAMES}
        return {"/": paths["live"], **paths}

    def _explorer(self) -> Any:
        speak = [scanner for scanner in self.roster if scanner.triggers]
        names = sorted({metric.name for scanner in speak for metric in in_order(scanner.metrics())})
        return explorer(
            self.records,
            self.review,
            scanners=[scanner.name for scanner in speak],
            metrics=names,
            label=self.board.label,
            dark=self.dark,
        )


def serve(
    site: Site,
    over: threading.Event,
    *,
    port: int = 5006,
    address: str = "127.0.0.1",
    origins: Sequence[str] = (),
    show: bool = False,
    ready: Callable[[str], Any] = lambda _: None,
    **options: Any,
) -> None:
    """Serve the pages of a site until `over`, and follow its bus; `ready` is told the address when they can be opened.

    `origins` are where browsers say that they are, if not at the address itself. `options` go to `panel.serve`.
    `InvalidInput` where the port cannot be served.
    """
    server = _server(site, port, address, show, origins, options)
    ending = PeriodicCallback(lambda: server.io_loop.stop() if over.is_set() else None, LOOK_MS)
    try:
        with site.board:
            server.start()
            ending.start()
            host = "localhost" if address in ("127.0.0.1", "0.0.0.0", "::1", "::", "") else address
            ready(f"http://{host}:{server.port}")
            server.io_loop.start()
    finally:
        ending.stop()
        server.stop(wait=False)


def _server(site: Site, port: int, address: str, show: bool, origins: Sequence[str], options: Mapping[str, Any]) -> Any:
    """The pages' server, bound to its port and not yet started."""
    extension()
    share(site.board)
    pages.offer(NAMES)
    given = {
        "unused_session_lifetime_milliseconds": UNUSED_SESSION_MS,
        "websocket_ping_interval": SILENT_SECONDS,
        **({"websocket_origin": [*origins, f"localhost:{port}", f"{address}:{port}"]} if origins else {}),
        **options,
    }
    try:
        return pn.serve(
            site.routes(),
            port=port,
            address=address,
            show=show,
            start=False,
            threaded=False,
            verbose=False,
            extra_patterns=[(API, HealthAnswer, {"board": site.board})],
            **given,
        )
    except OSError as fault:
        raise port_refused(port, address, fault) from None


def browsers() -> int:
    """How many browsers are connected to the pages of this process; a session is kept a while without one."""
    servers = [server for server, _, _ in list(pn.state._servers.values())]
    return sum(session.connection_count for server in servers for session in server.get_sessions())

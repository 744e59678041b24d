"""The desk in a notebook's cell, and in a page of `panel serve`: one reader of the bus for a process.

However many cells or sessions show it.
"""

import atexit
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import panel as pn

from scanner_kit.bus.asking import Asking
from scanner_kit.bus.beats import read_beats
from scanner_kit.bus.connection import BusError
from scanner_kit.errors import UnknownName, must_be
from scanner_kit.live.health.looking import Look
from scanner_kit.live.pages.board import BusBoard
from scanner_kit.live.pages.desk import site_of
from scanner_kit.live.pages.serving import Site
from scanner_kit.live.server import bus_of, bus_there
from scanner_kit.settings import Settings, read_settings
from scanner_kit.views.health.page import health
from scanner_kit.views.page import live
from scanner_kit.views.serve import extension

BOARD, SITE = "scanner_kit.cell", "scanner_kit.site"
IDLE_SECONDS = 10.0
ALIVE_SECONDS = 10.0
ANSWER_SECONDS = 3.0


def board(settings: Settings | None = None, *, show: str = "live", height: int = 760) -> Any:
    """The live board of the desk that the settings name, in a cell; or its `explorer`, or its `health`.

    Every cell of a kernel follows one reader. When the last one is closed, or made anew, that ends by itself.
    """
    must_be(
        (Settings, type(None)), settings, "A board is of a desk's Settings", "Give read_settings(path), or nothing."
    )
    must_be(str, show, "What is shown has a name", "Write 'live', 'explorer' or 'health'.")
    known = settings or read_settings()
    shown: dict[str, Callable[[], Any]] = {
        "live": lambda: live(_board_of(known), height=height),
        "health": lambda: health(_board_of(known), height=height),
        "explorer": lambda: _site_of(known).page("explorer"),
    }
    if show not in shown:
        raise UnknownName.of("The board can be shown as", show, shown)
    return shown[show]()


def close() -> None:
    """Follow the bus no longer, whatever cells still show; they stand as they are."""
    known = pn.state.cache.pop(BOARD, None)
    if known is not None:
        known[1].stop()
        known[1].bus.close()


def page(name: str) -> Any:
    """A page of the desk that the environment's settings name, for a script of `panel serve`."""
    extension()
    site = _site_of(read_settings())
    if isinstance(site.board, BusBoard):
        site.board.start()
    return site.page(name)


def runs(settings: Settings | None = None) -> bool:
    """Whether a desk runs where the settings say: its bus is there, and an ingest or an engine is at work."""
    try:
        with bus_there(settings or read_settings()) as bus:
            recent = [beat for beat in read_beats(bus) if time.time() - beat.at < ALIVE_SECONDS]
            return any(beat.role in ("ingest", "engine") and beat.state != "stopped" for beat in recent)
    except BusError:
        return False


def _site_of(settings: Settings) -> Site:
    """The site of this process: opened when it is first asked for, closed when the process ends."""
    asked = f"{SITE} {settings.live.given()} {settings.link}"
    if asked not in pn.state.cache:
        stack = ExitStack()
        site, its_board = stack.enter_context(site_of(settings))
        stack.callback(its_board.stop)
        atexit.register(stack.close)
        pn.state.cache[asked] = site
    there: Site = pn.state.cache[asked]
    return there


def _board_of(settings: Settings) -> BusBoard:
    """The board of a kernel: the one that is there, or a new one for another desk."""
    asked = (settings.live.given().items(), settings.link)
    known = pn.state.cache.get(BOARD)
    if known is None or known[0] != repr(asked):
        close()
        bus = bus_of(settings)
        made = BusBoard(
            bus,
            settings.roster(),
            engine=Asking(bus, seconds=ANSWER_SECONDS),
            signs=Look(bus, settings.live.folder).told,
            link=settings.link,
            idle=IDLE_SECONDS,
        )
        known = pn.state.cache[BOARD] = repr(asked), made
    there: BusBoard = known[1]
    return there.start()

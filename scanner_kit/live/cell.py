"""The live board in a notebook's cell: one reader of the bus for a kernel, however many cells show it."""

from functools import partial
from typing import Any

import panel as pn

from scanner_kit.bus.asking import Asking
from scanner_kit.bus.beats import read_beats
from scanner_kit.bus.connection import Bus
from scanner_kit.live.board import BusBoard
from scanner_kit.live.looking import Look
from scanner_kit.live.server import bus_of
from scanner_kit.settings import Settings, read_settings
from scanner_kit.views.health.page import health
from scanner_kit.views.page import live

BOARD = "scanner_kit.cell"
IDLE_SECONDS = 10.0
ANSWER_SECONDS = 3.0


def board(settings: Settings | None = None, *, show: str = "live", height: int = 760) -> Any:
    """The live board of the desk that the settings name, in a cell; `show="health"` shows its whole health.

    Every cell of a kernel follows one reader. When the last one is closed, or made anew, that ends by itself.
    """
    shown = {"live": live, "health": health}[show]
    return shown(_board_of(settings or read_settings()), height=height)


def _board_of(settings: Settings) -> BusBoard:
    """The board of a kernel: the one that is there, or a new one for another desk."""
    asked = (settings.live.given().items(), settings.link)
    known = pn.state.cache.get(BOARD)
    if known is None or known[0] != repr(asked):
        if known is not None:
            known[1].stop()
        bus = bus_of(settings)
        signs = partial(_signs, Look(bus, settings.live.folder), bus)
        made = BusBoard(
            bus,
            settings.roster(),
            engine=Asking(bus, seconds=ANSWER_SECONDS),
            signs=signs,
            link=settings.link,
            idle=IDLE_SECONDS,
        )
        known = pn.state.cache[BOARD] = repr(asked), made
    there: BusBoard = known[1]
    return there.start()


def _signs(look: Look, bus: Bus) -> Any:
    return look.health(), [vars(beat) for beat in read_beats(bus)]

"""The demo: the live page on a simulated trading day, or on bars of your own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scanner_kit.bars import Tape
from scanner_kit.calendar import as_date
from scanner_kit.errors import port_refused
from scanner_kit.playing import Playing, days_of, play, simulated_days
from scanner_kit.settings import Settings, read_settings
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource
from scanner_kit.views.feed import Board
from scanner_kit.views.serve import serve, shared_board


def run(
    symbols: int,
    speed: float,
    bars: list[Path],
    daily: Path | None,
    day: str | None,
    port: int,
    show: bool,
    settings: Settings,
) -> None:
    """Play and serve until it is interrupted; says the page's address when it can be opened (port 0: a free one)."""
    print("Getting the market ready …", flush=True)
    playing = play(_tapes(symbols, bars, daily, day), settings.roster(), speed=speed, link=settings.link)
    label = "A simulated market" if not bars else "Your bars"
    try:
        server = _server(playing, port, show)
        address = f"http://localhost:{server.port}"
        pace = f"{speed:g} times as fast as the clock"
        print(f"{label}, {pace}. Open {address} in a browser; Ctrl-C ends it.", flush=True)
        server.start()
        server.io_loop.start()
    finally:
        playing.stop()


def board() -> Board:
    """The board of this process for `panel serve`: a simulated market under the settings of the environment."""
    settings = read_settings()

    def make() -> Board:
        return play(simulated_days(SimulatedMarket()), settings.roster(), link=settings.link).board

    return shared_board(make)


def _server(playing: Playing, port: int, show: bool) -> Any:
    """The page's server, bound to its port and not yet started."""
    try:
        return serve(playing.board, port, show=show, start=False, verbose=False)
    except OSError as fault:
        raise port_refused(port, "localhost", fault) from None


def _tapes(symbols: int, bars: list[Path], daily: Path | None, day: str | None) -> Iterator[Tape]:
    if bars:
        return days_of(TapeSource(bars, daily=daily), day)
    market = SimulatedMarket(symbols=symbols, **({"day": as_date(day)} if day else {}))
    return simulated_days(market)

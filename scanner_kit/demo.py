"""The demo: the live page on a simulated trading day, or on bars of your own."""

from collections.abc import Iterator
from pathlib import Path

from scanner_kit.bars import Tape
from scanner_kit.errors import InvalidInput
from scanner_kit.play import days_of, play, simulated_days
from scanner_kit.settings import Settings
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource
from scanner_kit.views.serve import serve


def run(
    symbols: int, speed: float, bars: list[Path], daily: Path | None, day: str | None, port: int, show: bool, settings: Settings
) -> None:
    """Play and serve until it is interrupted; says the page's address when it can be opened."""
    print("Getting the market ready …", flush=True)
    playing = play(_tapes(symbols, bars, daily, day), settings.roster(), speed=speed, link=settings.link)
    address = f"http://localhost:{port}"
    label = "A simulated market" if not bars else "Your bars"
    print(f"{label}, {speed:g} times as fast as the clock. Open {address} in a browser; Ctrl-C ends it.", flush=True)
    try:
        serve(playing.board, port, show=show)
    except OSError as fault:
        raise InvalidInput(f"Port {port} cannot be served ({fault.strerror or fault}). Choose another one with --port.") from None
    finally:
        playing.stop()


def _tapes(symbols: int, bars: list[Path], daily: Path | None, day: str | None) -> Iterator[Tape]:
    if bars:
        return days_of(TapeSource(bars, daily=daily), day)
    market = SimulatedMarket(symbols=symbols, **({"day": day} if day else {}))
    return simulated_days(market)

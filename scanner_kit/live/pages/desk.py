"""A desk as its pages have it: the board over the bus, the store behind the explorer, and the settings in versions."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from scanner_kit.bus.asking import Asking
from scanner_kit.bus.tape import current_day
from scanner_kit.composition import AnyScanner
from scanner_kit.live.archive import Archive
from scanner_kit.live.changing import DeskSettings
from scanner_kit.live.health.looking import Look
from scanner_kit.live.pages.board import BusBoard
from scanner_kit.live.pages.records import StoredRecords
from scanner_kit.live.pages.reviewing import Present, Reviewing
from scanner_kit.live.pages.serving import Site
from scanner_kit.live.server import bus_of
from scanner_kit.settings import Settings
from scanner_kit.store import Store, open_store
from scanner_kit.views.explorer.records import Row


@contextmanager
def site_of(settings: Settings) -> Iterator[tuple[Site, BusBoard]]:
    """The site of the desk that the settings name, and the board that feeds it, until the block is left."""
    live = settings.live
    with bus_of(settings) as bus, _store_of(settings) as store:
        known = DeskSettings(store, bus, live.scanners)
        asking, archive = Asking(bus), Archive(live.archive)
        board = BusBoard(
            bus,
            known.roster(store.versions.now().n),
            engine=asking,
            desk=known,
            signs=Look(bus, live.folder).told,
            link=settings.link,
        )

        def present() -> Any:
            day = current_day(bus)
            return None if day is None else day.date

        review = Reviewing(
            has=archive.__contains__,
            tape=archive.settled,
            scanner=partial(_scanner, known),
            present=Present(present, asking.why, asking.history),
            folder=live.home / "notebooks",
        )
        yield Site(board, StoredRecords(store), review, board.roster), board


def _store_of(settings: Settings) -> Store:
    with settings.blamed():
        return open_store(settings.live.store_url)


def _scanner(known: DeskSettings, row: Row) -> AnyScanner:
    """The scanner that said a trigger, under the settings that were in force."""
    roster = known.roster(int(row.get("version") or 0))
    return next(scanner for scanner in roster if scanner.name == row["scanner"])

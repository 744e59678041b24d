"""Pruning: the oldest days go, in pieces so small that who writes meanwhile hardly notices.

Between two pieces everybody else has at least as long as the last piece took. Space that SQLite has free within its
file is given back in pieces too, but for some that the next day will need.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Table, delete, select

from scanner_kit.errors import InvalidInput
from scanner_kit.store.connection import Database, patiently
from scanner_kit.store.faults import named
from scanner_kit.store.schema import boards, day_of, progress, tallies, triggers
from scanner_kit.store.writing import now

ROWS, FEWEST_ROWS = 500, 50
PAGES, FEWEST_PAGES = 200, 20
SPARE_PAGES = 4_000
"""Pages of 4 KB that a file of SQLite keeps free."""
PIECE_SECONDS = 0.025
"""A piece that took longer is followed by one of half its size."""
REST_SECONDS = 0.005
PROGRESS_DAYS = 30
"""Progress of streams that were last read longer ago is of no use: a stream is gone after two days."""


def prune(database: Database, days: list[int], keep_days: int, over: threading.Event | None) -> list[dt.date]:
    """Remove all but the newest `keep_days` of some days, or fewer where `over` is set; gives those that went."""
    if keep_days < 1:
        raise InvalidInput(f"At least one day is kept; found {keep_days!r}. Give a number of days from 1 on.")
    ends, gone = over or threading.Event(), list[dt.date]()
    for day in sorted(days)[:-keep_days]:
        _remove(database, day, ends)
        if ends.is_set():
            return gone
        gone.append(day_of(day))
    with database.beside() as connection:
        old = now() - PROGRESS_DAYS * 24 * 3600 * 1_000_000
        connection.execute(delete(progress).where(progress.c.moment < old))
    if database.is_file:
        _in_pieces(lambda pages: _give_back(database, pages), PAGES, FEWEST_PAGES, ends)
    return gone


def forget(database: Database, day: int, over: threading.Event | None) -> None:
    """Remove one day, and how far its stream was read."""
    _remove(database, day, over or threading.Event())
    with database.beside() as connection:
        connection.execute(delete(progress).where(progress.c.stream.endswith(f":{day_of(day)}", autoescape=True)))


def _remove(database: Database, day: int, over: threading.Event) -> None:
    _in_pieces(lambda rows: _delete(database, triggers, day, rows), ROWS, FEWEST_ROWS, over)
    _in_pieces(lambda rows: _delete(database, boards, day, rows), ROWS // 5, 1, over)
    if not over.is_set():  # last, for a search finds only what is counted
        with database.beside() as connection:
            connection.execute(delete(tallies).where(tallies.c.day == day))


def _in_pieces(work: Callable[[int], bool], size: int, least: int, over: threading.Event) -> None:
    """Do pieces of some work until it says that nothing is left, each as large as it may be."""
    most = size
    while not over.is_set():
        began = time.perf_counter()
        if not work(size):
            return
        took = time.perf_counter() - began
        size = max(least, size // 2) if took > PIECE_SECONDS else min(most, size + size // 4)
        over.wait(max(took, REST_SECONDS))


def _delete(database: Database, table: Table, day: int, rows: int) -> bool:
    key: Any = table.c.id if table is triggers else table.c.k
    with database.beside() as connection:
        keys = list(connection.scalars(select(key).where(table.c.day == day).limit(rows)))
        if keys:
            connection.execute(delete(table).where(table.c.day == day, key.in_(keys)))
    return bool(keys)


def _give_back(database: Database, pages: int) -> bool:
    with named(database.url):
        connection = database.writer.raw_connection()
        try:
            raw: Any = connection.driver_connection
            (free,) = raw.execute("PRAGMA freelist_count").fetchone()
            if free <= SPARE_PAGES:
                return False
            # Python's execute would give back one page only.
            patiently(lambda: raw.executescript(f"PRAGMA incremental_vacuum({min(pages, free - SPARE_PAGES)})"))
        finally:
            connection.close()
    return True

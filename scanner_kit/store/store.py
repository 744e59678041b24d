"""The store: what must outlive the day, behind one door.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder, open_store(f"{folder}/store.sqlite") as store:
...     store.page(Filter(symbols=["NVDA"])).rows, store.days()
((), [])
"""

import datetime as dt
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Column, select, text

from scanner_kit.calendar import DateLike, as_date
from scanner_kit.errors import InvalidInput
from scanner_kit.store import boards, exporting, pages, retention, writing
from scanner_kit.store.audit import Audit
from scanner_kit.store.boards import StoredBoard
from scanner_kit.store.connection import Database, database_of
from scanner_kit.store.filtering import FIRST, Cursor, Filter, Page
from scanner_kit.store.rows import Plain, plain_of
from scanner_kit.store.schema import boards as board_table
from scanner_kit.store.schema import day_of, number_of, progress, tallies, triggers
from scanner_kit.store.versions import Versions
from scanner_kit.store.writing import ListsOfMinute, Progress

PAGE = 100
EVERYTHING = Filter()


def open_store(address: str | Path, *, migrate: bool = True) -> "Store":
    """The store of an address: `sqlite:///…`, `postgresql://…`, or the path of SQLite's file.

    With `migrate` its tables are made, or brought to what this version needs; without, they have to be so.

    Raises
    ------
    InvalidInput
        The address is none.
    StoreError
        The store cannot be reached, or its tables are another version's.
    """
    from scanner_kit.store import migrations  # alembic: not before it is used

    database = database_of(address)
    try:
        (migrations.migrate if migrate else migrations.check)(database)
    except BaseException:
        database.close()
        raise
    return Store(database)


class Store:
    """Triggers with their context, the lists minute by minute, the settings' `versions`, and the `audit`.

    Any number of threads and processes may have one open. Every call raises `StoreError` where the store cannot do it.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.versions = Versions(database)
        self.audit = Audit(database)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    @property
    def url(self) -> str:
        """Its address, without a password."""
        return self.database.url

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    # Writing

    def write(
        self, fired: Iterable[Plain] = (), lists: Sequence[ListsOfMinute] = (), done: Progress | None = None
    ) -> int:
        """Write triggers, lists and progress in one transaction; what is there already stays as it is.

        Gives how many triggers were new.
        """
        with self.database.writing() as connection:
            return writing.write(connection, fired, lists, done)

    def stands(self, consumer: str, ending: str) -> dict[str, str]:
        """The last entries that a consumer has written of all streams whose names end so."""
        asked = select(progress.c.stream, progress.c.last_id).where(
            progress.c.consumer == consumer, progress.c.stream.endswith(ending, autoescape=True)
        )
        with self.database.reading() as connection:
            return {row.stream: row.last_id for row in connection.execute(asked)}

    def progress(self, consumer: str, stream: str) -> str | None:
        """The last entry of the stream that the consumer has written; None before the first."""
        asked = select(progress.c.last_id).where(progress.c.consumer == consumer, progress.c.stream == stream)
        with self.database.reading() as connection:
            return connection.scalar(asked)

    # Triggers

    def page(
        self, chosen: Filter = EVERYTHING, order: str = "newest", after: Cursor | None = None, size: int = PAGE
    ) -> Page:
        """A page of the triggers that are chosen; `after` is a cursor that a page gave, or `FIRST` or `LAST`.

        With a condition on a metric 100,000 triggers are looked at; `Page.looked` says that there are more to look at.
        """
        if not 1 <= size <= 10_000:
            raise InvalidInput(f"A page has 1 to 10,000 rows; found {size!r}. Choose another size.")
        with self.database.reading() as connection:
            return pages.page(connection, chosen, order, after, size)

    def trigger(self, identity: str) -> dict[str, Any] | None:
        """The trigger of an identity, as plain values."""
        with self.database.reading() as connection:
            row = connection.execute(select(triggers).where(triggers.c.identity == identity)).mappings().first()
        return None if row is None else plain_of(row)

    def of_day(self, day: DateLike) -> Iterator[dict[str, Any]]:
        """Every trigger of a day, the oldest first; read page by page."""
        cursor: Cursor | None = FIRST
        while cursor is not None:
            page = self.page(Filter(days=[day]), "oldest", cursor, 5_000)
            yield from page.rows
            cursor = page.next

    def days(self) -> list[dt.date]:
        """The days that are stored, in order."""
        return [day_of(number) for number in self._days(tallies.c.day)]

    def symbols(self) -> list[str]:
        """The symbols of all triggers, in order."""
        with self.database.reading() as connection:
            return sorted(_distinct(connection, triggers.c.symbol))

    def scanners(self) -> list[str]:
        """The scanners of all triggers, in order."""
        return self._tallied(tallies.c.scanner)

    def kinds(self) -> list[str]:
        """The kinds of all triggers, in order."""
        return self._tallied(tallies.c.kind)

    # Lists

    def board_at(self, day: DateLike, at: int | str | dt.time | dt.datetime) -> StoredBoard | None:
        """The lists as they stood then, exactly as published; `at` is a `k`, a time of New York or an instant."""
        with self.database.reading() as connection:
            return boards.board_at(connection, day, at)

    def minutes(self, day: DateLike) -> list[int]:
        """Every `k` of the day of which there are lists, in order."""
        with self.database.reading() as connection:
            return boards.minutes(connection, day)

    # Keeping house

    def prune(self, keep_days: int, over: threading.Event | None = None) -> list[dt.date]:
        """Remove all but the newest `keep_days` days of triggers and lists; gives the days that went.

        Whoever writes meanwhile waits for a few hundredths of a second at most. Settings and audit stay.
        """
        return retention.prune(self.database, self._days(triggers.c.day), keep_days, over)

    def forget(self, day: DateLike, over: threading.Event | None = None) -> None:
        """Remove a day of triggers and lists, and how far it was read; who writes meanwhile hardly waits."""
        retention.forget(self.database, number_of(as_date(day)), over)

    def export(self, folder: str | Path) -> list[Path]:
        """Write everything to a folder as Parquet; gives the files."""
        return exporting.export(self, folder)

    def _days(self, column: Column[Any]) -> list[int]:
        with self.database.reading() as connection:
            return sorted({*_distinct(connection, column), *_distinct(connection, board_table.c.day)})

    def _tallied(self, column: Column[Any]) -> list[str]:
        with self.database.reading() as connection:
            return sorted(connection.scalars(select(column).distinct()))


def _distinct(connection: Any, column: Column[Any]) -> list[Any]:
    """The values of a column that leads an index, by looking for the next larger one: rows are not read."""
    table, name = column.table.name, column.name
    asked = text(f"""
        WITH RECURSIVE found(one) AS (
            SELECT min({name}) FROM {table}
            UNION ALL SELECT (SELECT min({name}) FROM {table} WHERE {name} > found.one) FROM found
            WHERE found.one IS NOT NULL
        ) SELECT one FROM found WHERE one IS NOT NULL
    """)
    return list(connection.scalars(asked))

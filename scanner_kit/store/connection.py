"""A store's address, and the connections to it: writers one at a time, readers that hold nothing.

SQLite: a file in WAL mode on a local disk. A writer begins with `BEGIN IMMEDIATE`, so that it never finds out later
that somebody else writes; a reader opens the file read-only and has no transaction, so that the log can be cut behind
it. PostgreSQL: writers take one advisory lock of the transaction; readers commit by themselves.
"""

import importlib.util
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from scanner_kit.errors import InvalidInput
from scanner_kit.store.faults import StoreError, is_busy, named

WAIT_SECONDS = 5.0
"""How long a writer waits for another one before the store counts as locked."""
POLL_SECONDS = 0.002
WRITERS = 7_400_101
"""The advisory lock of those who write on PostgreSQL."""
RULE = "A store has an address like sqlite:///path/to/store.sqlite or postgresql://user@host/name, or is a file's path"


@dataclass(frozen=True)
class Database:
    """The two engines of a store; `url` has no password."""

    url: str
    writer: Engine
    reader: Engine

    @property
    def is_file(self) -> bool:
        """Whether it is SQLite's."""
        return self.writer.dialect.name == "sqlite"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction in which nobody else writes; committed at the end, undone by an error."""
        with self.beside() as connection:
            if not self.is_file:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITERS})
            yield connection

    @contextmanager
    def beside(self) -> Iterator[Connection]:
        """A transaction that keeps other writers waiting only where SQLite has it so."""
        with named(self.url), self.writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that reads; every statement stands alone, and nothing is held between two of them."""
        with named(self.url), self.reader.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.writer.dispose()
        self.reader.dispose()


def database_of(address: str | Path) -> Database:
    """The database of an address; a bare path is SQLite's.

    Raises
    ------
    InvalidInput
        The address is none, or of a database that is not supported.
    StoreError
        Its driver is missing, or its folder cannot be made.
    """
    url = _url(address)
    shown = redacted(url)
    if url.get_backend_name() == "sqlite":
        return _file(Path(str(url.database)), shown)
    if importlib.util.find_spec("psycopg") is None:
        raise StoreError(f"The store {shown} needs psycopg, which is not there. pip install 'scanner-kit[postgres]'")
    return _server(url, shown)


def redacted(address: str | Path | URL) -> str:
    """The address without its password.

    >>> redacted("postgresql://desk:secret@10.0.0.7/scans"), redacted("store.sqlite")
    ('postgresql://desk:***@10.0.0.7/scans', 'store.sqlite')
    """
    if isinstance(address, URL):
        return address.set(drivername=address.get_backend_name()).render_as_string(hide_password=True)
    return re.sub(r"(://[^/:@]*):.*@", r"\1:***@", str(address))


def _url(address: str | Path) -> URL:
    told = str(address).strip()
    if told and "://" not in told:
        return URL.create("sqlite", database=told)
    try:
        url = make_url(re.sub(r"^postgres://", "postgresql://", told))
    except (ArgumentError, ValueError):
        raise InvalidInput(f"{RULE}; found {redacted(told)!r}. See SCANNER_KIT_STORE_URL.") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise InvalidInput(
            f"{RULE}; found {redacted(told)!r}. Use one of these two databases. See SCANNER_KIT_STORE_URL."
        )
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise InvalidInput(f"{RULE}; found {redacted(told)!r}, which is no file. Name one. See SCANNER_KIT_STORE_URL.")
    return url


# SQLite


def _file(path: Path, shown: str) -> Database:
    with named(shown):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _prepare(path)
    return Database(shown, _file_writer(path), _file_reader(path))


def _prepare(path: Path) -> None:
    """Make the file what it must be before anything is in it; only SQLite's own lock orders those who try at once."""
    connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # after journal_mode it would stay 0
        patiently(lambda: connection.execute("PRAGMA journal_mode=WAL").fetchone())
    finally:
        connection.close()


def _file_writer(path: Path) -> Engine:
    def connected() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        for pragma in ("PRAGMA synchronous=NORMAL", "PRAGMA foreign_keys=ON"):
            patiently(partial(connection.execute, pragma))
        return connection

    engine = create_engine("sqlite://", creator=connected, poolclass=QueuePool, pool_timeout=2 * WAIT_SECONDS)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Our own waiting: SQLite's waits longer and longer between two looks, up to 100 ms.
        raw: Any = connection.connection.dbapi_connection
        patiently(lambda: raw.execute("BEGIN IMMEDIATE"))

    return engine


def _file_reader(path: Path) -> Engine:
    address = f"{path.absolute().as_uri()}?mode=ro"

    def connected() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)

    return create_engine("sqlite://", creator=connected, poolclass=QueuePool, isolation_level="AUTOCOMMIT")


def patiently(work: Callable[[], Any]) -> None:
    """Do it as soon as nobody else writes to the file."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            work()
        except sqlite3.OperationalError as fault:
            if not is_busy(fault) or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


# PostgreSQL


def _server(url: URL, shown: str) -> Database:
    address = url.set(drivername="postgresql+psycopg")
    wait = int(1_000 * WAIT_SECONDS)
    options: dict[str, Any] = {
        "pool_pre_ping": True,
        "connect_args": {
            "connect_timeout": int(WAIT_SECONDS),
            "application_name": "scanner_kit",
            "options": f"-c lock_timeout={wait} -c timezone=UTC",
        },
    }
    reader = create_engine(address, isolation_level="AUTOCOMMIT", **options)
    return Database(shown, create_engine(address, **options), reader)

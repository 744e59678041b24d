"""What goes wrong in a store, said as what a person can mend: full, locked, out of reach, or not a store at all.

StoreError
├── StoreFull     no room is left where it is kept
├── StoreRefused  what is given is none of what a column takes
├── StoreLocked   somebody else holds it for too long
└── StoreLost     the server does not answer, or refuses us
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as NoConnection

from scanner_kit.errors import ScannerKitError


class StoreError(ScannerKitError):
    """The store cannot do what it was asked."""


class StoreFull(StoreError):  # noqa: N818  a name of the field's, not of its base
    """No room is left where the store is kept."""


class StoreRefused(StoreError):  # noqa: N818
    """What is given is none of what the store takes: to try again is of no use."""


class StoreLocked(StoreError):  # noqa: N818
    """Somebody else holds the store for too long."""


class StoreLost(StoreError):  # noqa: N818
    """The server of the store does not answer, or refuses us."""


@contextmanager
def named(url: str) -> Iterator[None]:
    """Say what the drivers raise within as `StoreError`; `url` is shown, and has no password."""
    try:
        yield
    except (DataError, IntegrityError) as fault:
        raise StoreRefused(f"The store {url} does not take this: {_told(fault.orig)}. Mend what is given.") from fault
    except DBAPIError as fault:
        raise fault_of(fault.orig or fault, url) from fault
    except StatementError as fault:  # never sent: no value of SQL
        raise StoreRefused(f"The store {url} does not take this: {_told(fault.orig)}. Mend what is given.") from fault
    except sqlite3.Error as fault:
        raise fault_of(fault, url) from fault
    except NoConnection as fault:
        raise StoreLocked(f"The store {url} has no connection free: {fault}. Look what holds them.") from fault
    except OSError as fault:
        raise StoreError(f"The store {url} cannot be used: {fault.strerror or fault}. Choose another place.") from fault


def fault_of(fault: BaseException, url: str) -> StoreError:
    """The error of the store that a driver's error is."""
    told = _told(fault)
    kind = _of_sqlite(fault) if isinstance(fault, sqlite3.Error) else _of_postgres(fault)
    if kind is StoreFull:
        return StoreFull(f"The store {url} is full: {told}. Free some of its disk, or prune it.")
    if kind is StoreLocked:
        return StoreLocked(f"The store {url} is locked by another process: {told}. Look who holds it.")
    if kind is StoreLost:
        return StoreLost(f"The store {url} does not answer: {told}. Start it, or mend SCANNER_KIT_STORE_URL.")
    return StoreError(f"The store {url} cannot be used: {told}. Look at the file or the server that it names.")


def _told(fault: BaseException | None) -> str:
    return " ".join(str(fault).split()).rstrip(".")


def is_busy(fault: BaseException) -> bool:
    """Whether SQLite says that another connection is writing."""
    return isinstance(fault, sqlite3.Error) and _of_sqlite(fault) is StoreLocked


def _of_sqlite(fault: sqlite3.Error) -> type[StoreError]:
    code = getattr(fault, "sqlite_errorcode", None)
    if code is None:
        return StoreError
    # The lowest byte is the kind, the others say more of it.
    return {sqlite3.SQLITE_FULL: StoreFull, sqlite3.SQLITE_BUSY: StoreLocked, sqlite3.SQLITE_LOCKED: StoreLocked}.get(
        code & 0xFF, StoreError
    )


def _of_postgres(fault: Any) -> type[StoreError]:
    state = getattr(fault, "sqlstate", None)
    if state is None:  # psycopg: no answer at all
        return StoreLost
    if state.startswith("53") and state != "53300":  # 53100 disk full, 53200 out of memory; 53300 too many connections
        return StoreFull
    if state in ("55P03", "40P01", "40001", "57014"):  # no lock, deadlock, serialisation, timeout
        return StoreLocked
    return StoreLost if state[:2] in ("08", "28", "53", "57") else StoreError

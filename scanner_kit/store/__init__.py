"""The store: triggers, lists, settings' versions and audit in SQLite or PostgreSQL. It knows nothing of the bus."""

from scanner_kit.store.boards import StoredBoard
from scanner_kit.store.faults import StoreError, StoreFull, StoreLocked, StoreLost, StoreRefused
from scanner_kit.store.filtering import FIRST, LAST, ORDERS, Cursor, Filter, Looked, Page
from scanner_kit.store.rows import trigger_of
from scanner_kit.store.store import Store, open_store
from scanner_kit.store.versions import StaleEdit, Version
from scanner_kit.store.writing import ListsOfMinute, Progress

__all__ = [
    "FIRST",
    "LAST",
    "ORDERS",
    "Cursor",
    "Filter",
    "ListsOfMinute",
    "Looked",
    "Page",
    "Progress",
    "StaleEdit",
    "Store",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "StoreLost",
    "StoreRefused",
    "StoredBoard",
    "Version",
    "open_store",
    "trigger_of",
]

"""Pages of the stored triggers: by keyset, in any order and at any depth."""

from dataclasses import replace

from sqlalchemy import Connection, select

from scanner_kit.store import searching
from scanner_kit.store.filtering import FIRST, Cursor, Filter, Looked, Page, check_order, page_of
from scanner_kit.store.rows import plain_of
from scanner_kit.store.schema import day_of, time_of, triggers
from scanner_kit.store.searching import Asked, Key, find


def page(connection: Connection, chosen: Filter, order: str, after: Cursor | None, size: int) -> Page:
    """A page of the triggers that are chosen: their keys by an index alone, then their rows."""
    check_order(order)
    cursor = after or FIRST
    keys, until = find(connection, Asked.of(chosen, order, cursor, size + 1))
    read = page_of([{"key": key} for key in keys], cursor, size, lambda row: row["key"])
    if until and len(keys) <= size:
        read = _goes_on(read, cursor, until)
    ids = [row["key"][-1] for row in read.rows]
    asked = select(triggers).where(triggers.c.id.in_(ids))
    rows = {row["id"]: plain_of(row) for row in connection.execute(asked).mappings()}
    # One that was pruned in between is on no page.
    return replace(read, rows=tuple(rows[one] for one in ids if one in rows))


def _goes_on(read: Page, cursor: Cursor, until: Key) -> Page:
    """A page for which it was looked up to a key alone: whoever reads on goes on behind that."""
    *_, day, moment, _ = until
    looked, ahead = Looked(searching.LOOKED, day_of(int(day)), time_of(int(moment))), Cursor(until, cursor.back)
    behind = Cursor(until, not cursor.back) if cursor.key else None  # of an empty page, which has no row to begin at
    if cursor.back:
        return replace(read, previous=ahead, next=read.next or behind, looked=looked)
    return replace(read, next=ahead, previous=read.previous or behind, looked=looked)

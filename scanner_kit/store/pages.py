"""Pages of the stored triggers: by keyset, in any order and at any depth."""

from dataclasses import replace

from sqlalchemy import Connection, select

from scanner_kit.store.filtering import FIRST, Cursor, Filter, Page, check_order, page_of
from scanner_kit.store.rows import plain_of
from scanner_kit.store.schema import triggers
from scanner_kit.store.searching import Asked, find


def page(connection: Connection, chosen: Filter, order: str, after: Cursor | None, size: int) -> Page:
    """A page of the triggers that are chosen: their keys by an index alone, then their rows."""
    check_order(order)
    cursor = after or FIRST
    keys = find(connection, Asked.of(chosen, order, cursor, size + 1))
    read = page_of([{"key": key} for key in keys], cursor, size, lambda row: row["key"])
    ids = [row["key"][-1] for row in read.rows]
    asked = select(triggers).where(triggers.c.id.in_(ids))
    rows = {row["id"]: plain_of(row) for row in connection.execute(asked).mappings()}
    # One that was pruned in between is on no page.
    return replace(read, rows=tuple(rows[one] for one in ids if one in rows))

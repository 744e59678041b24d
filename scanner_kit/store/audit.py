"""Who did what: settings, commands, scans."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from scanner_kit.errors import InvalidInput
from scanner_kit.store.connection import Database
from scanner_kit.store.filtering import FIRST, Cursor, Page, page_of
from scanner_kit.store.schema import audit, time_of
from scanner_kit.store.writing import now

PAGE = 100


class Audit:
    """The record of what people and programs did; nothing in it is ever changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, who: str, what: str, detail: Mapping[str, Any] | None = None) -> int:
        """Record that somebody did something; `what` is a word, such as `settings`, and `detail` JSON values.

        Gives the record's number.
        """
        with self._database.writing() as connection:
            return record(connection, who, what, detail)

    def page(
        self, *, who: str | None = None, what: str | None = None, after: Cursor | None = None, size: int = PAGE
    ) -> Page:
        """A page of it, the newest first: rows of `id`, `time`, `who`, `what` and `detail`."""
        cursor = after or FIRST
        asked = select(audit)
        for column, wanted in ((audit.c.who, who), (audit.c.what, what)):
            if wanted is not None:
                asked = asked.where(column == wanted)
        if cursor.key:
            asked = asked.where(audit.c.id > cursor.key[0] if cursor.back else audit.c.id < cursor.key[0])
        asked = asked.order_by(audit.c.id.asc() if cursor.back else audit.c.id.desc()).limit(size + 1)
        with self._database.reading() as connection:
            found = [_plain(row) for row in connection.execute(asked).mappings()]
        return page_of(found, cursor, size, lambda row: (row["id"],))

    def all(self) -> list[dict[str, Any]]:
        """All of it, the oldest first."""
        with self._database.reading() as connection:
            return [_plain(row) for row in connection.execute(select(audit).order_by(audit.c.id)).mappings()]


def record(connection: Connection, who: str, what: str, detail: Mapping[str, Any] | None = None) -> int:
    """Record it within a transaction."""
    for name, word in (("who", who), ("what", what)):
        if not str(word).strip():
            raise InvalidInput(f"What is done is recorded with who and what; found {name}={word!r}. Name it.")
    row = {"moment": now(), "who": who, "what": what, "detail": dict(detail or {})}
    number: int = connection.execute(audit.insert().returning(audit.c.id), row).scalar_one()
    return number


def _plain(row: Any) -> dict[str, Any]:
    told = dict(row)
    return {"id": told["id"], "time": time_of(told.pop("moment")), **told}

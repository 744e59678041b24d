"""Writing what was published: triggers, lists, and how far they were read, all or nothing, and once however often."""

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from scanner_kit.store.rows import Plain, row_of
from scanner_kit.store.schema import boards, moment_of, number_of, progress, tallies, triggers

AT_ONCE = 500
"""Identities asked for in one statement."""


@dataclass(frozen=True)
class ListsOfMinute:
    """The lists of a closed step as they were published: zstd JSON, `{name: {seq, rows: [[symbol, {figures}], …]}}`."""

    day: dt.date
    k: int
    time: dt.datetime
    entry: str
    payload: bytes


@dataclass(frozen=True)
class Progress:
    """How far a consumer has come in a stream."""

    consumer: str
    stream: str
    last_id: str


def write(connection: Connection, fired: Iterable[Plain], lists: Sequence[ListsOfMinute], done: Progress | None) -> int:
    """Write all of it within the transaction; gives how many triggers were new."""
    rows = _new(connection, {row["identity"]: row for row in map(row_of, fired)})
    if rows:
        connection.execute(triggers.insert(), rows)
        _tally(connection, rows)
    if lists:
        connection.execute(insert_into(connection, boards).on_conflict_do_nothing(), [_board(one) for one in lists])
    if done is not None:
        _remember(connection, done)
    return len(rows)


def _new(connection: Connection, rows: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that are not there yet; nobody else writes meanwhile."""
    identities, there = list(rows), set[str]()
    for begin in range(0, len(identities), AT_ONCE):
        asked = select(triggers.c.identity).where(triggers.c.identity.in_(identities[begin : begin + AT_ONCE]))
        there.update(connection.scalars(asked))
    return [row for identity, row in rows.items() if identity not in there]


def _tally(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    counts = Counter((row["day"], row["scanner"], row["kind"]) for row in rows)
    insert = insert_into(connection, tallies)
    insert = insert.on_conflict_do_update(
        index_elements=["day", "scanner", "kind"],
        set_={"triggers": tallies.c.triggers + insert.excluded.triggers},
    )
    names = ("day", "scanner", "kind", "triggers")
    connection.execute(insert, [dict(zip(names, (*key, n), strict=True)) for key, n in counts.items()])


def _remember(connection: Connection, done: Progress) -> None:
    insert = insert_into(connection, progress)
    insert = insert.on_conflict_do_update(
        index_elements=["consumer", "stream"],
        set_={"last_id": insert.excluded.last_id, "moment": insert.excluded.moment},
    )
    row = {"consumer": done.consumer, "stream": done.stream, "last_id": done.last_id, "moment": now()}
    connection.execute(insert, row)


def _board(lists: ListsOfMinute) -> dict[str, Any]:
    return {
        "day": number_of(lists.day),
        "k": lists.k,
        "moment": moment_of(lists.time),
        "entry": lists.entry,
        "payload": lists.payload,
    }


def now() -> int:
    """The present moment."""
    return time.time_ns() // 1_000


def insert_into(connection: Connection, table: Table) -> Any:
    """An INSERT that may say what to do about rows that are there already."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)

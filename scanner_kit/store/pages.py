"""Pages of the stored triggers: by keyset, in any order and at any depth."""

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, literal, select, tuple_

from scanner_kit.calendar import as_date
from scanner_kit.store.filtering import FIRST, Cursor, Filter, Page, check_order, page_of
from scanner_kit.store.rows import NUMBERS, plain_of
from scanner_kit.store.schema import number_of, triggers

at = triggers.c
KEYS: dict[str, tuple[tuple[Column[Any], ...], bool]] = {
    "newest": ((at.day, at.moment, at.id), True),
    "oldest": ((at.day, at.moment, at.id), False),
    "severest": ((at.severity, at.day, at.moment, at.id), True),
    "mildest": ((at.severity, at.day, at.moment, at.id), False),
}
"""What an order is by, and whether downwards: all of it one way, so that an index gives it in both directions."""
COMPARE: dict[str, Callable[[Any, float], ColumnElement[bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
OWN = (*NUMBERS, "severity", "rank", "k", "side", "late")


def page(connection: Connection, chosen: Filter, order: str, after: Cursor | None, size: int) -> Page:
    """A page of the triggers that are chosen."""
    check_order(order)
    cursor = after or FIRST
    asked = select(triggers).where(*conditions(chosen))
    found = connection.execute(_from(asked, order, cursor).limit(size + 1)).mappings().all()
    read = page_of(found, cursor, size, lambda row: tuple(row[column.name] for column in KEYS[order][0]))
    return replace(read, rows=tuple(plain_of(row) for row in read.rows))


def conditions(chosen: Filter) -> list[ColumnElement[bool]]:
    """What a filter asks, as SQL."""
    asked: list[ColumnElement[bool]] = []
    if chosen.days is not None:
        asked.append(at.day.in_([number_of(as_date(day)) for day in chosen.days]))
    words = {at.symbol: chosen.symbols, at.scanner: chosen.scanners, at.kind: chosen.kinds}
    asked.extend(column.in_(wanted) for column, wanted in words.items() if wanted is not None)
    if chosen.min_severity is not None:
        asked.append(at.severity >= max(0.0, chosen.min_severity))
    if chosen.max_severity is not None:
        asked.append(and_(at.severity >= 0, at.severity <= chosen.max_severity))
    asked.extend(COMPARE[sign](_number(name), value) for name, sign, value in chosen.metrics)
    if any(name == "severity" for name, _, _ in chosen.metrics):
        asked.append(at.severity >= 0)
    return asked


def _number(name: str) -> ColumnElement[float]:
    return at[name] if name in OWN else at.metrics[name].as_float()


def _from(asked: Select[Any], order: str, cursor: Cursor) -> Select[Any]:
    columns, down = KEYS[order]
    down = down != cursor.back
    if cursor.key:
        here, key = tuple_(*columns), tuple_(*map(literal, cursor.key))
        asked = asked.where(here < key if down else here > key)
    return asked.order_by(*(column.desc() if down else column.asc() for column in columns))

"""What is asked of the stored triggers: a filter, an order, and where a page begins.

>>> Filter(days=["2025-01-27"], scanners=["hod_break"], min_severity=98, metrics=[("rvol_tod", ">=", 3)])
Filter(days=(datetime.date(2025, 1, 27),), scanners=('hod_break',), min_severity=98, metrics=(('rvol_tod', '>=', 3),))
"""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from scanner_kit.calendar import DateLike, as_date
from scanner_kit.errors import InvalidInput, UnknownName, short

ORDERS = ("newest", "oldest", "severest", "mildest")
"""By time, or by severity and then by time, the newest or the oldest first; unknown severities are below all others."""
SIGNS = ("<", "<=", ">", ">=", "=", "!=")
Condition = tuple[str, str, float]


@dataclass(frozen=True, repr=False)
class Filter:
    """Which triggers: those of any of the days, symbols, scanners and kinds, within the severities, and that meet
    every condition on a number.

    None does not limit. `metrics` are (name, sign, value), of a metric that the scanner used or of a number of the
    trigger itself (`price`, `score`, …); who does not have it, or does not know it, is not among them. A limit of
    severity leaves out those of which it is unknown.
    """

    days: Sequence[DateLike] | None = None
    symbols: Sequence[str] | None = None
    scanners: Sequence[str] | None = None
    kinds: Sequence[str] | None = None
    min_severity: float | None = None
    max_severity: float | None = None
    metrics: Sequence[Condition] = ()

    def __post_init__(self) -> None:
        for name in ("days", "symbols", "scanners", "kinds"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, _several(name, given))
        object.__setattr__(self, "metrics", tuple(_condition(given) for given in self.metrics))

    def __repr__(self) -> str:
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return f"Filter({', '.join(f'{name}={value!r}' for name, value in said.items() if value not in (None, ()))})"


@dataclass(frozen=True)
class Cursor:
    """Between which two triggers a page begins, in an order; `back` for the page that ends there.

    >>> Cursor.of(str(Cursor((20250127, 5, 1)))) == Cursor((20250127, 5, 1))
    True
    """

    key: tuple[float, ...] = ()
    back: bool = False

    def __str__(self) -> str:
        return json.dumps([self.back, *self.key])

    @classmethod
    def of(cls, text: str) -> "Cursor":
        """The cursor of a text that `str` gave."""
        try:
            back, *key = json.loads(text)
            if isinstance(back, bool) and all(type(part) in (int, float) for part in key):
                return cls(tuple(key), back)
        except (ValueError, TypeError):
            pass
        raise InvalidInput(f"A cursor is what a page gave; found {short(text)}. Begin at the first page.")


FIRST, LAST = Cursor(), Cursor(back=True)
"""Where the first page begins, and where the last one ends."""


@dataclass(frozen=True)
class Looked:
    """How far a search for a metric came: at how many triggers it looked at most, and which was the last of them."""

    triggers: int
    day: dt.date
    time: dt.datetime


@dataclass(frozen=True)
class Page:
    """Some rows in order, as plain values, and where the pages after and before it begin: None where none is.

    `looked`: it is short, or empty, because it was looked no further; the page after it, or before it where that was
    asked for, goes on from there.
    """

    rows: tuple[dict[str, Any], ...]
    next: Cursor | None = None
    previous: Cursor | None = None
    looked: Looked | None = None


def page_of(found: Sequence[Any], cursor: Cursor, size: int, key: Callable[[Any], tuple[float, ...]]) -> Page:
    """The page of what was found from a cursor on, as it was read; one more than `size` says that more is there."""
    more, rows = len(found) > size, tuple(found[:size])
    if cursor.back:
        rows = rows[::-1]
    before, behind = (more, bool(cursor.key)) if cursor.back else (bool(cursor.key), more)
    return Page(
        rows,
        Cursor(key(rows[-1])) if behind and rows else None,
        Cursor(key(rows[0]), back=True) if before and rows else None,
    )


def check_order(order: str) -> None:
    """`UnknownName` of an order that is none."""
    if order not in ORDERS:
        raise UnknownName.of("Triggers have no order", str(order), ORDERS)


def _several(name: str, given: Iterable[Any]) -> tuple[Any, ...]:
    if isinstance(given, str | dt.date) or not isinstance(given, Iterable):
        raise InvalidInput(f"A filter's {name} are a list; found {given!r}. Write [{given!r}].")
    return tuple(dict.fromkeys(map(as_date if name == "days" else str, given)))


def _condition(given: Any) -> Condition:
    rule = 'A condition on a metric is (name, sign, value), such as ("rvol_tod", ">=", 3)'
    if not (isinstance(given, list | tuple) and len(given) == 3):
        raise InvalidInput(f"{rule}; found {short(given)}. Write it so.")
    name, sign, value = given
    if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name)):
        raise InvalidInput(f"{rule}; found the name {short(name)}. Write a metric's name.")
    if sign not in SIGNS:
        raise InvalidInput(f"{rule}; found the sign {short(sign)}. Write one of {', '.join(SIGNS)}.")
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise InvalidInput(f"{rule}; found the value {short(value)}. Write a number.")
    return name, sign, value

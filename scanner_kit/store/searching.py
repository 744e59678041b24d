"""How a page is found among millions of triggers: along an index that has its order, or out of few that are sorted.

1. `walk`: an index that begins with what is fixed (a symbol, a scanner) and goes on in the order asked gives the page
   as it is read, from the cursor on; whatever else is asked is looked at on the way, and the index has it all. It is
   read no further than the page is long over the share that passes.
2. `gather`: where few pass, they are found by what makes them few, and sorted.
3. What is few is known: triggers are counted by day, scanner and kind (`tallies`); of symbols and severities an index
   is counted as far as matters.
4. No index has a metric: whole rows are read for it. A walk looks at `LOOKED` of them, up to a key (`_edge`).

A condition that shall not choose the index is written so that no index has it: `day + 0`, `symbol || ''`.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    String,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from scanner_kit.calendar import as_date
from scanner_kit.errors import InvalidInput
from scanner_kit.store.filtering import Cursor, Filter
from scanner_kit.store.rows import NUMBERS
from scanner_kit.store.schema import number_of, tallies, triggers

FEW = 50_000
"""So many entries of an index are read and sorted in a few hundredths of a second."""
FEW_ROWS = 200_000
"""Where a metric is asked for, whole rows have to be read whatever the way: so many at most, if they can be found."""
LOOKED = 100_000
"""So many triggers are looked at for a page with a condition on a metric, which may hold for none of them."""
BRANCHES = 16
"""So many walks are made side by side, one for each symbol, scanner or day."""
FEW_SCANNERS = 4

Key = tuple[float, ...]
Few = tuple[list[ColumnElement[bool]], set[str]]
"""Conditions that an index finds, and the columns they settle."""
Compare = Callable[[Any, float], ColumnElement[bool]]
at = triggers.c
BY_TIME = (at.day, at.moment, at.id)
BY_SEVERITY = (at.severity, *BY_TIME)
KEYS: dict[str, tuple[tuple[Column[Any], ...], bool]] = {
    "newest": (BY_TIME, True),
    "oldest": (BY_TIME, False),
    "severest": (BY_SEVERITY, True),
    "mildest": (BY_SEVERITY, False),
}
"""What an order is by, and whether downwards: all of it one way, so that an index gives it in both directions."""
COMPARE: dict[str, Compare] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
OWN = (*NUMBERS, "severity", "rank", "k", "side", "late")


@dataclass(frozen=True)
class Asked:
    """What is asked, in the values of the tables, from behind `key` up to `until`; `down`: the direction of reading."""

    days: tuple[int, ...] | None
    symbols: tuple[str, ...] | None
    scanners: tuple[str, ...] | None
    kinds: tuple[str, ...] | None
    severity: tuple[float | None, float | None]
    metrics: tuple[tuple[str, str, float], ...]
    columns: tuple[Column[Any], ...]
    down: bool
    key: Key
    most: int
    until: Key = ()

    @classmethod
    def of(cls, chosen: Filter, order: str, cursor: Cursor, most: int) -> "Asked":
        """From a filter, an order and a cursor: the next `most` triggers."""
        columns, down = KEYS[order]
        low = None if chosen.min_severity is None else max(0.0, chosen.min_severity)
        low = 0.0 if low is None and chosen.max_severity is not None else low
        if len(cursor.key) not in (0, len(columns)):
            raise InvalidInput(f"A cursor is of one order; found {cursor} for {order!r}. Begin at the first page.")
        return cls(
            None if chosen.days is None else tuple(sorted(number_of(as_date(day)) for day in chosen.days)),
            None if chosen.symbols is None else tuple(chosen.symbols),
            None if chosen.scanners is None else tuple(chosen.scanners),
            None if chosen.kinds is None else tuple(chosen.kinds),
            (low, chosen.max_severity),
            tuple(chosen.metrics),
            columns,
            down != cursor.back,
            cursor.key,
            most,
        )

    @property
    def by_time(self) -> bool:
        """Whether the order is that of time."""
        return self.columns is BY_TIME

    @property
    def limits_severity(self) -> bool:
        """Whether only some severities are asked for."""
        return self.severity != (None, None)


def find(connection: Connection, asked: Asked) -> tuple[list[Key], Key]:
    """The keys of the next triggers that pass, in the direction of reading; the last of a key is the id.

    And up to which key it was looked for them, where not to the end: there may be more behind it.
    """
    asked = _by_scanner(connection, asked)
    tallied = _tallied(connection, asked)
    if not tallied:
        return [], ()
    few = _few(connection, asked, tallied)
    if few is None and asked.metrics and tallied > LOOKED:
        asked = replace(asked, until=_edge(connection, asked))
    found = _walk(asked) if few is None else _gather(asked, *few)
    return [tuple(row) for row in connection.execute(found)], asked.until


def _few(connection: Connection, asked: Asked, tallied: int) -> Few | None:
    """What makes those that pass few enough to be sorted; None where nothing does, or a walk is short anyway."""
    few = FEW_ROWS if asked.metrics else FEW
    if asked.symbols is not None and (len(asked.symbols) > BRANCHES or not asked.by_time):
        within = _in({at.symbol: asked.symbols, at.day: asked.days})
        if _counted(connection, within, few) <= few:
            return within, {"symbol", "day"}
    if asked.symbols is None and not asked.by_time and tallied <= few:
        return _in({at.scanner: asked.scanners, at.day: asked.days}), {"scanner", "day"}
    if asked.limits_severity and asked.by_time and tallied > few:
        within = _within(at.severity, asked)
        if _counted(connection, within, few) <= few:
            return within, {"severity"}
    return None


# What is known beforehand


def _by_scanner(connection: Connection, asked: Asked) -> Asked:
    """The same, by the few scanners that alone say the kinds asked for, where there are few."""
    if asked.kinds is None or asked.scanners is not None:
        return asked
    saying = select(tallies.c.scanner).distinct().where(tallies.c.kind.in_(asked.kinds))
    found = tuple(connection.scalars(saying))
    return replace(asked, scanners=found) if len(found) <= FEW_SCANNERS else asked


def _tallied(connection: Connection, asked: Asked) -> int:
    """How many triggers there are of the days and scanners."""
    limits = {tallies.c.day: asked.days, tallies.c.scanner: asked.scanners}
    total = select(func.sum(tallies.c.triggers)).where(*_in(limits))
    return int(connection.scalar(total) or 0)


def _counted(connection: Connection, within: Sequence[ColumnElement[bool]], most: int) -> int:
    """How many there are within, as far as `most` and one."""
    some = select(literal(1)).select_from(triggers).where(*within).limit(most + 1).subquery()
    return int(connection.scalar(select(func.count()).select_from(some)) or 0)


# The two ways


def _walk(asked: Asked) -> Select[Any]:
    """Along the index of the order, for each of what it begins with and for each day."""
    ways, used = _ways(asked)
    branches = [_branch(asked, span, used) for spans in ways for span in spans]
    if not branches:
        return select(*asked.columns).where(literal(1) == literal(0))
    if len(branches) == 1:
        return branches[0]
    found = union_all(*(select(branch.subquery()) for branch in branches)).subquery()
    return _ordered(select(*found.c), found.c, asked)


def _ways(asked: Asked) -> tuple[list[list[list[ColumnElement[bool]]]], set[str]]:
    """What is walked: for each of what an index begins with the spans in it, by day; and the columns these settle."""
    if not asked.by_time:
        return [[_severities(asked)]], {"severity"}
    fixed: tuple[Column[Any] | None, Sequence[Any]] = (None, [None])
    if asked.symbols is not None and len(asked.symbols) <= BRANCHES:
        fixed = at.symbol, asked.symbols
    elif asked.scanners is not None and len(asked.scanners) <= BRANCHES:
        fixed = at.scanner, asked.scanners
    column, values = fixed
    spans = _spans(asked, BRANCHES * BRANCHES // 4 // max(1, len(values)))
    used = {"day"} if column is None else {"day", column.name}
    begins = [[] if column is None else [column == value] for value in values]
    return [[[*begin, *span] for span in spans] for begin in begins], used


def _edge(connection: Connection, asked: Asked) -> Key:
    """The key up to which a walk looks at `LOOKED` triggers at most; none where there are not so many."""
    ways, _ = _ways(asked)
    ends = [_end(connection, asked, spans, LOOKED // len(ways)) for spans in ways]
    reached = [end for end in ends if end]
    return (max(reached) if asked.down else min(reached)) if reached else ()


def _end(connection: Connection, asked: Asked, spans: Sequence[Sequence[ColumnElement[bool]]], most: int) -> Key:
    """The key of the `most`-th entry of some spans, one after the other; none where they have fewer."""
    for span in reversed(spans) if asked.down else spans:
        there = _counted(connection, span, most - 1)
        if there >= most:
            chosen = _ordered(select(*asked.columns).where(*span), asked.columns, asked)
            return tuple(connection.execute(chosen.limit(1).offset(most - 1)).one())
        most -= there
    return ()


def _spans(asked: Asked, most: int) -> list[list[ColumnElement[bool]]]:
    """Where the days asked for lie in the order of time, between cursor and end; one span where they are many."""
    down, key, until = asked.down, asked.key, asked.until
    if asked.days is None:
        return [[*_beyond(BY_TIME, asked), *_not_beyond(BY_TIME, asked)]]
    days = [day for day in asked.days if not key or (day <= key[0] if down else day >= key[0])]
    days = [day for day in days if not until or (day >= until[0] if down else day <= until[0])]
    if len(days) > min(BRANCHES, max(1, most)):
        near, far = (days[-1], days[0]) if down else (days[0], days[-1])
        ends = [at.day >= far if down else at.day <= far] if not until else _not_beyond(BY_TIME, asked)
        begins = at.day <= near if down else at.day >= near
        inside = [*ends, _aside(at.day).in_(days)]
        return [[*_beyond(BY_TIME, asked), *inside] if key and near == key[0] else [begins, *inside]]
    within = {day: _compared((at.moment, at.id), key[1:], down) if key and day == key[0] else [] for day in days}
    for day in days:
        if until and day == until[0]:
            within[day] += _compared((at.moment, at.id), until[1:], not down, equal=True)
    return [[at.day == day, *beyond] for day, beyond in within.items()]


def _severities(asked: Asked) -> list[ColumnElement[bool]]:
    """Which severities are asked for, between cursor and end; of two limits at one end SQLite takes the first."""
    low, high = asked.severity
    lowest = [] if low is None else [at.severity >= low]
    highest = [] if high is None else [at.severity <= high]
    near, far = (highest, lowest) if asked.down else (lowest, highest)
    near = _beyond(asked.columns, asked) if asked.key else near
    return [*near, *(_not_beyond(asked.columns, asked) if asked.until else far)]


def _branch(asked: Asked, within: Sequence[ColumnElement[bool]], used: set[str]) -> Select[Any]:
    return _ordered(select(*asked.columns).where(*within, *_others(asked, used)), asked.columns, asked)


def _gather(asked: Asked, within: Sequence[ColumnElement[bool]], used: set[str]) -> Select[Any]:
    """All that are within, sorted."""
    columns = [_aside(column) for column in asked.columns]
    chosen = select(*asked.columns).where(*within, *_others(asked, used), *_beyond(columns, asked))
    return _ordered(chosen, columns, asked)


# Conditions


def _others(asked: Asked, used: set[str]) -> list[ColumnElement[bool]]:
    """What is asked beside what the index was chosen by."""
    limits = {"day": asked.days, "symbol": asked.symbols, "scanner": asked.scanners, "kind": asked.kinds}
    found = _in({_aside(at[name]): values for name, values in limits.items() if name not in used})
    if "severity" not in used:
        found += _within(_aside(at.severity), asked)
    for name, sign, value in asked.metrics:
        found.append(COMPARE[sign](_number(name), value))
        if name == "severity":
            found.append(_aside(at.severity) >= 0)
    return found


def _within(severity: ColumnElement[float], asked: Asked) -> list[ColumnElement[bool]]:
    low, high = asked.severity
    return [*([] if low is None else [severity >= low]), *([] if high is None else [severity <= high])]


def _in(limits: dict[Any, tuple[Any, ...] | None]) -> list[ColumnElement[bool]]:
    return [column.in_(values) for column, values in limits.items() if values is not None]


def _beyond(columns: Sequence[ColumnElement[Any]], asked: Asked) -> list[ColumnElement[bool]]:
    return _compared(columns, asked.key, asked.down) if asked.key else []


def _not_beyond(columns: Sequence[ColumnElement[Any]], asked: Asked) -> list[ColumnElement[bool]]:
    return _compared(columns, asked.until, not asked.down, equal=True) if asked.until else []


def _compared(
    columns: Sequence[ColumnElement[Any]], key: Key, down: bool, *, equal: bool = False
) -> list[ColumnElement[bool]]:
    here, there = tuple_(*columns), tuple_(*map(literal, key))
    if equal:
        return [here <= there if down else here >= there]
    return [here < there if down else here > there]


def _ordered(chosen: Select[Any], columns: Iterable[ColumnElement[Any]], asked: Asked) -> Select[Any]:
    order = (column.desc() if asked.down else column.asc() for column in columns)
    return chosen.order_by(*order).limit(asked.most)


def _aside(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column, so that no index has it."""
    return column + "" if isinstance(column.type, String) else column + 0


def _number(name: str) -> ColumnElement[float]:
    return _aside(at[name]) if name in OWN else at.metrics[name].as_float()

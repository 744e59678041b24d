"""The store as the explorer reads it."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scanner_kit.bus.plain import Announced, plain_trigger
from scanner_kit.calendar import NEW_YORK
from scanner_kit.store import Filter, Looked, Store, trigger_of
from scanner_kit.views.explorer.asked import Asked
from scanner_kit.views.explorer.records import Page, Row, Standing

ORDERS = {"newest": "newest", "oldest": "oldest", "severity": "severest"}


@dataclass(frozen=True)
class StoredRecords:
    """Pages of triggers, and the lists as they stood, from a store."""

    store: Store

    def days(self) -> Sequence[dt.date]:
        """The days of which something is stored, oldest first."""
        return self.store.days()

    def page(self, asked: Asked, at: Any, size: int) -> Page:
        """A page of triggers: the first where `at` is None, else that of another page's `next` or `previous`."""
        found = self.store.page(self._filter(asked), ORDERS[asked.order], at, size)
        looked = "" if found.looked is None else _how_far(found.looked)
        return Page([_told(row) for row in found.rows], found.next, found.previous, looked)

    def trigger(self, identity: str) -> Row | None:
        """The trigger of an identity."""
        found = self.store.trigger(identity)
        return None if found is None else _told(found)

    def minutes(self, day: dt.date) -> Sequence[int]:
        """The minutes of a day of which the lists are stored."""
        return self.store.minutes(day)

    def standing(self, day: dt.date, k: int) -> Standing | None:
        """The lists as they stood after minute `k`."""
        board = self.store.board_at(day, k)
        if board is None:
            return None
        lists = {name: [_row(symbol, figures) for symbol, figures in its["rows"]] for name, its in board.lists.items()}
        return Standing(board.k, lists)

    def _filter(self, asked: Asked) -> Filter:
        days = None
        if asked.first is not None or asked.last is not None:
            low, high = asked.first or dt.date.min, asked.last or dt.date.max
            days = [day for day in self.store.days() if low <= day <= high]
        return Filter(
            days=days,
            symbols=asked.symbols or None,
            scanners=asked.scanners or None,
            min_severity=asked.severity,
            metrics=[(one.metric, one.op, one.value) for one in asked.conditions],
        )


def _told(row: Row) -> Row:
    """A stored trigger as pages have it: plain values, null where unknown."""
    return {**plain_trigger(Announced(trigger_of(row), row["version"], row["late"])), "entry": row["entry"]}


def _how_far(looked: Looked) -> str:
    """How far a search came, in words.

    >>> _how_far(Looked(100_000, dt.date(2025, 1, 27), dt.datetime(2025, 1, 27, 14, 37, tzinfo=dt.UTC)))
    'Looked at 100,000 triggers as far as Jan 27, 2025, 09:37'
    """
    at = f"{looked.time.astimezone(NEW_YORK):%H:%M}"
    return f"Looked at {looked.triggers:,} triggers as far as {looked.day:%b %d, %Y}, {at}"


def _row(symbol: str, figures: dict[str, float | None]) -> tuple[str, dict[str, float]]:
    return symbol, {name: float("nan") if value is None else value for name, value in figures.items()}

"""What the explorer asks of a store: pages of triggers, and the lists as they stood; and a twin of it in memory.

A row is a trigger as plain values: its fields by name, `day` and `time` as ISO texts, `identity`, the `metrics` by
name, None for what is unknown; `version` of the settings, and `late`, the seconds by which it was said late.
"""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from scanner_kit.views.explorer.asked import Asked

Row = Mapping[str, Any]
Figures = Mapping[str, float]


@dataclass(frozen=True)
class Page:
    """Some rows in the order that was asked for; from where the next and the previous ones are had, where there are.

    `looked` says how far it was looked for them, where that was not to the end: whoever turns the page looks on.
    """

    rows: Sequence[Row]
    next: Any = None
    previous: Any = None
    looked: str = ""


@dataclass(frozen=True)
class Standing:
    """The lists as they were published with a step: symbols in order, each with its figures, the score among them."""

    k: int
    lists: Mapping[str, Sequence[tuple[str, Figures]]]


class Records(Protocol):
    """What is stored, as the explorer reads it; from any thread."""

    def days(self) -> Sequence[dt.date]:
        """The days of which something is stored, oldest first."""

    def page(self, asked: Asked, at: Any, size: int) -> Page:
        """A page of triggers: the first where `at` is None, else that of another page's `next` or `previous`."""

    def trigger(self, identity: str) -> Row | None:
        """The trigger of an identity."""

    def minutes(self, day: dt.date) -> Sequence[int]:
        """The minutes of a day of which the lists are stored."""

    def standing(self, day: dt.date, k: int) -> Standing | None:
        """The lists as they stood after minute `k`."""


@dataclass(frozen=True)
class Remembered:
    """Records in memory, for a notebook's own triggers and for tests; pages as a store gives them.

    >>> records = Remembered([{"identity": "a", "day": "2025-01-27", "time": "2025-01-27T14:31:00+00:00"}])
    >>> [row["identity"] for row in records.page(Asked(), None, 10).rows]
    ['a']
    """

    triggers: Sequence[Row] = ()
    standings: Mapping[dt.date, Mapping[int, Standing]] = field(default_factory=dict)

    def days(self) -> Sequence[dt.date]:
        """The days of which something is known, oldest first."""
        return sorted({dt.date.fromisoformat(row["day"]) for row in self.triggers} | set(self.standings))

    def page(self, asked: Asked, at: Any, size: int) -> Page:
        """A page of the triggers that were asked for."""
        rows = sorted(filter(asked.holds, self.triggers), key=lambda row: _place(asked, row))
        after, forward = at or (None, True)
        if after is not None and not forward:
            rows = [row for row in rows if _place(asked, row) < after]
            shown, earlier, later = rows[-size:], len(rows) > size, True
        else:
            left = [row for row in rows if after is None or _place(asked, row) > after]
            shown, earlier, later = left[:size], after is not None, len(left) > size
        ends = [_place(asked, row) for row in shown]
        return Page(
            shown, (ends[-1], True) if shown and later else None, (ends[0], False) if shown and earlier else None
        )

    def trigger(self, identity: str) -> Row | None:
        """The trigger of an identity."""
        return next((row for row in self.triggers if row["identity"] == identity), None)

    def minutes(self, day: dt.date) -> Sequence[int]:
        """The minutes of a day of which the lists are known."""
        return sorted(self.standings.get(day, {}))

    def standing(self, day: dt.date, k: int) -> Standing | None:
        """The lists as they stood after minute `k`."""
        return self.standings.get(day, {}).get(k)


def _place(asked: Asked, row: Row) -> tuple[float, float, str]:
    """Where a row stands in the order that is asked for; the unknown come last."""
    instant = dt.datetime.fromisoformat(row["time"]).timestamp()
    severity = row.get("severity")
    first = (math.inf if severity is None else -severity) if asked.order == "severity" else 0.0
    return first, instant if asked.order == "oldest" else -instant, row["identity"]

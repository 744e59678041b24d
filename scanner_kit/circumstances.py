"""Conditions on circumstances rather than on a number: the session, a word of the symbol, a bar, what was before.

And what is chosen by one.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from scanner_kit.calendar import Session, TradingDay
from scanner_kit.columns import Column, Comparison, Memo, figure_at, values_of
from scanner_kit.conditions import Condition, at_row, holds_at, lazy, taken
from scanner_kit.reason import Reason
from scanner_kit.universe import Bools, Floats, Rows, Universe

MEMBER = "yes"


class InSession(Condition):
    """Whether the minute belongs to one of some sessions; always known, and the same for all symbols."""

    def __init__(self, minute: Column, day: TradingDay, sessions: tuple[Session, ...]) -> None:
        self.minute, self.day, self.sessions = minute, day, sessions
        self._minutes = _minutes_of(day, sessions)

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold."""
        return np.asarray(self._minutes[self.minute.values.astype(np.intp)])

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        return np.asarray(~self.true)

    @property
    def told(self) -> tuple[str, str]:
        """The session, and that it is one of some."""
        return "session", "in"

    def explain(self, row: int) -> Reason:
        """The session of this minute and those that are allowed, the same for every symbol."""
        found = str(self.day.session(int(at_row(self.minute.values, row))))
        return Reason(*self.told, found, [str(s) for s in self.sessions], None, holds_at(self, row))

    def __str__(self) -> str:
        return f"session in {[str(s) for s in self.sessions]}"


@lru_cache(maxsize=256)
def _minutes_of(day: TradingDay, sessions: tuple[Session, ...]) -> Bools:
    return np.array([day.session(k) in sessions for k in range(day.minutes)])


class InUniverse(Comparison):
    """Whether a symbol is of the universe in a minute; always known."""

    def __init__(self, there: Column, universe: Universe, minute: Column) -> None:
        super().__init__(there, ">=", 1.0)
        self.universe, self.minute = universe, minute

    @property
    def told(self) -> tuple[str, str]:
        """The universe, and that the symbol is of it."""
        return "in the universe", "=="

    def explain(self, row: int) -> Reason:
        """Since when the symbol is not of the universe, or when it joins."""
        holds, k = holds_at(self, row), int(at_row(self.minute.values, row))
        found = MEMBER if holds else self.universe.absence(self.universe.symbols[row], k)
        return Reason(*self.told, found, MEMBER, None, holds)

    def __str__(self) -> str:
        return "is of the universe"


class OneOf(Condition):
    """Whether a word of the symbol (its sector, its kind, itself) is among some.

    With `among=False`, whether it is not.
    """

    lasting = True

    def __init__(self, words: np.ndarray[Any, Any], label: str, allowed: frozenset[str], among: bool = True) -> None:
        self.words, self.label, self.allowed, self.among = words, label, allowed, among

    @lazy
    def _is_in(self) -> Bools:
        return np.array([word in self.allowed for word in self.words], dtype=np.bool_)

    @lazy
    def _is_known(self) -> Bools:
        return np.array([isinstance(word, str) and word != "" for word in self.words], dtype=np.bool_)

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold."""
        return np.asarray(self._is_known & (self._is_in == self.among))

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        return np.asarray(self._is_known & (self._is_in != self.among))

    @property
    def told(self) -> tuple[str, str]:
        """Which word, and whether it is to be among some."""
        return self.label, "in" if self.among else "not in"

    def explain(self, row: int) -> Reason:
        """The symbol's word and those that are allowed."""
        why = "" if self._is_known[row] else f"{self.label} is not known"
        return Reason(*self.told, self.words[row], sorted(self.allowed), None, holds_at(self, row), why)

    def __str__(self) -> str:
        return f"{self.label} {'in' if self.among else 'not in'} {sorted(self.allowed)}"


class Known(Condition):
    """Whether a column is known: of a bar's price, whether there is a bar."""

    def __init__(self, column: Column) -> None:
        self.column = column

    @lazy
    def true(self) -> Bools:
        """Where there is a number."""
        return np.asarray(~self.false)

    @lazy
    def false(self) -> Bools:
        """Where there is none."""
        return np.isnan(self.column.values)

    def __str__(self) -> str:
        return f"{self.column.label} is known"


class WasNot(Condition):
    """Whether a metric was not some value in the step before; always known, as before anything was known it was not."""

    def __init__(self, before: Column, value: float) -> None:
        self.before, self.value = before, value

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold."""
        return np.asarray(~self.false)

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        return np.asarray(self.before.values == self.value)

    @property
    def told(self) -> tuple[str, str]:
        """The metric in the step before, and that it is something else."""
        return self.before.label, "≠"

    def explain(self, row: int) -> Reason:
        """What it was, and what it must not have been."""
        was, holds = at_row(self.before.values, row), holds_at(self, row)
        return Reason(*self.told, was, self.value, None, holds, "", self.before.unit)

    def __str__(self) -> str:
        return f"{self.before.label} ≠ {self.value:g}"


class Within(Condition):
    """A condition that is unknown where another does not hold: without a bar, or where no side of an `|` holds."""

    def __init__(self, condition: Condition, where: Condition, outside: str) -> None:
        self.condition, self.where, self.outside = condition, where, outside
        if condition.level is not None:
            self.level, self.rearm = condition.level, condition.rearm

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold."""
        return self.condition.true & self.where.true

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        return self.condition.false & self.where.true

    def parts(self) -> Iterator[Condition]:
        """The parts of the condition, each unknown outside too."""
        for part in self.condition.parts():
            yield self if part is self.condition else Within(part, self.where, self.outside)

    @property
    def told(self) -> tuple[str, str]:
        """What the condition tells."""
        return self.condition.told

    def explain(self, row: int) -> Reason:
        """What the condition says, or why it says nothing."""
        reason = self.condition.explain(row)
        if at_row(self.where.true, row):
            return reason
        return Reason(reason.what, reason.op, reason.value, reason.threshold, None, None, self.outside, reason.unit)

    def __str__(self) -> str:
        return str(self.condition)


class Chosen(Column):
    """A column that is one thing where a condition holds, another where it does not, and unknown where it is."""

    def __init__(self, where: Condition, then: Column | float, otherwise: Column | float, memo: Memo) -> None:
        self.where, self.then, self.otherwise = where, then, otherwise
        super().__init__(None, then.label if isinstance(then, Column) else f"{then:g}", memo)

    def make(self) -> Floats:
        """The numbers of all symbols."""
        return _choice(self.where.true, self.where.false, values_of(self.then), values_of(self.otherwise))

    def at(self, rows: Rows) -> Floats:
        """The numbers of some symbols, at an instant."""
        chosen = figure_at(self.then, rows), figure_at(self.otherwise, rows)
        return _choice(taken(self.where.true, rows), taken(self.where.false, rows), *chosen)


def _choice(holds: Bools, fails: Bools, then: Any, otherwise: Any) -> Floats:
    return np.where(holds, then, np.where(fails, otherwise, np.nan))


class Depending(Condition):
    """One condition in the minutes in which another holds, and a second in all others."""

    def __init__(self, where: Condition, then: Condition, otherwise: Condition) -> None:
        self.where, self.then, self.otherwise = where, then, otherwise

    @property
    def present(self) -> Condition | None:
        """The one that counts, at an instant."""
        return (self.then if self.where.true else self.otherwise) if self.where.true.ndim == 0 else None

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold."""
        one = self.present
        return one.true if one is not None else np.where(self.where.true, self.then.true, self.otherwise.true)

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        one = self.present
        return one.false if one is not None else np.where(self.where.true, self.then.false, self.otherwise.false)

    def parts(self) -> Iterator[Condition]:
        """The parts of the one that counts; over a day, itself."""
        yield from (self,) if self.present is None else self.present.parts()

    def __str__(self) -> str:
        return f"{self.then} where {self.where}, else {self.otherwise}"

"""Columns, a number for each symbol, and what they are compared with.

A comparison knows what it compared, so that it can be explained for any symbol.
"""

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from scanner_kit.conditions import Condition, Node, at_row, holds_at, lazy, taken
from scanner_kit.errors import InvalidInput
from scanner_kit.reason import Reason
from scanner_kit.universe import Bools, Floats, Rows

if TYPE_CHECKING:
    from scanner_kit.metrics.base import Metric

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}

OPPOSITE: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.lt,
    "<=": operator.gt,
    ">": operator.le,
    "<": operator.ge,
    "==": lambda a, b: (a < b) | (a > b),  # NaN is neither equal nor unequal
}
"""What is false where the comparison is: of two known numbers, exactly one of the pair holds.

Of an unknown one, neither.
"""


class Memo(dict[Any, Any]):
    """What was already made of a snapshot, so that equal conditions are evaluated once.

    Columns know it weakly: a snapshot goes, with its arrays, as soon as nobody holds it.
    """

    __slots__ = ("__weakref__",)


class Column(Node):
    """A number per symbol with a name, to compare: `now[metric] >= 3.0`.

    `values` are float64 `(symbols,)` or `(minutes, symbols)`, or a function that makes them of the values of `parts`
    when they are first read. With `each` it takes every symbol by itself, so that some can be made alone.
    """

    def __init__(
        self,
        values: "Floats | Callable[..., Floats] | None",
        label: str,
        memo: Memo | None = None,
        metric: "Metric | None" = None,
        *,
        of_bar: bool = False,
        parts: "tuple[Column | float, ...]" = (),
        each: bool = False,
    ) -> None:
        self.label, self.metric, self.of_bar, self.parts, self.each = label, metric, of_bar, parts, each
        self.memo = nobody if memo is None else ref(memo)
        if values is not None:
            self.__dict__["make" if callable(values) else "values"] = values

    @classmethod
    def made(cls, label: str, make: "Callable[..., Floats]", *columns: "Column") -> "Column":
        """A column that a function makes of the values of others; it gives an array of their shape."""
        return cls(make, label, columns[0].memo(), parts=columns)

    def make(self, *parts: Any) -> Floats:
        """The numbers, of those of its parts: the function that it was given, or that of a class of its own."""
        raise InvalidInput(f"{self.label} has no values. Give them, or a function that makes them.")

    @lazy
    def values(self) -> Floats:
        """The numbers; NaN is unknown."""
        return self.make(*map(values_of, self.parts))

    def at(self, rows: Rows) -> Floats:
        """The numbers of some symbols, at an instant."""
        if self.each and "values" not in self.__dict__:
            return self.make(*(figure_at(part, rows) for part in self.parts))
        return taken(self.values, rows)

    def __ge__(self, other: "Column | float") -> Condition:
        return self._compare(">=", other)

    def __le__(self, other: "Column | float") -> Condition:
        return self._compare("<=", other)

    def __gt__(self, other: "Column | float") -> Condition:
        return self._compare(">", other)

    def __lt__(self, other: "Column | float") -> Condition:
        return self._compare("<", other)

    def equals(self, other: "Column | float") -> Condition:
        """Whether it is this number."""
        return self._compare("==", other)

    def _compare(self, op: str, other: "Column | float") -> Condition:
        memo = self.memo()
        key = (op, self, other)
        known: Condition | None = None if memo is None else memo.get(key)
        if known is not None:
            return known
        condition = self._comparison(op, other)
        if memo is not None:
            memo[key] = condition
        return condition

    def _comparison(self, op: str, other: "Column | float") -> Condition:
        if not isinstance(other, (Column, float, int, np.number)):  # a union would be made anew each time
            raise InvalidInput(f"{self.label} is compared with a number or a column; found {other!r}. Give a number.")
        return Comparison(self, op, other)

    def __abs__(self) -> "Column":
        return self._derived(f"abs({self.label})", np.abs)

    def __neg__(self) -> "Column":
        return self._derived(f"-{self.label}", operator.neg)

    def __add__(self, other: "Column | float") -> "Column":
        return self._derived(f"{self.label} + {_label(other)}", operator.add, other)

    def __sub__(self, other: "Column | float") -> "Column":
        return self._derived(f"{self.label} − {_label(other)}", operator.sub, other)

    def __mul__(self, other: "Column | float") -> "Column":
        return self._derived(f"{self.label} · {_label(other)}", operator.mul, other)

    def __truediv__(self, other: "Column | float") -> "Column":
        return self._derived(f"{self.label} ÷ {_label(other)}", _quotient, other)

    def _derived(self, label: str, make: Callable[..., Any], *others: "Column | float") -> "Column":
        return Column(make, label, self.memo(), self.metric, parts=(self, *others), each=True)

    @property
    def why_unknown(self) -> str:
        """What makes it unknown, from the definition."""
        if self.of_bar:
            return "no bar in this minute, or it has not closed yet"
        doc = self.metric.doc if self.metric else ""
        return doc.partition("Unknown: ")[2].partition(".")[0] or f"{self.label} is not known"

    @property
    def unit(self) -> str:
        """The unit of its metric."""
        return self.metric.unit if self.metric else ""


class OfEach(Column):
    """A column with a place for each symbol (and minute), of one that may be a number for all alike."""

    def __init__(self, column: Column, shape: tuple[int, ...], memo: Memo) -> None:
        self.column, self.shape = column, shape
        super().__init__(None, column.label, memo, of_bar=column.of_bar)

    def make(self) -> Floats:
        """The numbers of all symbols."""
        values = self.column.values
        return values if values.shape == self.shape else np.full(self.shape, values)

    def at(self, rows: Rows) -> Floats:
        """The numbers of some symbols, at an instant."""
        found = np.asarray(self.column.at(rows))
        return found if found.ndim else np.full(rows.size, found)


class Comparison(Condition):
    """A column against a threshold or another column."""

    def __init__(self, left: Column, op: str, right: Column | float) -> None:
        self.left, self.op, self.right = left, op, right

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold."""
        return np.asarray(COMPARE[self.op](self.left.values, values_of(self.right)))

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        return np.asarray(OPPOSITE[self.op](self.left.values, values_of(self.right)))

    @property
    def told(self) -> tuple[str, str]:
        """The two that are compared, and how."""
        return str(self), self.op

    def explain(self, row: int) -> Reason:
        """What was compared for the symbol in that row, and by how much."""
        value, threshold = at_row(self.left.values, row), at_row(values_of(self.right), row)
        margin = threshold - value if self.op in ("<=", "<") else value - threshold
        missing = self.left if np.isnan(value) or not isinstance(self.right, Column) else self.right
        holds = holds_at(self, row)
        why = missing.why_unknown if holds is None else ""
        return Reason(*self.told, value, threshold, None if np.isnan(margin) else margin, holds, why, self.left.unit)

    def reading(self) -> str:
        """How it reads as a part of another."""
        return f"{self.left.label} {self.op} {_label(self.right)}"

    def __str__(self) -> str:
        return f"{self.left.label} vs {self.right.label}" if isinstance(self.right, Column) else self.left.label


def nobody() -> None:
    """The memo of a column that belongs to no snapshot."""


def values_of(side: Column | float) -> Any:
    """The numbers of a column, or the number itself."""
    return side.values if isinstance(side, Column) else side


def figure_at(side: Column | float, rows: Rows) -> Any:
    """The numbers of a column for some symbols, or the number itself."""
    return side.at(rows) if isinstance(side, Column) else side


def _quotient(a: Floats, b: Floats | float) -> Floats:
    """A ÷ b, unknown where b ≤ 0; ±inf is never produced."""
    with np.errstate(all="ignore"):
        quotient = np.where(np.asarray(b) > 0, a / b, np.nan)
    return np.where(np.isinf(quotient), np.nan, quotient)


def _label(side: Column | float) -> str:
    return side.label if isinstance(side, Column) else f"{side:g}"

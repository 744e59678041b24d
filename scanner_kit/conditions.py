"""Three-valued conditions: true, false, or unknown, for each symbol.

NaN is *not known*: neither yes nor no. A compound is true or false when its known parts decide it, else unknown; only
true selects. The law has its home here. A condition knows what it compared, so that it can be explained for any symbol.
"""

import copy
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar
from weakref import ref

import numpy as np

from scanner_kit.errors import InvalidInput
from scanner_kit.reason import Reason
from scanner_kit.universe import Bools, Floats

if TYPE_CHECKING:
    from scanner_kit.metrics.base import Metric

T = TypeVar("T")
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


class lazy(Generic[T]):  # noqa: N801 (used like a property)
    """An attribute that is computed when it is first read; without a lock, as a snapshot belongs to one thread."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute, self.name, self.__doc__ = compute, compute.__name__, compute.__doc__

    def __get__(self, owner: Any, _: type) -> T:
        value = owner.__dict__[self.name] = self.compute(owner)
        return value


class Memo(dict[Any, Any]):
    """What was already made of a snapshot, so that equal conditions are evaluated once.

    Columns know it weakly: a snapshot goes, with its arrays, as soon as nobody holds it.
    """

    __slots__ = ("__weakref__",)


class Column:
    """A number per symbol with a name, to compare: `now[metric] >= 3.0`.

    `values` are float64 `(symbols,)` or `(minutes, symbols)`.
    """

    __slots__ = ("label", "memo", "metric", "of_bar", "values")

    def __init__(
        self,
        values: Floats,
        label: str,
        memo: Memo | None = None,
        metric: "Metric | None" = None,
        *,
        of_bar: bool = False,
    ) -> None:
        self.values, self.label, self.metric, self.of_bar = values, label, metric, of_bar
        self.memo = nobody if memo is None else ref(memo)

    def __ge__(self, other: "Column | float") -> "Condition":
        return self._compare(">=", other)

    def __le__(self, other: "Column | float") -> "Condition":
        return self._compare("<=", other)

    def __gt__(self, other: "Column | float") -> "Condition":
        return self._compare(">", other)

    def __lt__(self, other: "Column | float") -> "Condition":
        return self._compare("<", other)

    def equals(self, other: "Column | float") -> "Condition":
        """Whether it is this number."""
        return self._compare("==", other)

    def _compare(self, op: str, other: "Column | float") -> "Condition":
        memo = self.memo()
        key = (op, self, other)
        known: Condition | None = None if memo is None else memo.get(key)
        if known is not None:
            return known
        condition = self._comparison(op, other)
        if memo is not None:
            memo[key] = condition
        return condition

    def _comparison(self, op: str, other: "Column | float") -> "Condition":
        if not isinstance(other, (Column, float, int, np.number)):  # a union would be made anew each time
            raise InvalidInput(f"{self.label} is compared with a number or a column; found {other!r}. Give a number.")
        return Comparison(self, op, other)

    def __abs__(self) -> "Column":
        return self._derived(np.abs(self.values), f"abs({self.label})")

    def __neg__(self) -> "Column":
        return self._derived(-self.values, f"-{self.label}")

    def __add__(self, other: "Column | float") -> "Column":
        return self._combined(operator.add, "+", other)

    def __sub__(self, other: "Column | float") -> "Column":
        return self._combined(operator.sub, "−", other)

    def __mul__(self, other: "Column | float") -> "Column":
        return self._combined(operator.mul, "·", other)

    def __truediv__(self, other: "Column | float") -> "Column":
        divisor = np.asarray(values_of(other))
        with np.errstate(all="ignore"):
            quotient = np.where(divisor > 0, self.values / divisor, np.nan)
        return self._derived(np.where(np.isinf(quotient), np.nan, quotient), f"{self.label} ÷ {_label(other)}")

    def _combined(self, op: Callable[[Any, Any], Any], sign: str, other: "Column | float") -> "Column":
        return self._derived(op(self.values, values_of(other)), f"{self.label} {sign} {_label(other)}")

    def _derived(self, values: Floats, label: str) -> "Column":
        return Column(values, label, self.memo(), self.metric)

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


class Condition:
    """Yes, no or unknown per symbol: two masks, of which at most one is set. Combine with `&`, `|` and `~`."""

    level: Column | None = None
    rearm: int = 0
    """+1 for a break upwards, −1 downwards, 0 for what is no break."""

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold."""
        raise InvalidInput(f"{type(self).__name__} has no `true`. Write what it means to hold.")

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        raise InvalidInput(f"{type(self).__name__} has no `false`. Write what it means not to hold.")

    @property
    def known(self) -> Bools:
        """Where it is known."""
        return self.true | self.false

    def parts(self) -> "Iterator[Condition]":
        """The conditions that it is made of and that can be explained."""
        yield self

    def explain(self, row: int) -> Reason:
        """What it says of the symbol in that row."""
        return Reason(str(self), "", None, None, None, holds_at(self, row), "a part of it is not known")

    def at(self, level: Column) -> "Condition":
        """The same condition, with the price at which it speaks."""
        return self.breaking(level, 0)

    def breaking(self, level: Column, side: int) -> "Condition":
        """The same condition as a break of a level, upwards (+1) or downwards (−1)."""
        spoken = copy.copy(self)
        spoken.level, spoken.rearm = level, side
        return spoken

    def __and__(self, other: "Condition") -> "Condition":
        return AllOf((self, other))

    def __or__(self, other: "Condition") -> "Condition":
        return AnyOf((self, other))

    def __invert__(self) -> "Condition":
        return Not(self)

    def __bool__(self) -> NoReturn:
        raise InvalidInput(
            "A condition is yes, no or unknown for each symbol, not one truth. Combine "
            "conditions with &, | and ~ and compare once at a time."
        )


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

    def explain(self, row: int) -> Reason:
        """What was compared for the symbol in that row, and by how much."""
        value, threshold = at_row(self.left.values, row), at_row(values_of(self.right), row)
        margin = threshold - value if self.op in ("<=", "<") else value - threshold
        missing = self.left if np.isnan(value) or not isinstance(self.right, Column) else self.right
        holds = holds_at(self, row)
        why = missing.why_unknown if holds is None else ""
        return Reason(
            str(self), self.op, value, threshold, None if np.isnan(margin) else margin, holds, why, self.left.unit
        )

    def __str__(self) -> str:
        return f"{self.left.label} vs {self.right.label}" if isinstance(self.right, Column) else self.left.label


class OneOf(Condition):
    """Whether a word of the symbol (its sector, its kind, itself) is among some.

    With `among=False`, whether it is not.
    """

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

    def explain(self, row: int) -> Reason:
        """The symbol's word and those that are allowed."""
        op = "in" if self.among else "not in"
        why = "" if self._is_known[row] else f"{self.label} is not known"
        return Reason(self.label, op, self.words[row], sorted(self.allowed), None, holds_at(self, row), why)


class Fixed(Condition):
    """What is always known: a bool for all symbols alike, such as the session's, or one for each minute or symbol."""

    def __init__(self, holds: Any, label: str, value: Any, threshold: Any) -> None:
        self.true, self.false = np.asarray(holds), ~np.asarray(holds)
        self.label, self.value, self.threshold = label, value, threshold

    def explain(self, row: int) -> Reason:
        """The value and what is allowed, the same for every symbol."""
        return Reason(self.label, "in", self.value, self.threshold, None, holds_at(self, row))


class AllOf(Condition):
    """All of some conditions: false where one is false, true where all are."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self.conditions = tuple(conditions)

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold; once nobody is left, the rest is not looked at."""
        left = np.asarray(True)
        for condition in self.conditions:
            left = left & condition.true
            if not np.count_nonzero(left):
                break
        return left

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        return reduce(operator.or_, (c.false for c in self.conditions), np.asarray(False))

    def parts(self) -> Iterator[Condition]:
        """The parts of each."""
        for condition in self.conditions:
            yield from condition.parts()

    def __str__(self) -> str:
        return " and ".join(_reading(c) for c in self.conditions)


class AnyOf(Condition):
    """Any of some conditions: true where one is true, false where all are false."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self.conditions = tuple(conditions)

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold."""
        return reduce(operator.or_, (c.true for c in self.conditions), np.asarray(False))

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        return reduce(operator.and_, (c.false for c in self.conditions), np.asarray(True))

    def __str__(self) -> str:
        return " or ".join(f"({_reading(c)})" for c in self.conditions)


class Not(Condition):
    """The opposite of a condition; unknown where it is."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold."""
        return self.condition.false

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        return self.condition.true

    def __str__(self) -> str:
        return f"not ({_reading(self.condition)})"


class Within(Condition):
    """A condition that is unknown outside a mask: without a bar, or where no side of an `|` holds."""

    def __init__(self, condition: Condition, mask: Bools, outside: str) -> None:
        self.condition, self.mask, self.outside = condition, mask, outside
        if condition.level is not None:
            self.level, self.rearm = condition.level, condition.rearm

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold."""
        return self.condition.true & self.mask

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        return self.condition.false & self.mask

    def parts(self) -> Iterator[Condition]:
        """The parts of the condition, each unknown outside the mask too."""
        for part in self.condition.parts():
            yield self if part is self.condition else Within(part, self.mask, self.outside)

    def explain(self, row: int) -> Reason:
        """What the condition says, or why it says nothing."""
        reason = self.condition.explain(row)
        if at_row(self.mask, row):
            return reason
        return Reason(reason.what, reason.op, reason.value, reason.threshold, None, None, self.outside, reason.unit)

    def __str__(self) -> str:
        return str(self.condition)


def full(mask: Bools, shape: tuple[int, ...]) -> Bools:
    """A mask with a place for each symbol (and minute)."""
    return mask if mask.shape == shape else np.broadcast_to(mask, shape)


def nobody() -> None:
    """The memo of a column that belongs to no snapshot."""


def values_of(side: Column | float) -> Any:
    """The numbers of a column, or the number itself."""
    return side.values if isinstance(side, Column) else side


def at_row(values: Any, row: int) -> Any:
    """The value of one symbol, of an array over symbols or of one for all alike."""
    array = np.asarray(values)
    return array.item() if array.size == 1 else array[..., row].item()


def holds_at(condition: Condition, row: int) -> bool | None:
    """Whether it holds for the symbol in that row; None where unknown."""
    if at_row(condition.true, row):
        return True
    return False if at_row(condition.false, row) else None


def _label(side: Column | float) -> str:
    return side.label if isinstance(side, Column) else f"{side:g}"


def _reading(condition: Condition) -> str:
    if isinstance(condition, Comparison):
        return f"{condition.left.label} {condition.op} {_label(condition.right)}"
    return str(condition)

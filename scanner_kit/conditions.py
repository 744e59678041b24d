"""Three-valued conditions: true, false, or unknown, for each symbol.

NaN is *not known*: neither yes nor no. A compound is true or false when its known parts decide it, else unknown; only
true selects. The law has its home here. What a condition says is computed when it is asked for, and kept.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast

import numpy as np

from scanner_kit.errors import InvalidInput
from scanner_kit.reason import Reason
from scanner_kit.universe import Bools, Rows

if TYPE_CHECKING:
    from scanner_kit.columns import Column

T = TypeVar("T")
Array = TypeVar("Array", bound="np.ndarray[Any, Any]")
NOBODY: Rows = np.empty(0, dtype=np.intp)
NEGATED = {">=": "<", "<": ">=", "<=": ">", ">": "<=", "==": "≠", "≠": "==", "in": "not in", "not in": "in"}
"""How the opposite of what was compared is told."""


class lazy(Generic[T]):  # noqa: N801 (used like a property)
    """An attribute of a node that is computed when it is first read; without a lock, as it belongs to one thread."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute, self.name, self.__doc__ = compute, compute.__name__, compute.__doc__

    def __get__(self, owner: "Node", _: type) -> T:
        value = owner.__dict__[self.name] = self.compute(owner)
        owner.__dict__.setdefault("_computed", []).append((owner.__dict__, self.name))
        return value


class Node:
    """What is computed from other nodes once it is asked for: a column, a condition."""

    lasting = False
    """Whether it stays as it is all day."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        kept = next((name for name, value in vars(cls).items() if isinstance(value, cached_property)), None)
        if kept is not None and not cls.lasting:
            raise InvalidInput(
                f"{cls.__name__}.{kept} is computed anew at every step; found a cached_property, which keeps that of "
                f"the first. Write @lazy, from scanner_kit.conditions."
            )

    def sources(self) -> "Iterator[Node]":
        """The nodes that it is computed from: its attributes, and those in its tuples."""
        for value in vars(self).values():
            yield from (v for v in (value if isinstance(value, tuple) else (value,)) if isinstance(v, Node))

    def forget(self) -> None:
        """Be computed anew when next asked."""
        forget(self.__dict__.pop("_computed", []))

    def note_in(self, computed: list[tuple[dict[str, Any], str]]) -> None:
        """Note from now on in a list what is computed, so that `forget` has that of many nodes in one place."""
        self.forget()
        self.__dict__["_computed"] = computed


class Condition(Node):
    """Yes, no or unknown per symbol: two masks, of which at most one is set. Combine with `&`, `|` and `~`.

    In one of your own, what is computed of columns and other conditions is a property or `lazy`: the same condition is
    asked at every step, and what is `lazy` is forgotten in between.
    """

    level: "Column | None" = None
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

    def rows(self, symbols: int) -> Rows:
        """The rows of so many symbols for which it is known to hold, at an instant."""
        return rows_of(self.true, symbols)

    def parts(self) -> "Iterator[Condition]":
        """The conditions that it is made of and that can be explained."""
        yield self

    def reading(self) -> str:
        """How it reads as a part of another."""
        return str(self)

    @property
    def told(self) -> tuple[str, str]:
        """What it compares, and how: what its reason says of it under whatever thresholds."""
        return str(self), ""

    def explain(self, row: int) -> Reason:
        """What it says of the symbol in that row."""
        return Reason(*self.told, None, None, None, holds_at(self, row), "a part of it is not known")

    def at(self, level: "Column") -> "Condition":
        """The same condition, with the price at which it speaks."""
        return self.breaking(level, 0)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.reading()}>"

    def __str__(self) -> str:
        return type(self).__name__

    def breaking(self, level: "Column", side: int) -> "Condition":
        """The same condition as a break of a level, upwards (+1) or downwards (−1)."""
        return Spoken(self, level, side)

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


class Spoken(Condition):
    """A condition, with the price at which it speaks; what it says is computed once for all who speak of it."""

    def __init__(self, condition: Condition, level: "Column", rearm: int) -> None:
        self.condition, self.level, self.rearm = condition, level, rearm

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold."""
        return self.condition.true

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        return self.condition.false

    def parts(self) -> Iterator[Condition]:
        """The parts of the condition."""
        yield from self.condition.parts()

    def reading(self) -> str:
        """How it reads as a part of another."""
        return self.condition.reading()

    def __str__(self) -> str:
        return str(self.condition)


class AllOf(Condition):
    """All of some conditions: false where one is false, true where all are."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self.conditions = tuple(conditions)

    @lazy
    def true(self) -> Bools:
        """Where it is known to hold; once nobody is left, the rest is not looked at."""
        left: Any = None
        for condition in self.conditions:
            left = condition.true if left is None else left & condition.true
            if not np.count_nonzero(left):
                break
        return np.asarray(True if left is None else left)

    @lazy
    def false(self) -> Bools:
        """Where it is known not to hold."""
        return reduce(operator.or_, (c.false for c in self.conditions), np.asarray(False))

    def parts(self) -> Iterator[Condition]:
        """The parts of each."""
        for condition in self.conditions:
            yield from condition.parts()

    def __str__(self) -> str:
        return " and ".join(c.reading() for c in self.conditions)


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
        return " or ".join(f"({c.reading()})" for c in self.conditions)


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

    def explain(self, row: int) -> Reason:
        """What was compared, told the other way round; of a compound only whether it holds."""
        told = self.condition.explain(row)
        if told.op not in NEGATED:
            return super().explain(row)
        op, margin = NEGATED[told.op], None if told.margin is None or told.op == "==" else -told.margin
        return replace(told, op=op, margin=margin, holds=holds_at(self, row))

    def __str__(self) -> str:
        return f"not ({self.condition.reading()})"


def rows_of(mask: Bools, symbols: int) -> Rows:
    """The rows of so many symbols that are set in a mask over them, or in one for all alike."""
    if mask.ndim:
        return mask.nonzero()[0]
    return np.arange(symbols) if mask else NOBODY


def full(mask: Bools, shape: tuple[int, ...]) -> Bools:
    """A mask with a place for each symbol (and minute)."""
    return mask if mask.shape == shape else np.broadcast_to(mask, shape)


def forget(computed: list[tuple[dict[str, Any], str]]) -> None:
    """Have computed anew, when next asked, what stands in a list of what was computed."""
    for owner, name in computed:
        del owner[name]
    computed.clear()


def nodes(*roots: Node) -> list[Node]:
    """The nodes and all that they are computed from, each once."""
    found: dict[int, Node] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if id(node) not in found:
            found[id(node)] = node
            waiting.extend(node.sources())
    return list(found.values())


def taken(values: Array, rows: Rows) -> Array:
    """The values of some rows, of an array over symbols or of one for all alike."""
    return cast("Array", values[rows]) if values.ndim else values


def at_row(values: Any, row: int) -> Any:
    """The value of one symbol, of an array over symbols or of one for all alike."""
    array = np.asarray(values)
    return array.item() if array.size == 1 else array[..., row].item()


def holds_at(condition: Condition, row: int) -> bool | None:
    """Whether it holds for the symbol in that row; None where unknown."""
    if at_row(condition.true, row):
        return True
    return False if at_row(condition.false, row) else None

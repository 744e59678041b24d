"""Masks: what a web of conditions says of the whole market, found in one compiled pass.

The conditions of a roster are the same at every step; only the numbers in them differ. So they are written down once
as a plan: compare this column with that number, join these masks. Every step runs the plan over the market, some
symbols at a time so that what was compared is still in the fast cache when it is joined. The masks are those that the
conditions would make themselves, and stand in them as `true` and `false`. A condition of a kind that is not known here
makes its own when it is asked.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]
from numba.extending import intrinsic

from scanner_kit.arithmetic import compiled
from scanner_kit.bars import read_only
from scanner_kit.circumstances import Chosen, Depending, InSession, InUniverse, Known, OneOf, WasNot, Within
from scanner_kit.columns import Column, Comparison
from scanner_kit.conditions import AllOf, AnyOf, Condition, Not, Spoken
from scanner_kit.universe import Bools

AT_ONCE = 2048
"""So many symbols are gone through at a time."""
ABOVE_NUMBER, OVER_NUMBER, BELOW_NUMBER, UNDER_NUMBER, IS_NUMBER, ISNT_NUMBER = range(6)
ABOVE, OVER, IS, ISNT, UNKNOWN = range(6, 11)
BOTH, EITHER, OPPOSITE, ALIKE, LASTING = range(11, 16)
"""What a step of a plan does: compare a column with a number.

Or compare it with another, or find where it is unknown; or join masks, set one for all alike, leave one that lasts.
"""

Step = tuple[int, int, int]
"""What it does, and of what: the places of columns, numbers or masks."""


@dataclass(frozen=True)
class Steps:
    """What compares a column with a number, and with another column: some by asking the other way round."""

    of_number: int
    of_column: int
    is_turned: bool = False

    def turned(self, left: Column, right: Column) -> tuple[Column, Column]:
        """The two columns in the order in which they are compared."""
        return (right, left) if self.is_turned else (left, right)


AT_LEAST, MORE = Steps(ABOVE_NUMBER, ABOVE), Steps(OVER_NUMBER, OVER)
AT_MOST, LESS = Steps(BELOW_NUMBER, ABOVE, is_turned=True), Steps(UNDER_NUMBER, OVER, is_turned=True)
STEPS_OF = {
    (">=", True): AT_LEAST,
    (">=", False): LESS,
    (">", True): MORE,
    (">", False): AT_MOST,
    ("<=", True): AT_MOST,
    ("<=", False): MORE,
    ("<", True): LESS,
    ("<", False): AT_LEAST,
    ("==", True): Steps(IS_NUMBER, IS),
    ("==", False): Steps(ISNT_NUMBER, ISNT),
}
"""By what a comparison is known to hold, and not to hold: of an unknown number, neither."""


class Masks:
    """The masks of some conditions, each with whether it is wanted where it holds or where it fails."""

    def __init__(self, wanted: Iterable[tuple[Condition, bool]], minute: Column, symbols: int) -> None:
        self.columns: list[Column] = []
        self.given: list[Condition] = []
        self.lasting: list[tuple[int, Bools]] = []
        self._minute, self._numbers, self._steps = minute, list[float](), dict[Step, int]()
        self._known: dict[tuple[int, bool], tuple[Condition, int | None]] = {}
        for condition, true in wanted:
            self.of(condition, true)
        self._masks = np.zeros((len(self._steps), symbols), dtype=np.bool_)
        self._plan = np.array(list(self._steps), dtype=np.int64).reshape(-1, 3), np.array(self._numbers)
        for place, mask in self.lasting:
            self._masks[place] = mask
        for (_, true), (condition, found) in self._known.items():
            if found is not None and condition not in self.given:
                condition.__dict__["true" if true else "false"] = read_only(self._masks[found])

    def make(self) -> None:
        """Make the masks of the present step."""
        values = [_plain(column.values, self._masks.shape[1]) for column in self.columns]
        places = np.array([_place(array) for array in values], dtype=np.uint64)
        given = np.array([bool(condition.true) for condition in self.given], dtype=np.bool_)
        _make(*self._plan, places, given, self._masks.view(np.uint8))

    def of(self, condition: Condition, true: bool) -> int | None:
        """The place of the mask of where it holds, or where it fails; None where it makes its own."""
        key = id(condition), true
        if key not in self._known:
            plan = PLANS.get(type(condition))  # a class derived from one of these may mean something else
            self._known[key] = condition, None if plan is None else plan(self, condition, true)
        return self._known[key][1]

    def joined(self, conditions: Sequence[Condition], true: bool, how: int) -> int | None:
        """The mask of where both, or either, of all of some masks are set; None where one of them is not planned."""
        places = [self.of(condition, true) for condition in conditions]
        known = [place for place in places if place is not None]
        if not known or len(known) < len(places):
            return None
        return reduce(lambda joined, place: self.step(how, joined, place), known)

    def compared(self, comparison: Comparison, true: bool) -> int | None:
        """The mask of a comparison of what was measured or of the bar; of the minute, it is one for all."""
        left, right, what = comparison.left, comparison.right, STEPS_OF[comparison.op, true]
        if left is self._minute and not isinstance(right, Column):
            return self.alike(comparison, true)
        if not _is_read(left) or (isinstance(right, Column) and not _is_read(right)):
            return None
        if isinstance(right, Column):
            return self.step(what.of_column, *(self.place(one) for one in what.turned(left, right)))
        return self.step(what.of_number, self.place(left), self.number(right))

    def in_universe(self, condition: InUniverse, true: bool) -> int:
        """The mask of who is of the universe."""
        return self.step((AT_LEAST if true else LESS).of_number, self.place(condition.left), self.number(1.0))

    def alike(self, condition: Condition, true: bool) -> int:
        """The mask of a condition that is the same for all symbols."""
        if condition not in self.given:
            self.given.append(condition)
        holds = self.step(ALIKE, self.given.index(condition))
        return holds if true else self.step(OPPOSITE, holds)

    def place(self, column: Column) -> int:
        """The place of a column among those that are compared."""
        if column not in self.columns:
            self.columns.append(column)
        return self.columns.index(column)

    def number(self, number: float) -> int:
        """The place of a number among those that are compared with."""
        number = float(number)
        if number not in self._numbers:
            self._numbers.append(number)
        return self._numbers.index(number)

    def step(self, what: int, a: int, b: int = 0) -> int:
        """The place of the mask that a step of the plan makes: a further step, or one that does the same."""
        return self._steps.setdefault((what, a, b), len(self._steps))


def _one_of(masks: Masks, condition: OneOf, true: bool) -> int:
    place = masks.step(LASTING, len(masks.lasting))
    masks.lasting.append((place, condition.true if true else condition.false))
    return place


def _all_of(masks: Masks, condition: AllOf, true: bool) -> int | None:
    return masks.joined(condition.conditions, true, BOTH if true else EITHER)


def _any_of(masks: Masks, condition: AnyOf, true: bool) -> int | None:
    return masks.joined(condition.conditions, true, EITHER if true else BOTH)


def _within(masks: Masks, condition: Within, true: bool) -> int | None:
    inside, where = masks.of(condition.condition, true), masks.of(condition.where, True)
    return None if inside is None or where is None else masks.step(BOTH, inside, where)


def _known(masks: Masks, condition: Known, true: bool) -> int | None:
    if type(condition.column) is Chosen:
        return _known_choice(masks, condition.column, true)
    if not _is_read(condition.column):
        return None
    unknown = masks.step(UNKNOWN, masks.place(condition.column))
    return masks.step(OPPOSITE, unknown) if true else unknown


def _known_choice(masks: Masks, choice: Chosen, true: bool) -> int | None:
    """Of two numbers one is chosen where it is known which."""
    holds, fails = masks.of(choice.where, True), masks.of(choice.where, False)
    if holds is None or fails is None or not all(_is_number(one) for one in (choice.then, choice.otherwise)):
        return None
    chosen = masks.step(EITHER, holds, fails)
    return chosen if true else masks.step(OPPOSITE, chosen)


def _was_not(masks: Masks, condition: WasNot, true: bool) -> int | None:
    if not _is_read(condition.before):
        return None
    was = masks.step(IS_NUMBER, masks.place(condition.before), masks.number(condition.value))
    return masks.step(OPPOSITE, was) if true else was


def _depending(masks: Masks, condition: Depending, true: bool) -> int | None:
    where, other = masks.of(condition.where, True), masks.of(condition.where, False)
    then, otherwise = masks.of(condition.then, true), masks.of(condition.otherwise, true)
    if where is None or other is None or then is None or otherwise is None:
        return None
    return masks.step(EITHER, masks.step(BOTH, where, then), masks.step(BOTH, other, otherwise))


PLANS: dict[type, Callable[[Masks, Any, bool], int | None]] = {
    Comparison: Masks.compared,
    InSession: Masks.alike,
    InUniverse: Masks.in_universe,
    OneOf: _one_of,
    Spoken: lambda masks, spoken, true: masks.of(spoken.condition, true),
    Not: lambda masks, negation, true: masks.of(negation.condition, not true),
    AllOf: _all_of,
    AnyOf: _any_of,
    Within: _within,
    Known: _known,
    WasNot: _was_not,
    Depending: _depending,
}
"""How each kind of condition is planned."""


def _is_read(column: Column) -> bool:
    """Whether it is read from a snapshot as it stands: a metric, or a price of the bar."""
    return type(column) is Column and not column.parts and (column.metric is not None or column.of_bar)


def _is_number(figure: Column | float) -> bool:
    return not isinstance(figure, Column) and figure == figure


def _plain(values: Any, symbols: int) -> Any:
    """Numbers one beside the other in memory."""
    if values.shape == (symbols,) and values.dtype == np.float64 and values.flags.c_contiguous:
        return values
    return np.ascontiguousarray(np.broadcast_to(values, (symbols,)), dtype=np.float64)


@compiled
def _place(values: Any) -> Any:
    """Where an array begins in memory; to ask numpy takes ten times as long."""
    return values.ctypes.data


@intrinsic
def _doubles(typing: Any, place: Any) -> Any:
    """A place in memory as a pointer to float64."""
    pointer = types.CPointer(types.float64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(pointer))

    return pointer(place), generate


@compiled
def _column(place: Any, start: int, size: int) -> Any:
    """So many numbers of a column that begins at a place in memory."""
    return carray(_doubles(place + np.uint64(8 * start)), size)  # type: ignore[call-arg]


@compiled
def _make(plan: Any, numbers: Any, places: Any, given: Bools, masks: Bools) -> None:
    """Run a plan over all symbols; the columns stand in `places` of the memory."""
    symbols = masks.shape[1]
    for start in range(0, symbols, AT_ONCE):
        size = min(AT_ONCE, symbols - start)
        for made in range(plan.shape[0]):
            what, a, b = plan[made]
            mask = masks[made][start : start + size]
            if what == LASTING:
                continue
            if what == ALIKE:
                mask[:] = given[a]
                continue
            if what >= BOTH:
                _join(what, mask, masks[a][start : start + size], masks[b][start : start + size])
                continue
            x = _column(places[a], start, size)
            if what < ABOVE:
                _compare_number(what, mask, x, numbers[b])
            else:
                _compare(what, mask, x, _column(places[b], start, size))


@compiled
def _compare_number(what: int, mask: Bools, x: Any, number: float) -> None:
    if what == ABOVE_NUMBER:
        for i in range(mask.size):
            mask[i] = x[i] >= number
    elif what == OVER_NUMBER:
        for i in range(mask.size):
            mask[i] = x[i] > number
    elif what == BELOW_NUMBER:
        for i in range(mask.size):
            mask[i] = x[i] <= number
    elif what == UNDER_NUMBER:
        for i in range(mask.size):
            mask[i] = x[i] < number
    elif what == IS_NUMBER:
        for i in range(mask.size):
            mask[i] = x[i] == number
    else:
        for i in range(mask.size):
            mask[i] = (x[i] < number) | (x[i] > number)


@compiled
def _compare(what: int, mask: Bools, x: Any, y: Any) -> None:
    if what == ABOVE:
        for i in range(mask.size):
            mask[i] = x[i] >= y[i]
    elif what == OVER:
        for i in range(mask.size):
            mask[i] = x[i] > y[i]
    elif what == IS:
        for i in range(mask.size):
            mask[i] = x[i] == y[i]
    elif what == ISNT:
        for i in range(mask.size):
            mask[i] = (x[i] < y[i]) | (x[i] > y[i])
    else:
        for i in range(mask.size):
            mask[i] = x[i] != x[i]


@compiled
def _join(what: int, mask: Bools, some: Bools, others: Bools) -> None:
    if what == BOTH:
        for i in range(mask.size):
            mask[i] = some[i] & others[i]
    elif what == EITHER:
        for i in range(mask.size):
            mask[i] = some[i] | others[i]
    else:
        for i in range(mask.size):
            mask[i] = some[i] ^ 1

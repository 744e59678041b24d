"""Masks of a web of conditions made in one pass: those that the conditions would make themselves."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner_kit import metrics as m
from scanner_kit.calendar import Session, TradingDay
from scanner_kit.circumstances import Chosen, Depending, Known, WasNot, Within
from scanner_kit.columns import Column
from scanner_kit.conditions import AllOf, AnyOf, Condition, Not, Spoken, full
from scanner_kit.masks import AT_ONCE, PLANS, Masks
from scanner_kit.snapshot import Snapshot
from scanner_kit.universe import Universe

METRICS = (m.Last(), m.Vwap(), m.Rsi(), m.Halt())
OPERATORS: tuple[Callable[[Column, Column | float], Condition], ...] = (
    lambda a, b: a >= b,
    lambda a, b: a > b,
    lambda a, b: a <= b,
    lambda a, b: a < b,
    lambda a, b: a.equals(b),
)


def snapshot(symbols: int, seed: int, k: int = 400) -> Snapshot:
    """A market of few different numbers, many of them unknown."""
    draw = np.random.default_rng(seed)
    few = np.array([-1.0, -0.0, 0.0, 1.0, 2.0, np.nan])
    open_, high, low, close = few[draw.integers(0, few.size, (4, symbols))]
    values, before = (dict(zip(METRICS, few[draw.integers(0, few.size, (4, symbols))], strict=True)) for _ in range(2))
    whole = Universe.of(TradingDay.of("2025-01-27"), [f"S{i:05}" for i in range(symbols)])
    universe = whole.left(300, whole.symbols[1::3])
    return Snapshot(universe, k, open_, high, low, close, values, before)


def leaf(now: Snapshot, draw: random.Random) -> Condition:
    column = draw.choice([now[draw.choice(METRICS)], now.before(draw.choice(METRICS)), now.bar_high, now.bar_close])
    others: list[Column | float] = [now[draw.choice(METRICS)], draw.choice([-1.0, 0.0, 1.0, 7])]
    other = draw.choice(others)
    return draw.choice(
        [
            draw.choice(OPERATORS)(column, other),
            draw.choice(OPERATORS)(column, other),
            Known(column),
            WasNot(column, 1.0),
            Known(Chosen(draw.choice(OPERATORS)(column, other), -1, 1, now.memo)),
            now.in_sessions((draw.choice([Session.PRE, Session.REGULAR]),)),
            now.in_universe,
            now.regular_from(draw.choice([399, 400, 401])),
            now.one_of("symbol", ["S00000", "S00002", "S00003"], among=draw.random() < 0.5),
        ]
    )


def tree(now: Snapshot, draw: random.Random, depth: int) -> Condition:
    if depth == 0:
        return leaf(now, draw)
    parts = [tree(now, draw, depth - 1) for _ in range(draw.choice([1, 2, 3]))]
    level = now[m.Last()]
    return draw.choice(
        [
            AllOf(parts),
            AnyOf(parts),
            Not(parts[0]),
            Spoken(parts[0], level, 1),
            Within(parts[0], parts[-1], "outside"),
            Depending(now.in_sessions((draw.choice([Session.PRE, Session.REGULAR]),)), parts[0], parts[-1]),
        ]
    )


def masks_of(conditions: list[Condition], now: Snapshot) -> Masks:
    return Masks([(condition, true) for condition in conditions for true in (True, False)], now.minute, len(now))


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 33, AT_ONCE - 1, AT_ONCE + 5]))
def test_what_is_planned_is_what_the_conditions_say_themselves(seed: int, symbols: int) -> None:
    now, same = (snapshot(symbols, seed) for _ in range(2))
    planned, own = ([tree(one, random.Random(seed + i), i % 4) for i in range(8)] for one in (now, same))
    masks = masks_of(planned, now)
    masks.make()
    for condition, plain in zip(planned, own, strict=True):
        assert masks.of(condition, True) is not None
        for name in ("true", "false"):
            expected, found = (full(getattr(one, name), (symbols,)) for one in (plain, condition))
            np.testing.assert_array_equal(found, expected)


def test_every_kind_of_condition_that_is_planned_is_tried() -> None:
    now, draw = snapshot(3, 0), random.Random(0)
    tried = {type(tree(now, draw, depth)) for depth in (0, 1) for _ in range(200)}
    assert tried == set(PLANS)


class Odd(AllOf):
    """Means something else than the class it is derived from."""

    @property
    def true(self) -> Any:
        return np.arange(5) % 2 == 1


def test_a_condition_of_another_kind_makes_its_own_mask_and_so_does_what_is_made_of_it() -> None:
    now = snapshot(5, 0)
    odd, plain = Odd([now[m.Last()] > 0]), now[m.Last()] > 1e9
    masks = masks_of([odd | plain], now)
    masks.make()
    assert (masks.of(odd, True), masks.of(odd | plain, True)) == (None, None)
    assert (odd | plain).true.tolist() == [False, True, False, True, False]


@dataclass
class Unhashed(Condition):
    """Equal by value, so that it has no hash."""

    holds: bool

    def __post_init__(self) -> None:
        self.true, self.false = np.asarray(self.holds), np.asarray(not self.holds)


def test_conditions_are_told_apart_though_they_are_equal_by_value_or_have_no_hash() -> None:
    now = snapshot(2, 0)
    masks = masks_of([Unhashed(True) & now.traded, Unhashed(True)], now)
    masks.make()
    assert masks.of(Unhashed(True), True) is None


def test_an_unknown_number_is_compared_with_nobody() -> None:
    now = snapshot(33, 0)
    condition = now[m.Last()] >= np.float64("nan")
    masks_of([condition], now).make()
    assert not (condition.true | condition.false).any()


def test_without_conditions_there_is_nothing_to_make() -> None:
    masks_of([], snapshot(3, 0)).make()


def test_what_is_computed_of_a_column_is_left_to_the_column() -> None:
    now = snapshot(5, 0)
    masks = masks_of([abs(now[m.Last()]) >= 1], now)
    assert (masks.columns, masks.of(abs(now[m.Last()]) >= 1, True)) == ([], None)


def test_equal_comparisons_are_made_once_and_equal_columns_read_once() -> None:
    now = snapshot(5, 0)
    a, b = (now[m.Last()] >= 1), (now[m.Vwap()] < now[m.Last()])
    masks = masks_of([a, a & b, b & a, AllOf((a, b))], now)
    assert (len(masks.columns), masks.of(a & b, True)) == (2, masks.of(AllOf((a, b)), True))


def test_a_plan_is_run_anew_at_every_step() -> None:
    now = snapshot(4, 0)
    column = Column(lambda: now.values[m.Last()] + 1.0, "last", now.memo, m.Last())
    condition = column >= 1.0
    masks = masks_of([condition], now)
    masks.make()
    first = condition.true.copy()
    now.values[m.Last()][:] -= 9.0
    column.forget()
    masks.make()
    assert first.any()
    assert not condition.true.any()


def test_no_one_writes_into_a_mask() -> None:
    now = snapshot(4, 0)
    condition = now[m.Last()] >= 1.0
    masks_of([condition], now).make()
    with pytest.raises(ValueError, match="read-only"):
        condition.true[0] = True

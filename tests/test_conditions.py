"""Three-valued conditions: the truth tables as data, and the laws of Kleene's logic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner_kit.calendar import Session, TradingDay
from scanner_kit.circumstances import Chosen, InSession, OneOf, Within
from scanner_kit.columns import Column, Memo
from scanner_kit.conditions import AllOf, AnyOf, Condition, Not, holds_at
from scanner_kit.errors import InvalidInput

YES, NO, UNKNOWN = True, False, None
Truth = bool | None
NAN = float("nan")

AND = {
    (YES, YES): YES,
    (YES, NO): NO,
    (YES, UNKNOWN): UNKNOWN,
    (NO, YES): NO,
    (NO, NO): NO,
    (NO, UNKNOWN): NO,
    (UNKNOWN, YES): UNKNOWN,
    (UNKNOWN, NO): NO,
    (UNKNOWN, UNKNOWN): UNKNOWN,
}
OR = {
    (YES, YES): YES,
    (YES, NO): YES,
    (YES, UNKNOWN): YES,
    (NO, YES): YES,
    (NO, NO): NO,
    (NO, UNKNOWN): UNKNOWN,
    (UNKNOWN, YES): YES,
    (UNKNOWN, NO): UNKNOWN,
    (UNKNOWN, UNKNOWN): UNKNOWN,
}
NOT = {YES: NO, NO: YES, UNKNOWN: UNKNOWN}
truths = st.sampled_from([YES, NO, UNKNOWN])


def condition(*told: Truth) -> Condition:
    """A condition that says this of each symbol: a number against 0, unknown as NaN."""
    return Column(np.array([{YES: 1.0, NO: -1.0, UNKNOWN: NAN}[truth] for truth in told]), "number") >= 0


def told(said: Condition, symbols: int = 1) -> list[Truth]:
    return [holds_at(said, row) for row in range(symbols)]


@pytest.mark.parametrize(("pair", "expected"), AND.items())
def test_and_is_false_where_a_part_is_and_true_where_all_are(pair: tuple[Truth, Truth], expected: Truth) -> None:
    assert told(condition(pair[0]) & condition(pair[1])) == [expected]


@pytest.mark.parametrize(("pair", "expected"), OR.items())
def test_or_is_true_where_a_part_is_and_false_where_all_are(pair: tuple[Truth, Truth], expected: Truth) -> None:
    assert told(condition(pair[0]) | condition(pair[1])) == [expected]


@pytest.mark.parametrize(("given_truth", "expected"), NOT.items())
def test_not_leaves_the_unknown_unknown(given_truth: Truth, expected: Truth) -> None:
    assert told(~condition(given_truth)) == [expected]


@given(a=truths, b=truths, c=truths)
def test_the_laws_of_kleene_hold(a: Truth, b: Truth, c: Truth) -> None:
    x, y, z = condition(a), condition(b), condition(c)
    laws = [
        (x & y, y & x),
        (x | y, y | x),
        (x & (y & z), (x & y) & z),
        (x | (y | z), (x | y) | z),
        (x & (y | z), (x & y) | (x & z)),
        (x | (y & z), (x | y) & (x | z)),
        (~(x & y), ~x | ~y),
        (~(x | y), ~x & ~y),
        (~~x, x),
        (x & (x | y), x),
        (x | (x & y), x),
        (x & x, x),
    ]
    assert all(told(left) == told(right) for left, right in laws)


@given(st.lists(st.tuples(truths, truths), min_size=1, max_size=8))
def test_symbols_are_judged_each_by_itself_and_never_both_ways(pairs: list[tuple[Truth, Truth]]) -> None:
    left, right = (condition(*side) for side in zip(*pairs, strict=True))
    for compound, table in ((left & right, AND), (left | right, OR)):
        assert told(compound, len(pairs)) == [table[pair] for pair in pairs]
        assert not (np.asarray(compound.true) & np.asarray(compound.false)).any()


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (">=", [YES, YES, NO, UNKNOWN]),
        (">", [YES, NO, NO, UNKNOWN]),
        ("<=", [NO, YES, YES, UNKNOWN]),
        ("<", [NO, NO, YES, UNKNOWN]),
        ("==", [NO, YES, NO, UNKNOWN]),
    ],
)
def test_a_comparison_has_no_tolerance_and_knows_what_is_unknown(op: str, expected: list[Truth]) -> None:
    two = np.nextafter(2.0, 3.0), 2.0, np.nextafter(2.0, 1.0), NAN
    column = Column(np.array(two), "number")
    said = {">=": column >= 2, ">": column > 2, "<=": column <= 2, "<": column < 2, "==": column.equals(2)}[op]
    assert told(said, 4) == expected


def test_either_column_may_be_unknown() -> None:
    left, right = Column(np.array([1.0, NAN, 1.0, NAN]), "a"), Column(np.array([0.0, 0.0, NAN, NAN]), "b")
    for said in (left > right, left.equals(right), left <= right):
        assert told(said, 4)[1:] == [UNKNOWN, UNKNOWN, UNKNOWN]
    assert told(left > right, 4)[0] is YES


def test_what_an_unknown_number_is_made_of_is_unknown_and_nothing_is_infinite() -> None:
    a, b = Column(np.array([6.0, 6.0, 6.0, NAN]), "a"), Column(np.array([3.0, 0.0, -1.0, 1.0]), "b")
    with np.errstate(all="ignore"):  # as the engine does around every step
        np.testing.assert_array_equal((a / b).values, [2.0, NAN, NAN, NAN])
    np.testing.assert_array_equal((a + 1).values, [7.0, 7.0, 7.0, NAN])
    np.testing.assert_array_equal((abs(-a) - b * 2).values, [0.0, 6.0, 8.0, NAN])


@given(mask=st.booleans(), truth=truths)
def test_a_condition_is_unknown_outside_its_mask(mask: bool, truth: Truth) -> None:
    within = Within(condition(truth), condition(mask), "no bar in this minute")
    assert told(within) == [truth if mask else UNKNOWN]
    assert mask or within.explain(0).unknown == "no bar in this minute"


@pytest.mark.parametrize(
    ("among", "expected"), [(True, [YES, NO, UNKNOWN, UNKNOWN]), (False, [NO, YES, UNKNOWN, UNKNOWN])]
)
def test_a_word_is_among_some_or_not_and_an_unknown_word_is_neither(among: bool, expected: list[Truth]) -> None:
    words = np.array(["Energy", "Tech", None, ""], dtype=object)
    assert told(OneOf(words, "sector", frozenset({"Energy"}), among), 4) == expected


@given(st.lists(st.tuples(truths, truths, truths), min_size=1), st.integers(0, 2**32 - 1))
def test_a_column_asked_about_some_symbols_says_of_them_what_it_says_of_all(
    columns: list[tuple[Truth, Truth, Truth]], seed: int
) -> None:
    some = np.flatnonzero(np.random.default_rng(seed).random(len(columns)) < 0.5)
    numbers = Column(np.arange(3.0, 3.0 + len(columns)), "numbers")
    whole, asked = (
        Chosen(a & (b | c), 1.0, abs(numbers) * 2.0, Memo()) + 1.0
        for a, b, c in ((condition(*told) for told in zip(*columns, strict=True)) for _ in range(2))
    )
    np.testing.assert_array_equal(asked.at(some), whole.values[some])


def test_no_conditions_hold_all_and_none_of_them_any() -> None:
    assert told(AllOf(())) == [YES]
    assert told(AnyOf(())) == [NO]


def test_what_holds_for_all_alike_joins_what_holds_for_each() -> None:
    minute = Column(np.array(0.0), "k")
    fixed = InSession(minute, TradingDay.of("2025-01-27"), (Session.PRE,))
    assert told(fixed & condition(YES, NO, UNKNOWN), 3) == [YES, NO, UNKNOWN]
    assert told(Not(fixed) | condition(YES, NO, UNKNOWN), 3) == [YES, NO, UNKNOWN]


def test_equal_comparisons_of_a_snapshot_are_made_once() -> None:
    memo = Memo()
    column = Column(np.array([1.0]), "number", memo)
    assert (column >= 3) is (column >= 3.0)
    assert (column >= 3) is not (column > 3)


def test_a_condition_that_breaks_a_level_remembers_it_and_the_plain_one_does_not() -> None:
    plain, level = condition(YES), Column(np.array([10.0]), "level")
    broken = plain.breaking(level, -1)
    assert (broken.level, broken.rearm, plain.level, plain.rearm) == (level, -1, None, 0)
    assert plain.at(level).rearm == 0


@pytest.mark.parametrize("wrong", [lambda c: c and c, lambda c: not c, lambda c: bool(c), lambda c: 1 if c else 0])
def test_a_condition_is_not_one_truth(wrong: object) -> None:
    with pytest.raises(InvalidInput, match=r"Combine conditions with &, \| and ~ and compare once at a time"):
        wrong(condition(YES))  # type: ignore[operator]


def test_a_chained_comparison_is_refused() -> None:
    column = Column(np.array([1.0]), "number")
    with pytest.raises(InvalidInput, match="compare once at a time"):
        _ = 0 <= column <= 2


def test_a_reason_says_what_was_compared_and_by_how_much() -> None:
    column = Column(np.array([2.5, 4.0, NAN]), "rvol_tod")
    low, high, unknown = ((column >= 3.0).explain(row) for row in range(3))
    assert (low.what, low.op, low.value, low.threshold, low.margin, low.holds) == (
        "rvol_tod",
        ">=",
        2.5,
        3.0,
        -0.5,
        False,
    )
    assert str(high) == "rvol_tod 4 >= 3: yes, margin +1"
    assert (unknown.holds, unknown.margin, unknown.unknown) == (None, None, "rvol_tod is not known")
    assert (column <= 3.0).explain(1).margin == -1.0

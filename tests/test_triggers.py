"""Triggers: the memory, minute by minute, for symbols side by side; what is at risk; what a trigger is."""

import dataclasses
import datetime as dt
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner_kit.calendar import Session
from scanner_kit.triggers import Memory, Said, Trigger, fire, stops

NAN = float("nan")


def said(
    due: str, condition: str, level: float = 10.0, cooldown: float = 15, rearm: int = 0, rearm_pct: float = 1
) -> Said:
    """What is said of symbols side by side, a letter each: due `x` or `.`; the condition `t`rue, `f`alse or `?`."""
    masks = (np.array([c == yes for c in text]) for text, yes in ((due, "x"), (condition, "t"), (condition, "f")))
    is_due, true, false = masks
    rows = np.flatnonzero(is_due)
    return Said(rows, true, false, np.full(rows.size, level), rearm, cooldown, rearm_pct)


def firings(minutes: list[tuple[int, Said]]) -> list[tuple[int, list[int]]]:
    memory, told = Memory.blank(len(minutes[0][1].true)), []
    for k, what in minutes:
        rows, memory = fire(memory, k, what)
        if rows.size:
            told.append((k, rows.tolist()))
    return told


def test_each_symbol_has_a_memory_of_its_own() -> None:
    assert firings([(0, said("x.", "tt")), (1, said("xx", "tt")), (20, said("..", "f?")), (21, said("xx", "tt"))]) == [
        (0, [0]),
        (1, [1]),
        (21, [0]),
    ]


@pytest.mark.parametrize(("k", "fires"), [(14, False), (15, True), (16, True)])
def test_a_rise_needs_the_cooldown_to_be_over_and_its_end_counts(k: int, fires: bool) -> None:
    assert ((k, [0]) in firings([(0, said("x", "t")), (1, said(".", "f")), (k, said("x", "t"))])) is fires


@pytest.mark.parametrize(("between", "fires"), [("f", True), ("t", False), ("?", False)])
def test_only_what_is_known_to_be_false_lowers_the_memory(between: str, fires: bool) -> None:
    assert ((30, [0]) in firings([(0, said("x", "t")), (1, said(".", between)), (30, said("x", "t"))])) is fires


def test_the_condition_is_remembered_where_the_gates_fail() -> None:
    # Not due in minute 20, but true: minute 30 is no rise.
    assert firings([(0, said("x", "t")), (1, said(".", "f")), (20, said(".", "t")), (30, said("x", "t"))]) == [(0, [0])]


def test_the_first_of_the_day_needs_no_rise() -> None:
    assert firings([(0, said(".", "t")), (1, said("x", "t"))]) == [(1, [0])]


def test_nobody_fires_who_is_not_due() -> None:
    assert firings([(0, said(".", "t")), (1, said(".", "f")), (20, said(".", "t"))]) == []


@pytest.mark.parametrize(
    ("side", "percent", "level", "fires"),
    [
        (1, 1, 101.0, True),
        (1, 1, 100.99, False),
        (1, 1, 90.0, False),
        (-1, 1, 99.0, True),
        (-1, 1, 99.01, False),
        (-1, 1, 110.0, False),
        (1, 0, 200.0, False),
        (0, 1, 200.0, False),
        (1, 1, NAN, False),
    ],
)
def test_a_break_speaks_again_when_its_level_has_moved_on(side: int, percent: float, level: float, fires: bool) -> None:
    told = [(k, said("x", "t", at, rearm=side, rearm_pct=percent)) for k, at in ((0, 100.0), (1, level))]
    assert (firings(told) == [(0, [0]), (1, [0])]) is fires


def test_the_level_that_counts_is_that_of_the_last_firing() -> None:
    # 100 fires, 100.5 does not, 101.2 does: from there 102.212.
    levels = [100.0, 100.5, 101.2, 102.2, 102.3]
    told = firings([(k, said("x", "t", level, rearm=1)) for k, level in enumerate(levels)])
    assert [k for k, _ in told] == [0, 2, 4]


def test_a_forming_minute_raises_the_memory_and_does_not_lower_it() -> None:
    _, memory = fire(Memory.blank(2), 0, said("..", "tf"), forming=True)
    assert memory.held.tolist() == [True, False]
    _, memory = fire(memory, 0, said("..", "ft"), forming=True)
    assert memory.held.tolist() == [True, True]
    _, memory = fire(memory, 0, said("..", "ft"))
    assert memory.held.tolist() == [False, True]


@given(st.lists(st.tuples(st.sampled_from("x."), st.sampled_from("tf?")), min_size=1, max_size=12), st.integers(0, 5))
def test_what_was_remembered_is_not_written_to(minutes: list[tuple[str, str]], cooldown: int) -> None:
    memory = Memory.blank(1)
    for k, (due, condition) in enumerate(minutes):
        before = {f.name: getattr(memory, f.name).copy() for f in dataclasses.fields(memory)}
        _, following = fire(memory, k, said("." if condition != "t" else due, condition, cooldown=cooldown))
        for name, values in before.items():
            np.testing.assert_array_equal(getattr(memory, name), values)
        memory = following


# side, price, level, low, high, atr → stop, distance, shares; room is a tenth of the ATR, the risk 100 $.
@pytest.mark.parametrize(
    ("side", "price", "level", "low", "high", "atr", "expected"),
    [
        (1, 10.5, 10.0, 9.75, 11.0, 2.5, (9.5, 1.0, 100.0)),
        (1, 10.5, 9.75, 10.0, 11.0, 2.5, (9.5, 1.0, 100.0)),
        (-1, 9.5, 10.0, 9.0, 10.25, 2.5, (10.5, 1.0, 100.0)),
        (1, 300.0, 100.0, 150.0, 300.0, 0.0, (100.0, 200.0, 0.0)),
        (1, 10.0, 10.0, 10.0, 10.0, 0.0, (NAN, NAN, NAN)),
        (-1, 10.0, 10.0, 10.0, 10.0, 0.0, (NAN, NAN, NAN)),
        (1, 10.5, NAN, 9.75, 11.0, 2.5, (NAN, NAN, NAN)),
        (1, 10.5, 10.0, NAN, NAN, 2.5, (NAN, NAN, NAN)),
        (1, 10.5, 10.0, 9.75, 11.0, NAN, (NAN, NAN, NAN)),
        (1, 9.0, 9.5, 9.5, 11.0, 0.0, (NAN, NAN, NAN)),
    ],
)
def test_the_stop_stands_beyond_level_and_bar_or_all_is_unknown(
    side: int, price: float, level: float, low: float, high: float, atr: float, expected: Any
) -> None:
    columns = (np.array([float(value)]) for value in (side, price, level, low, high, atr))
    sides, prices, levels, lows, highs, atrs = columns
    with np.errstate(all="ignore"):
        found = stops(sides, prices, levels, lows, highs, atrs, stop_atr=0.1, risk=100.0)
    np.testing.assert_array_equal([array[0] for array in found], expected)


def trigger(**other: Any) -> Trigger:
    plain = Trigger(
        day=dt.date(2025, 1, 27),
        k=331,
        time=dt.datetime(2025, 1, 27, 14, 32, tzinfo=dt.UTC),
        session=Session.REGULAR,
        symbol="NVDA",
        scanner="hod_break",
        kind="fired",
        side=1,
        price=10.5,
        level=10.0,
        score=5.0,
        severity=99.0,
        rank=1,
        stop=9.5,
        distance=1.0,
        shares=100.0,
        settings="0123456789ab",
        metrics={"hod": 11.0},
    )
    return dataclasses.replace(plain, **other)


@pytest.mark.parametrize("other", [{"price": 1.0}, {"severity": NAN}, {"rank": 2}, {"metrics": {}}, {"level": 1.0}])
def test_identity_is_not_of_figures(other: dict[str, Any]) -> None:
    assert trigger(**other).identity == trigger().identity


@pytest.mark.parametrize(
    "other",
    [
        {"day": dt.date(2025, 1, 28)},
        {"scanner": "other"},
        {"settings": "x"},
        {"symbol": "AAPL"},
        {"kind": "halted"},
        {"time": dt.datetime(2025, 1, 27, 14, 33, tzinfo=dt.UTC)},
    ],
)
def test_identity_is_of_day_scanner_settings_symbol_kind_and_time(other: dict[str, Any]) -> None:
    assert trigger(**other).identity != trigger().identity
    assert len(trigger().identity) == 16


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        ({"severity": 98.0}, True),
        ({"severity": 97.9}, False),
        ({"severity": NAN}, True),
        ({"severity": 1.0, "kind": "halted"}, True),
        ({"severity": 1.0, "kind": "resumed"}, True),
    ],
)
def test_what_reaches_a_person_is_severe_unknown_or_a_halt(other: dict[str, Any], shown: bool) -> None:
    assert trigger(**other).worth_showing is shown
    assert math.isfinite(trigger().severity)

"""The lab's bench: moves, differences, groups and variants, against the same worked out slowly."""

import datetime as dt
import tomllib
from collections import defaultdict
from itertools import product
from typing import Any

import numpy as np
import pytest

import scanner_kit as sk
from scanner_kit import scanners as built_in
from scanner_kit.conditions import Condition
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.settings import Settings
from scanner_kit.tuning.answer import NEAR, Answer, answer, difference, prices_of
from scanner_kit.tuning.groups import GROUPINGS, groups_of, metrics_of
from scanner_kit.tuning.history import History
from scanner_kit.tuning.lab import STARTED, Lab, toml_of
from scanner_kit.tuning.luck import Try
from scanner_kit.tuning.outcomes import outcomes
from scanner_kit.tuning.paths import HORIZONS, WIN

EASY: dict[str, Any] = {"min_rvol": 1.0, "min_dollar_volume": 10_000}


@pytest.fixture(scope="module")
def history() -> History:
    return sk.measure(sk.SimulatedMarket(symbols=50, seed=2), 6, cache=False)


@pytest.fixture
def lab(history: History) -> Lab:
    return Lab(history, built_in.HodBreak(**EASY))


def told(one: Answer) -> dict[tuple[str, int, str, str], int]:
    """Its triggers by day, minute, symbol and kind, with their places."""
    triggers = one.fired.triggers(one.history)
    return {(str(t.day), t.k, t.symbol, t.kind): place for place, t in enumerate(triggers)}


# Answers


def test_an_answer_has_the_outcome_of_each_trigger_on_its_own_day(history: History) -> None:
    one = answer(history, built_in.UnusualVolume(**EASY))
    assert len(one) > 50
    for i in range(0, len(one), 7):
        day, fired = history.days[one.fired.day[i]], one.fired.take([i])
        alone = outcomes(prices_of(day), fired.row, fired.k, fired.side, fired.stop, fired.distance)
        for name in ("entry", "r", "result_r", "result", "mfe_r"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(one.outcomes, name)[i])


def test_the_sums_of_days_are_those_of_their_triggers(history: History) -> None:
    one = answer(history, built_in.HodBreak(**EASY))
    total, count = one.by_day("30m")
    sums, counts = [0.0] * len(history), [0] * len(history)
    for day, result in zip(one.fired.day.tolist(), one.outcomes.result_r[:, 2].tolist(), strict=True):
        if result == result:
            sums[day] += result
            counts[day] += 1
    np.testing.assert_allclose(total, sums, rtol=1e-12)
    assert count.tolist() == counts


def test_chance_stands_beside_each_trigger_and_does_not_depend_on_the_others(history: History) -> None:
    many, few = (
        answer(history, built_in.HodBreak(**EASY)),
        answer(history, built_in.HodBreak(**EASY | {"min_rvol": 2.0})),
    )
    places, compared = told(many), 0
    for key, place in told(few).items():
        if key in places:
            np.testing.assert_array_equal(few.chance.total[place], many.chance.total[places[key]])
            compared += 1
    assert compared > 10


def test_nothing_fired_is_an_answer_too(history: History) -> None:
    one = answer(history, built_in.HodBreak(min_price=1_000_000.0))
    assert len(one) == len(one.outcomes) == len(one.chance) == 0
    assert one.worth.triggers == 0
    assert len(groups_of(one, "symbol", "5m")) == 0


# Differences


def slow_difference(old: Answer, new: Answer) -> tuple[set[Any], set[Any], set[Any]]:
    """What appears, disappears and moves, by trying every pair."""
    a, b = told(old), told(new)
    gone, come = [key for key in a if key not in b], [key for key in b if key not in a]
    pairs = sorted(
        (abs(x[1] - y[1]), a[x], b[y], x, y)
        for x in gone
        for y in come
        if (x[0], x[2], x[3]) == (y[0], y[2], y[3]) and abs(x[1] - y[1]) <= NEAR
    )
    moved = set()
    for _, _, _, x, y in pairs:
        if x in gone and y in come:
            gone.remove(x)
            come.remove(y)
            moved.add((a[x], b[y]))
    return {b[y] for y in come}, {a[x] for x in gone}, moved


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"min_rvol": 2.0}, {"min_rvol": 1.0}),
        ({"min_rvol": 1.0}, {"min_rvol": 2.0}),
        ({"cooldown": 5, "rearm_pct": 0.2}, {"cooldown": 40, "rearm_pct": 0}),
        ({"breakout": "wick"}, {"breakout": "close"}),
        ({}, {}),
    ],
)
def test_what_appears_disappears_and_moves(history: History, before: Any, after: Any) -> None:
    old, new = (answer(history, built_in.HodBreak(**EASY | changed)) for changed in (before, after))
    found = difference(old, new)
    appeared, disappeared, moved = slow_difference(old, new)
    assert set(found.appeared.tolist()) == appeared
    assert set(found.disappeared.tolist()) == disappeared
    assert set(map(tuple, found.moved.tolist())) == moved
    assert found.stayed == len(old) - len(disappeared) - len(moved) == len(new) - len(appeared) - len(moved)
    assert moved or "breakout" not in after


class ManyThings(sk.Scanner):
    """Says the same of a minute many times over, each time as another kind."""

    kinds_said = tuple(f"kind_{i}" for i in range(200))
    level = sk.metrics.HighOfDay()

    def trigger(self, now: sk.Snapshot) -> dict[str, Condition]:
        return dict.fromkeys(self.kinds_said, now.breaks_above(self.level))


def test_kinds_are_told_apart_in_a_difference(history: History) -> None:
    some = answer(history.part([0]), ManyThings(symbols=list(history.days[0].universe.symbols[:3]), **EASY))
    rest = some.take(np.arange(1, len(some)))
    found = difference(some, rest)
    assert found.disappeared.tolist() == [0]
    assert (len(found.appeared), len(found.moved), found.stayed) == (0, 0, len(rest))
    assert len(rest) >= len(ManyThings.kinds_said)


# The bench


def test_a_move_is_answered_and_compared_with_the_start(lab: Lab) -> None:
    start = lab.answer
    moved = lab.move(min_rvol=2.0)
    assert moved is lab.answer is not start
    assert lab.scanner.settings()["min_rvol"] == 2.0
    assert lab.difference.disappeared.size > 0
    assert lab.difference.appeared.size == 0


def test_moves_are_undone_and_done_again(lab: Lab) -> None:
    for value in (1.5, 2.0, 2.5):
        lab.move(min_rvol=value)
    assert [lab.undo(), lab.scanner.settings()["min_rvol"]] == [True, 2.0]
    assert [lab.undo(), lab.undo(), lab.undo()] == [True, True, False]
    assert lab.scanner.settings()["min_rvol"] == 1.0
    assert [lab.redo(), lab.redo(), lab.redo(), lab.redo()] == [True, True, True, False]
    assert lab.scanner.settings()["min_rvol"] == 2.5
    lab.undo()
    lab.move(min_rvol=3.0)
    assert not lab.redo()
    lab.reset()
    assert lab.scanner.settings()["min_rvol"] == 1.0
    assert lab.undo()
    assert lab.scanner.settings()["min_rvol"] == 3.0


def test_a_move_to_where_it_stands_is_none(lab: Lab) -> None:
    lab.move(min_rvol=1.0)
    assert not lab.undo()


def test_a_threshold_that_does_not_fit_changes_nothing(lab: Lab) -> None:
    before = lab.answer
    with pytest.raises(InvalidInput, match="min_rvol"):
        lab.move(min_rvol=-1.0)
    with pytest.raises(UnknownName, match="Did you mean 'min_rvol'"):
        lab.move(min_rvl=1.0)
    assert lab.answer is before


def test_the_scanner_that_was_given_stays_as_it_is(history: History) -> None:
    mine = built_in.HodBreak(**EASY)
    lab = Lab(history, mine)
    lab.move(min_rvol=2.0)
    mine.min_rvol = 3.0
    assert (lab.scanner.settings()["min_rvol"], mine.settings()["min_rvol"]) == (2.0, 3.0)


def test_variants_are_kept_under_names_and_compared(lab: Lab) -> None:
    lab.move(min_rvol=2.0)
    lab.keep("strict")
    lab.move(min_rvol=1.5)
    lab.compare_with("strict")
    assert lab.difference.appeared.size > 0
    assert len(lab.answer_of("strict")) < len(lab.answer) < len(lab.answer_of(STARTED))
    lab.take("strict")
    assert lab.scanner.settings()["min_rvol"] == 2.0
    lab.drop("strict")
    assert lab.beside == STARTED
    for wrong in ("", "  ", STARTED):
        with pytest.raises(InvalidInput, match="name of its own"):
            lab.keep(wrong)
    with pytest.raises(InvalidInput, match="stays"):
        lab.drop(STARTED)
    with pytest.raises(UnknownName, match="no variant 'strct'"):
        lab.compare_with("strct")


def test_who_watches_is_told_of_each_move_until_it_ends(lab: Lab) -> None:
    seen: list[float] = []
    stop = lab.watch(lambda: seen.append(lab.scanner.settings()["min_rvol"]))
    lab.move(min_rvol=2.0)
    lab.undo()
    stop()
    lab.redo()
    assert seen == [2.0, 1.0]


def test_an_answer_that_was_looked_at_is_kept(lab: Lab) -> None:
    first = lab.answer
    lab.move(min_rvol=2.0)
    lab.undo()
    assert lab.answer is first


def test_what_a_lab_cannot_hold_is_said(history: History) -> None:
    with pytest.raises(InvalidInput, match="never triggers"):
        Lab(history, built_in.Winners())
    with pytest.raises(UnknownName, match="no horizon '7m'"):
        Lab(history, built_in.HodBreak(), horizon="7m")


def test_composites_are_moved_by_the_names_of_their_scanners(history: History) -> None:
    lab = Lab(history, built_in.HodBreak(**EASY) & built_in.Winners(min_change_pct=0.5))
    before = len(lab.answer)
    lab.move(**{"winners.min_change_pct": 3.0})
    assert len(lab.answer) < before
    with pytest.raises(InvalidInput, match="Export them one by one"):
        lab.toml()


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"min_rvol": 2.25, "cooldown": 30},
        {"max_price": 50, "min_price": None, "sectors": ["Energy", 'Odd "one"']},
        {"sessions": ["PRE", "REGULAR"], "min_dollar_volume": (5.0, 7.5), "breakout": "close"},
    ],
)
def test_what_is_exported_is_what_a_settings_file_takes(changed: dict[str, Any]) -> None:
    scanner = built_in.HodBreak(**changed)
    tables = tomllib.loads(toml_of(scanner))
    (found,) = Settings.of(tables).roster(["hod_break"])
    assert found.settings_id == scanner.settings_id
    assert set(tables["scanners"]["hod_break"]) <= set(changed)


# Groups


@pytest.mark.parametrize("by", GROUPINGS)
def test_groups_count_and_average_their_triggers(history: History, by: str) -> None:
    one = answer(history, built_in.UnusualVolume(**EASY))
    found, place = groups_of(one, by, "15m"), HORIZONS.index("15m")
    results: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for i, trigger in enumerate(one.fired.triggers(history)):
        label = {
            "time": f"{4 + trigger.k // 60:02d}:{trigger.k % 60 // 30 * 30:02d}",
            "session": str(trigger.session),
            "day": str(trigger.day),
            "symbol": trigger.symbol,
            "kind": trigger.kind,
            "side": "long" if trigger.side > 0 else "short",
        }[by]
        assert found.labels[found.which[i]] == label
        results[label].append((one.outcomes.result_r[i, place], one.outcomes.result[i, place] == WIN))
    assert dict(zip(found.labels, found.triggers.tolist(), strict=True)) == {
        label: len(results[label]) for label in found.labels
    }
    for i, label in enumerate(found.labels):
        known = [(r, win) for r, win in results[label] if r == r]
        assert found.n[i] == len(known)
        if known:
            assert found.mean_r[i] == pytest.approx(sum(r for r, _ in known) / len(known), rel=1e-12)
            assert found.win_rate[i] == pytest.approx(sum(win for _, win in known) / len(known))
            assert not found.low[i] > found.high[i]


def test_buckets_of_a_metric_hold_about_equally_many(history: History) -> None:
    one = answer(history, built_in.HodBreak(**EASY))
    assert "rvol_tod" in metrics_of(one)
    found = groups_of(one, "rvol_tod", "5m")
    assert found.triggers.sum() == len(one)
    assert found.triggers.max() <= 2 * found.triggers.min() + 2
    with pytest.raises(UnknownName, match="cannot be grouped by 'weather'"):
        groups_of(one, "weather", "5m")


def test_with_too_few_days_there_is_no_interval() -> None:
    history = sk.measure(sk.SimulatedMarket(symbols=30, day=dt.date(2025, 6, 18)), 2, cache=False)
    found = groups_of(answer(history, built_in.HodBreak(**EASY)), "symbol", "5m")
    assert len(found) > 3
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()


def test_another_horizon_counts_for_all_that_was_looked_at(history: History) -> None:
    lab = Lab(history, built_in.HodBreak(min_rvol=1.5))
    lab.move(min_rvol=2)
    assert {one.horizon for one in lab.register.tries} == {"30m"}
    lab.judge_by("30m")
    assert len(lab.register.tries) == 2
    lab.judge_by("end")
    both = {one.settings for one in lab.register.tries}
    assert {(one.settings, one.horizon) for one in lab.register.tries} == set(product(both, HORIZONS))
    lab.judge_by("30m")
    lab.move(min_rvol=3)
    assert (lab.register.settings, len(lab.register.tries)) == (3, 3 * 5)
    told = Try.of(lab.answer, "60m")
    assert told in lab.register.tries
    other = Lab(history, built_in.LodBreak(), looks=lab.looks)
    assert other.register is lab.register
    assert (lab.register.settings, len(lab.register.tries)) == (4, 4 * 5)

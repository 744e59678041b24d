"""Walk-forward: a choice is judged on days that it has not seen; too few days are said."""

import math
from itertools import pairwise

import numpy as np
import pytest
from days import made_up

from scanner_kit.errors import InvalidInput
from scanner_kit.tuning.sweep import Sweep
from scanner_kit.tuning.walk import walk_forward

FIVE = {"min_rvol": [1.0, 2.0, 3.0, 4.0, 5.0]}


def random_sweep(days: int, seed: int = 0) -> Sweep:
    rng = np.random.default_rng(seed)
    return made_up(FIVE, rng.normal(size=(days, 5)), rng.integers(0, 12, size=(days, 5)), days)


def test_each_choice_is_the_best_of_its_days_and_is_judged_on_the_next() -> None:
    found = random_sweep(23)
    walk = walk_forward(found, train=8, test=3, fewest=40)
    sums, counts = found.sums, found.counts
    results: list[tuple[float, float]] = []
    chosen = []
    for start in range(0, 13, 3):
        train, test = slice(start, start + 8), slice(start + 8, start + 11)
        means = [sums[train, i].sum() / counts[train, i].sum() for i in range(5)]
        enough = [i for i in range(5) if counts[train, i].sum() >= 40]
        best = max(enough, key=means.__getitem__)
        chosen.append(best)
        results += zip(sums[test, best].tolist(), counts[test, best].tolist(), strict=True)
        fold = walk.folds[len(chosen) - 1]
        assert fold.chosen == best
        assert fold.train_mean_r == pytest.approx(means[best])
        assert walk.choice(fold) == {"min_rvol": best + 1.0}
    assert len(walk.folds) == 5
    assert walk.n == sum(n for _, n in results)
    assert walk.mean_r == pytest.approx(sum(r for r, _ in results) / walk.n, rel=1e-12)
    assert walk.changed == sum(a != b for a, b in pairwise(chosen))
    drawn = np.random.Generator(np.random.PCG64(0)).integers(0, 15, (1000, 15))
    totals, ns = np.array(results).T
    means = totals[drawn].sum(axis=1) / ns[drawn].sum(axis=1)
    assert (walk.low, walk.high) == pytest.approx(np.quantile(means, [0.05, 0.95]).tolist(), rel=1e-9)
    assert walk.dates == found.history.dates[8:23]


def test_what_the_test_days_hold_changes_no_choice_made_before_them() -> None:
    one, other = random_sweep(20), random_sweep(20)
    other.by_day[14:] = random_sweep(20, seed=9).by_day[14:]
    walks = [walk_forward(found, train=8, test=3, fewest=10) for found in (one, other)]
    for mine, its in zip(walks[0].folds[:3], walks[1].folds[:3], strict=True):
        assert mine.chosen == its.chosen
    assert walks[0].folds[:2] == walks[1].folds[:2]


def test_too_few_days_are_said_and_nothing_is_computed() -> None:
    walk = walk_forward(random_sweep(12), train=20, test=5)
    assert walk.line == (
        "12 days: too few for walk-forward with 20 days to choose on and 5 days to judge on; at least 30 are needed."
    )
    assert (walk.folds, walk.n) == ((), 0)
    assert math.isnan(walk.mean_r)
    assert math.isnan(walk.low)
    assert "too few for walk-forward" in repr(walk)


@pytest.mark.parametrize(("train", "test", "needed"), [(20, 5, 30), (10, 1, 15), (10, 2, 16), (10, 10, 30)])
def test_as_many_days_as_are_needed_are_enough_and_one_less_is_not(train: int, test: int, needed: int) -> None:
    assert walk_forward(random_sweep(needed), train=train, test=test, fewest=1).folds
    short = walk_forward(random_sweep(needed - 1), train=train, test=test, fewest=1)
    assert not short.folds
    assert f"at least {needed} are needed" in short.line


def test_a_line_tells_what_is_left_of_the_promise() -> None:
    mean = np.zeros((30, 5))
    mean[:20, 2], mean[20:, 2], mean[20:, 4] = 0.5, 0.1, 0.9
    walk = walk_forward(made_up(FIVE, mean, np.full((30, 5), 10.0), 30), train=20, test=5)
    assert walk.line == (
        "Walk-forward: +0.100 R (5–95 %: +0.100 to +0.100) over 100 on 10 days that the choice had not seen, where it "
        "had shown +0.450 R; the choice changed 0 of 1 times."
    )
    assert walk.win_rate == 0.5
    assert walk.train_mean_r == pytest.approx(0.45)


def test_where_no_setting_has_enough_results_none_is_chosen() -> None:
    counts = np.full((30, 5), 10.0)
    counts[:15] = 0
    walk = walk_forward(made_up(FIVE, np.ones((30, 5)), counts, 30), train=10, test=5, fewest=40)
    assert [fold.chosen for fold in walk.folds] == [None, None, 0, 0]
    assert walk.n == 100
    assert walk.line.endswith("2 of 4 times no setting had 40 results.")
    nobody = walk_forward(made_up(FIVE, np.ones((30, 5)), np.zeros((30, 5)), 30), train=10, test=5)
    assert nobody.line.startswith("Walk-forward: nothing fired on the 20 days that were judged. 4 of 4 times")


@pytest.mark.parametrize("wrong", [{"train": 0}, {"test": 2.5}, {"fewest": True}])
def test_what_is_no_number_of_days_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=f"{next(iter(wrong))} is a whole number from 1 up; found"):
        walk_forward(random_sweep(5), **wrong)  # type: ignore[arg-type]

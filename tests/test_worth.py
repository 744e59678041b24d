"""What triggers are worth: every figure against the slow way, resample by resample, and what is unknown."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scanner_kit.errors import InvalidInput
from scanner_kit.tuning.chance import Chance
from scanner_kit.tuning.outcomes import LOSS, NO_R, NOT_TRADABLE, OPEN, WIN, Outcomes
from scanner_kit.tuning.worth import Figure, interval, worth

DAYS = 7


def some_outcomes(n: int, seed: int = 2) -> tuple[Outcomes, Chance, np.ndarray]:
    """Outcomes as they may be, and the day of each; nothing fired on the last day."""
    random = np.random.default_rng(seed)
    result = random.choice(np.array([WIN, LOSS, OPEN], dtype=np.int8), (n, 5))
    kind = random.random(n)
    tradable, has_r = kind > 0.2, kind > 0.3
    result[~has_r], result[~tradable] = NO_R, NOT_TRADABLE
    nan = np.where(has_r, 1.0, np.nan)[:, None]
    price = np.where(tradable, 1.0, np.nan)[:, None]
    found = Outcomes(
        tradable=tradable,
        entry_k=np.where(tradable, 400, -1),
        entry=np.where(tradable, 10.0, np.nan),
        r=np.where(kind > 0.25, 0.5, np.nan) * np.where(tradable & ~has_r, np.nan, 1.0),
        beyond_stop=(result[:, 0] == LOSS) & (random.random(n) < 0.2),
        mfe_pct=random.random((n, 5)) * price,
        mae_pct=-random.random((n, 5)) * price,
        mfe_r=random.random((n, 5)) * nan,
        mae_r=-random.random((n, 5)) * nan,
        result_r=random.normal(0.1, 1.0, (n, 5)) * nan,
        result=result,
    )
    drawn = random.normal(0.0, 1.0, (n, 5, 20)) * has_r[:, None, None]
    chance = Chance(
        count=20 * has_r,
        wins=(drawn > 0.5).sum(axis=2),
        losses=(drawn < -0.5).sum(axis=2),
        total=drawn.sum(axis=2),
        gained=np.maximum(drawn, 0).sum(axis=2),
        lost=np.minimum(drawn, 0).sum(axis=2),
    )
    return found, chance, random.integers(0, DAYS - 1, n)


FOUND, CHANCE, DAY = some_outcomes(300)

Slow = Callable[[Outcomes, Chance, int, int], float]
"""A figure of some triggers, on so many days, for a horizon."""


def ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else np.nan


def results(found: Outcomes, h: int) -> np.ndarray:
    known: np.ndarray = found.result_r[~np.isnan(found.result_r[:, h]), h]
    return known


def mean(name: str) -> Slow:
    def of(found: Outcomes, chance: Chance, days: int, h: int) -> float:
        values = getattr(found, name)[:, h]
        values = values[~np.isnan(values)]
        return ratio(values.sum(), values.size)

    return of


FIGURES: dict[str, tuple[Callable[[Any], Figure], Slow]] = {
    "a day": (lambda w: w.a_day, lambda found, chance, days, h: len(found) / days),
    "tradable": (lambda w: w.tradable, lambda found, chance, days, h: ratio(found.tradable.sum(), len(found))),
    "MFE in %": (lambda w: w.mfe_pct, mean("mfe_pct")),
    "MAE in %": (lambda w: w.mae_pct, mean("mae_pct")),
    "MFE in R": (lambda w: w.mfe_r, mean("mfe_r")),
    "MAE in R": (lambda w: w.mae_r, mean("mae_r")),
    "mean R": (lambda w: w.own.mean_r, mean("result_r")),
    "win rate": (
        lambda w: w.own.win_rate,
        lambda found, chance, days, h: ratio((found.result[:, h] == WIN).sum(), results(found, h).size),
    ),
    "profit factor": (
        lambda w: w.own.profit_factor,
        lambda found, chance, days, h: ratio(
            results(found, h)[results(found, h) > 0].sum(), -results(found, h)[results(found, h) < 0].sum()
        ),
    ),
    "win rate by chance": (
        lambda w: w.chance.win_rate,
        lambda found, chance, days, h: ratio(chance.wins[:, h].sum(), chance.count.sum()),
    ),
    "mean R by chance": (
        lambda w: w.chance.mean_r,
        lambda found, chance, days, h: ratio(chance.total[:, h].sum(), chance.count.sum()),
    ),
    "profit factor by chance": (
        lambda w: w.chance.profit_factor,
        lambda found, chance, days, h: ratio(chance.gained[:, h].sum(), -chance.lost[:, h].sum()),
    ),
}


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("n", [300, 9])
def test_figures_and_intervals_are_those_of_the_slow_way(name: str, n: int) -> None:
    """With 9 triggers many resamples have no result at all: they are left out."""
    found, chance, day = some_outcomes(n)
    read, slow = FIGURES[name]
    figure = read(worth(found, day, DAYS, chance=chance, seed=3))
    drawn = np.random.Generator(np.random.PCG64(3)).integers(0, DAYS, (1_000, DAYS))
    of_day = [np.flatnonzero(day == one) for one in range(DAYS)]
    for h in range(5) if np.ndim(figure.value) else (0,):
        resampled = []
        for days in drawn:
            rows = np.concatenate([of_day[one] for one in days])
            resampled.append(slow(found.take(rows), chance.take(rows), DAYS, h))
        known = np.array(resampled)[~np.isnan(resampled)]
        at = (lambda values, h=h: values[h]) if np.ndim(figure.value) else float
        assert at(figure.value) == pytest.approx(slow(found, chance, DAYS, h), nan_ok=True)
        assert (at(figure.low), at(figure.high)) == pytest.approx(tuple(np.quantile(known, (0.05, 0.95))))


def test_counts_stand_beside_the_figures() -> None:
    told = worth(FOUND, DAY, DAYS, chance=CHANCE)
    has_r = ~np.isnan(FOUND.result_r[:, 0])
    assert (told.days, told.triggers) == (7, 300)
    assert told.not_tradable == (~FOUND.tradable).sum()
    assert told.no_r == (FOUND.tradable & ~has_r).sum() > 0
    assert told.beyond_stop == FOUND.beyond_stop.sum() > 0
    for code, counts in ((WIN, told.own.wins), (LOSS, told.own.losses), (OPEN, told.own.opens)):
        np.testing.assert_array_equal(counts, (FOUND.result == code).sum(axis=0))
    assert (told.own.wins + told.own.losses + told.own.opens == has_r.sum()).all()
    assert (told.own.win_rate.n == has_r.sum()).all()
    assert (told.mfe_r.n == has_r.sum()).all()
    assert (told.mfe_pct.n == FOUND.tradable.sum()).all()
    assert told.chance is not None
    assert (told.chance.mean_r.n == 20 * has_r.sum()).all()
    assert (told.chance.wins + told.chance.losses + told.chance.opens == 20 * has_r.sum()).all()


def test_an_interval_is_unknown_with_fewer_than_five_days() -> None:
    four, five = (worth(FOUND, np.minimum(DAY, days - 1), days) for days in (4, 5))
    assert np.isnan(four.own.mean_r.low).all()
    assert np.isnan(four.a_day.high)
    np.testing.assert_allclose(four.own.mean_r.value, five.own.mean_r.value)
    assert (five.own.mean_r.low < five.own.mean_r.value).all()
    assert (five.own.mean_r.value < five.own.mean_r.high).all()


def test_without_a_loss_the_profit_factor_is_unknown() -> None:
    winners = replace(FOUND, result_r=np.abs(FOUND.result_r))
    told = worth(winners, DAY, DAYS)
    for number in (told.own.profit_factor.value, told.own.profit_factor.low, told.own.profit_factor.high):
        assert np.isnan(number).all()


def test_without_a_trigger_all_is_unknown_but_how_many() -> None:
    told = worth(FOUND.take(np.zeros(300, dtype=bool)), [], DAYS)
    assert (told.triggers, told.a_day.value, told.a_day.low, told.a_day.high) == (0, 0.0, 0.0, 0.0)
    assert np.isnan(told.tradable.value)
    assert np.isnan(told.own.mean_r.high).all()
    assert told.chance is None


def test_more_days_without_a_trigger_make_fewer_a_day() -> None:
    assert worth(FOUND, DAY, 30).a_day.value == 10.0
    assert worth(FOUND, DAY, 30).own.mean_r.value == pytest.approx(worth(FOUND, DAY, 7).own.mean_r.value)


def test_another_seed_gives_another_interval() -> None:
    one, same, other = (worth(FOUND, DAY, DAYS, seed=seed).own.mean_r for seed in (0, 0, 1))
    assert (one.low == same.low).all()
    assert (one.low != other.low).all()


def test_an_interval_leaves_out_the_unknown() -> None:
    column = np.array([np.nan, 3.0, 1.0, np.nan, 2.0])
    low, high = interval(np.stack([column, np.full(5, np.nan)], axis=1))
    assert (low[0], high[0]) == pytest.approx((1.1, 2.9))
    assert np.isnan((low[1], high[1])).all()


@pytest.mark.parametrize("day", [[7], [-1], [0, 1]])
def test_a_day_that_was_not_judged_is_refused(day: list[int]) -> None:
    with pytest.raises(InvalidInput, match=r"Each of 1 triggers has its day, counted 0…6; found "):
        worth(FOUND.take(np.array([0])), day, DAYS)

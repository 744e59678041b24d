"""Outcomes and random entries: cases worked out by hand in `tests/cases/outcomes.toml`; what holds for any prices."""

import datetime as dt
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from notation import lines, minute, number, tape_of

from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.tuning.chance import Chance, chance
from scanner_kit.tuning.outcomes import (
    HORIZONS,
    LOSS,
    NO_R,
    NOT_TRADABLE,
    OPEN,
    RESULTS,
    WIN,
    Outcomes,
    Prices,
    outcomes,
)

CASES = Path(__file__).parent / "cases" / "outcomes.toml"
DAY = TradingDay.of("2025-01-27")


@dataclass(frozen=True)
class Case:
    """A case as it is written: the head of the file says how."""

    name: str
    bars: str
    trigger: str
    entry: str
    after: str = ""
    halted: str = ""
    day: str = "2025-01-27"
    costs: float = 0.0
    beyond: bool = False
    random: str | None = None

    def __post_init__(self) -> None:
        self.__dict__["tape"] = tape_of(self.bars, day=self.day)

    @property
    def prices(self) -> Prices:
        tape = self.__dict__["tape"]
        halt = np.zeros(tape.close.shape)
        for (span,) in lines(self.halted):
            first, _, last = span.partition("..")
            halt[minute(first) : minute(last or first) + 1] = 1.0
        return Prices(tape.universe.day, tape.open, tape.high, tape.low, tape.close, halt)

    @property
    def fired(self) -> dict[str, list[Any]]:
        at, symbol, side, *risk = self.trigger.split()
        stop, distance = map(number, risk or ("unknown", "unknown"))
        return {
            "column": [self.__dict__["tape"].universe.row(symbol)],
            "k": [minute(at)],
            "side": [{"long": 1.0, "short": -1.0}[side]],
            "stop": [stop],
            "distance": [distance],
        }

    @property
    def found(self) -> Outcomes:
        return outcomes(self.prices, **self.fired, cost_bps=self.costs)


def cases() -> Iterator[Any]:
    for case in tomllib.loads(CASES.read_text())["case"]:
        yield pytest.param(Case(**case), id=case["name"])


def about(word: str) -> Any:
    return pytest.approx(number(word), rel=1e-12, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("case", list(cases()))
def test_an_outcome_is_the_one_worked_out_by_hand(case: Case) -> None:
    found = case.found
    if case.entry == "none":
        assert (found.tradable[0], found.entry_k[0], found.beyond_stop[0]) == (False, -1, False)
        assert (found.result == NOT_TRADABLE).all()
        for name in ("entry", "mfe_pct", "mae_pct", "mfe_r", "mae_r", "result_r"):
            assert np.isnan(getattr(found, name)).all(), name
        return
    at, price = case.entry.split()
    assert (found.tradable[0], found.entry_k[0], found.beyond_stop[0]) == (True, minute(at), case.beyond)
    assert found.entry[0] == float(price)
    told = {horizon: words for names, *words in lines(case.after) for horizon in names.split(",")}
    assert tuple(told) == HORIZONS
    for h, (result, *numbers) in enumerate(told.values()):
        assert RESULTS[found.result[0, h]] == result.replace("_", " "), HORIZONS[h]
        for name, expected in zip(("result_r", "mfe_pct", "mae_pct", "mfe_r", "mae_r"), numbers, strict=True):
            assert getattr(found, name)[0, h] == about(expected), f"{name} of {HORIZONS[h]}"


@pytest.mark.parametrize("case", [case for case in cases() if case.values[0].random is not None])
def test_random_entries_are_those_worked_out_by_hand(case: Case) -> None:
    bars = [[word.partition(":") for word in words] for _, *words in lines(case.random or "")]
    found, symbol = chance_of(case), case.trigger.split()[1]
    if not bars:
        assert (found.count[0], found.wins.sum()) == (0, 0)
        assert np.isnan(found.win_rate).all()
        assert np.isnan(found.mean_r).all()
        return
    day = TradingDay.of(case.day).date
    keys = [7, int(f"{day:%Y%m%d}"), case.fired["k"][0], *symbol.encode()]
    drawn = np.random.Generator(np.random.PCG64(np.random.SeedSequence(keys))).integers(0, len(bars), 20)
    assert found.count[0] == 20
    for h in range(5):
        results = [(bars[d][h][0], number(bars[d][h][2])) for d in drawn]
        values = [value for _, value in results]
        assert found.wins[0, h] == sum(word == "win" for word, _ in results)
        assert found.losses[0, h] == sum(word == "loss" for word, _ in results)
        assert found.win_rate[0, h] == pytest.approx(sum(word == "win" for word, _ in results) / 20)
        assert found.mean_r[0, h] == pytest.approx(sum(values) / 20)
        assert found.gained[0, h] == pytest.approx(sum(value for value in values if value > 0))
        assert found.lost[0, h] == pytest.approx(sum(value for value in values if value < 0))


def chance_of(case: Case) -> Chance:
    found, fired = case.found, case.fired
    return chance(
        *(case.prices, fired["column"], fired["k"], fired["side"], found.entry, found.entry_k, found.r),
        symbols=[case.trigger.split()[1]],
        dates=[TradingDay.of(case.day).date],
        seed=7,
        cost_bps=case.costs,
    )


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.values[0].name for case in cases()]
    assert len(names) == len(set(names)) > 40


# Any prices


@dataclass(frozen=True)
class Many:
    """Prices of some symbols, with triggers at any of their minutes."""

    prices: Prices
    column: np.ndarray
    k: np.ndarray
    side: np.ndarray
    stop: np.ndarray
    distance: np.ndarray

    def outcomes(self, prices: Prices | None = None, **options: Any) -> Outcomes:
        return outcomes(prices or self.prices, self.column, self.k, self.side, self.stop, self.distance, **options)

    def chance(self, **options: Any) -> Chance:
        found = self.outcomes()
        return chance(
            *(self.prices, self.column, self.k, self.side, found.entry, found.entry_k, found.r),
            symbols=[f"S{column}" for column in self.column],
            dates=[DAY.date] * len(self.k),
            **options,
        )

    def take(self, rows: np.ndarray) -> "Many":
        return Many(self.prices, *(getattr(self, field.name)[rows] for field in fields(self)[1:]))


@pytest.fixture(scope="module")
def many() -> Many:
    """Prices on a grid of 1/64, so that sums are exact, and 2,000 triggers, some without a stop."""
    random = np.random.default_rng(5)
    shape, n = (DAY.minutes, 7), 2_000
    close = 40.0 + np.cumsum(random.integers(-3, 4, shape), axis=0) / 64
    open_ = close + random.integers(-3, 4, shape) / 64
    high = np.maximum(open_, close) + random.integers(0, 4, shape) / 64
    low = np.minimum(open_, close) - random.integers(0, 4, shape) / 64
    silent = random.random(shape) < np.array([0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97])
    prices = [np.where(silent, np.nan, price) for price in (open_, high, low, close)]
    halt = np.where(random.random(shape) < 0.02, 1.0, np.nan)
    column, k = random.integers(0, 7, n), random.integers(0, DAY.minutes, n)
    side, distance = random.choice([-1.0, 1.0], n), random.integers(1, 20, n) / 64
    distance[::10] = np.nan
    stop = close[k, column] - side * distance
    return Many(Prices(DAY, prices[0], prices[1], prices[2], prices[3], halt), column, k, side, stop, distance)


def equal(one: Any, other: Any) -> bool:
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name), equal_nan=True) for field in fields(one)
    )


def test_all_that_can_happen_happens(many: Many) -> None:
    found = many.outcomes()
    assert {*np.unique(found.result)} == {NOT_TRADABLE, WIN, LOSS, OPEN, NO_R}
    assert found.beyond_stop.sum() > 10
    assert 0.2 < found.tradable.mean() < 0.9


def test_triggers_do_not_know_of_each_other(many: Many) -> None:
    some = np.random.default_rng(1).permutation(2_000)[:300]
    assert equal(many.take(some).outcomes(), many.outcomes().take(some))
    assert equal(many.take(some).chance(), many.chance().take(some))
    assert len(many.chance()) == len(many.outcomes()) == 2_000


def test_shorts_are_the_mirror_image(many: Many) -> None:
    prices = many.prices
    mirrored = replace(
        prices, open=80 - prices.open, high=80 - prices.low, low=80 - prices.high, close=80 - prices.close
    )
    long = many.outcomes(cost_bps=0)
    short = replace(many, prices=mirrored, side=-many.side, stop=80 - many.stop).outcomes(cost_bps=0)
    for name in ("tradable", "entry_k", "r", "beyond_stop", "mfe_r", "mae_r", "result", "result_r"):
        np.testing.assert_array_equal(getattr(short, name), getattr(long, name), err_msg=name)


def test_the_past_and_other_sessions_change_nothing(many: Many) -> None:
    """A bar up to the trigger's, or outside its session, is no part of what came after."""
    expected = many.outcomes()
    for i in range(0, 2_000, 40):
        one = many.take(np.array([i]))
        first, last = int(one.k[0]) + 1, next(end for end in (330, 720, 960) if one.k[0] < end)
        cut = {name: np.full(many.prices.close.shape, np.nan) for name in ("open", "high", "low", "close")}
        for name, blank in cut.items():
            blank[first:last] = getattr(many.prices, name)[first:last]
        assert equal(one.outcomes(Prices(DAY, halt=many.prices.halt, **cut)), expected.take(np.array([i])))


def test_excursions_only_grow_and_what_was_hit_stays_hit(many: Many) -> None:
    found = many.outcomes()
    known, has_r = found.tradable, found.tradable & ~np.isnan(found.r)
    assert (np.diff(found.mfe_pct[known]) >= 0).all()
    assert (np.diff(found.mae_pct[known]) <= 0).all()
    assert (found.mfe_pct[known, 0] >= 0).all()
    assert (found.mae_pct[known, 0] <= 0).all()
    result = found.result[has_r]
    for shorter, longer in zip(result.T[:-1], result.T[1:], strict=True):
        assert (longer[shorter != OPEN] == shorter[shorter != OPEN]).all()


def test_costs_come_off_every_result_and_change_nothing_else(many: Many) -> None:
    free, dear = many.outcomes(cost_bps=0), many.outcomes(cost_bps=20)
    np.testing.assert_allclose(free.result_r - dear.result_r, np.repeat(0.002 * free.entry / free.r, 5).reshape(-1, 5))
    assert equal(replace(dear, result_r=free.result_r), free)


def test_random_entries_follow_the_seed_the_date_the_minute_and_the_symbol(many: Many) -> None:
    found, again, other = many.chance(), many.chance(), many.chance(seed=1)
    assert equal(found, again)
    assert not equal(found, other)
    assert set(np.unique(found.count)) == {0, 20}
    assert (found.wins + found.losses <= found.count[:, None]).all()
    np.testing.assert_allclose(found.gained + found.lost, found.total, atol=1e-9)
    np.testing.assert_array_equal(found.count > 0, ~np.isnan(many.outcomes().result_r[:, 0]))


def test_prices_may_be_of_any_layout(many: Many) -> None:
    open_, halt = np.asfortranarray(many.prices.open), np.asfortranarray(many.prices.halt)
    turned = replace(many.prices, open=open_, halt=halt, high=many.prices.high.copy(), close=many.prices.close.copy())
    for name in ("high", "close"):
        getattr(turned, name).flags.writeable = False
    assert equal(many.outcomes(turned), many.outcomes())


def test_no_trigger_has_no_outcome(many: Many) -> None:
    found = many.take(np.array([], dtype=int))
    assert found.outcomes().result.shape == found.chance().win_rate.shape == (0, 5)


def test_what_is_wrong_is_said(many: Many) -> None:
    one = many.take(np.array([0]))
    with pytest.raises(InvalidInput, match=r"Prices\.low is \(minutes, columns\) = \(960, 7\); found \(959, 7\)\."):
        replace(many.prices, low=many.prices.low[1:])
    with pytest.raises(InvalidInput, match=r"The column of a trigger is 0…6 here; found 7\."):
        replace(one, column=np.array([7])).outcomes()
    with pytest.raises(InvalidInput, match=r"The k of a trigger is 0…959 here; found -1\."):
        replace(one, k=np.array([-1])).outcomes()
    with pytest.raises(InvalidInput, match=r"a value for each; found shapes \(1,\), \(1,\), \(1,\), \(2,\), \(1,\)\."):
        replace(one, stop=np.array([1.0, 2.0])).outcomes()
    with pytest.raises(InvalidInput, match=r"Costs are basis points of the entry, 0 or more; found -1\."):
        one.outcomes(cost_bps=-1)
    with pytest.raises(InvalidInput, match=r"Costs are basis points of the entry, 0 or more; found nan\."):
        one.chance(cost_bps=float("nan"))


def test_random_entries_of_another_day_are_others(many: Many) -> None:
    found = many.outcomes()
    given = (many.prices, many.column, many.k, many.side, found.entry, found.entry_k, found.r)
    one, other = (
        chance(*given, symbols=["A"] * len(many.k), dates=[date] * len(many.k))
        for date in (DAY.date, dt.date(2025, 1, 28))
    )
    assert not equal(one, other)

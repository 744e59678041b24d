"""Outcomes, random entries and figures of random days against the second opinion of `oracle_outcomes.py`.

The days are made of cents, with holes, so that prices often stand exactly at a stop or a target, and stops are often
beyond the entry: what real days seldom show.
"""

import math
import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import oracle
import oracle_outcomes as oo
import pandas as pd
import pytest
from oracle_metrics import Bar, Minutes

from scanner_kit.calendar import TradingDay
from scanner_kit.tuning.chance import Chance, chance
from scanner_kit.tuning.outcomes import RESULTS, Outcomes, Prices, outcomes
from scanner_kit.tuning.worth import Figure, Results, Worth, worth

DATES = [date(2025, 1, day) for day in (21, 22, 23, 24, 27, 28, 29)]
SYMBOLS = ["A", "BRK.B", "NVDA"]
WITHOUT = date(2025, 1, 23)
SEED, COST_BPS = 7, 12.5
HORIZONS = list(oo.HORIZONS)


@dataclass(frozen=True)
class Both:
    """The same triggers, judged by the two."""

    triggers: list[oo.Row]
    markets: dict[date, oo.Market]
    rows: list[oo.Row]
    found: Outcomes
    random: Chance
    worth: Worth


@pytest.fixture(scope="module", params=range(2))
def both(request: pytest.FixtureRequest) -> Both:
    chosen = random.Random(request.param)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clocks = {day: oracle.day_clock(day) for day in DATES}
    markets = {
        day: oo.market(clock, {name: walk(chosen, clock.minutes) for name in SYMBOLS}) for day, clock in clocks.items()
    }
    triggers = [trigger(chosen, day, markets[day]) for day in DATES if day != WITHOUT for _ in range(30)]
    triggers.sort(key=lambda own: (own["day"], own["k"], own["scanner"]))
    rows = oo.outcomes(pd.DataFrame(triggers), markets, SEED, COST_BPS)
    prices = prices_of(markets)
    column = [DATES.index(own["day"]) * len(SYMBOLS) + SYMBOLS.index(own["symbol"]) for own in triggers]
    k, side, stop, distance = ([own[name] for own in triggers] for name in ("k", "side", "stop", "distance"))
    found = outcomes(prices, column, k, side, stop, distance, cost_bps=COST_BPS)
    names, dates = [own["symbol"] for own in triggers], [own["day"] for own in triggers]
    drawn = chance(
        prices, column, k, side, found.entry, found.entry_k, found.r,
        symbols=names, dates=dates, seed=SEED, cost_bps=COST_BPS,
    )  # fmt: skip
    days = [DATES.index(own["day"]) for own in triggers]
    return Both(triggers, markets, rows, found, drawn, worth(found, days, len(DATES), chance=drawn, seed=SEED))


def walk(chosen: random.Random, minutes: int) -> Minutes:
    """A symbol that wanders in cents, jumps, and is silent now and then, sometimes for long."""
    bars: list[Bar | None] = []
    cents, silent = 1_000, 0
    for _ in range(minutes):
        silent = silent - 1 if silent else (chosen.choice((1, 2, 4, 6, 40)) if chosen.random() < 0.02 else 0)
        if silent:
            bars.append(None)
            continue
        begin = max(200, cents + (chosen.randint(-25, 25) if chosen.random() < 0.05 else chosen.randint(-1, 1)))
        cents = max(200, begin + chosen.randint(-4, 4))
        high, low = max(begin, cents) + chosen.randint(0, 3), min(begin, cents) - chosen.randint(0, 3)
        bars.append(Bar(begin / 100, high / 100, low / 100, cents / 100, 100.0))
    return bars


def trigger(chosen: random.Random, day: date, there: oo.Market) -> oo.Row:
    """A trigger anywhere in the day, its stop nowhere, some cents away, or just as far as the price will go."""
    symbol, k, side = chosen.choice(SYMBOLS), chosen.randrange(40, 930), chosen.choice((1, -1))
    bars = there.bars[symbol]
    price = next(bar.close for bar in reversed(bars[: k + 1]) if bar is not None)
    ahead = [bar for bar in bars[k + 1 : k + 16] if bar is not None]
    reach = [abs((bar.high if side > 0 else bar.low) - ahead[0].open) for bar in ahead]
    farthest = max(1, round(100 * max(reach, default=0.3)))
    cents = chosen.choice((math.nan, 1, chosen.randint(1, 30), *[farthest] * 5))
    stop = math.nan if math.isnan(cents) else (round(100 * price) - side * cents) / 100
    who = {"day": day, "k": k, "symbol": symbol, "scanner": f"s{chosen.random()}", "kind": "fired", "side": side}
    return who | {"stop": stop, "distance": abs(price - stop)}


def prices_of(markets: dict[date, oo.Market]) -> Prices:
    """The days side by side, a column for a symbol of a day."""
    own = [(there.bars[name], there.halt[name]) for there in markets.values() for name in SYMBOLS]
    columns = {
        part: np.array([[math.nan if bar is None else getattr(bar, part) for bar in bars] for bars, _ in own]).T
        for part in ("open", "high", "low", "close")
    }
    return Prices(TradingDay.of(DATES[0]), **columns, halt=np.array([halt for _, halt in own]).T)


def same(ours: Any, theirs: Any) -> bool:
    """Whether numbers agree, unknown ones included."""
    return bool(np.allclose(np.asarray(ours, np.float64), theirs, rtol=1e-9, atol=1e-12, equal_nan=True))


def by_horizon(both: Both, name: str) -> list[list[Any]]:
    """A column of the second opinion: a list of five per trigger."""
    values = [row[name] for row in both.rows]
    return [values[i : i + 5] for i in range(0, len(values), 5)]


def test_every_outcome(both: Both) -> None:
    assert [own["scanner"] for own in both.triggers] == [row["scanner"] for row in both.rows[::5]]
    expected = [["" if result is None else result for result in own] for own in by_horizon(both, "result")]
    assert [[RESULTS[code] for code in own] for own in both.found.result] == expected
    assert {result for own in expected for result in own} == set(RESULTS)
    for name in ("tradable", "beyond_stop"):
        assert getattr(both.found, name).tolist() == [own[0] for own in by_horizon(both, name)]
    assert both.found.beyond_stop.any()
    entry_k = np.where(both.found.tradable, both.found.entry_k, math.nan)
    assert same(entry_k, [own[0] for own in by_horizon(both, "entry_k")])
    for name in ("entry", "r"):
        assert same(getattr(both.found, name), [own[0] for own in by_horizon(both, name)]), name
    for name in ("mfe_pct", "mae_pct", "mfe_r", "mae_r", "result_r"):
        assert same(getattr(both.found, name), by_horizon(both, name)), name


def test_every_random_entry(both: Both) -> None:
    count = np.where(both.random.count > 0, both.random.count, math.nan)[:, None]
    assert same(both.random.wins / count, by_horizon(both, "chance_win_rate"))
    assert same(both.random.total / count, by_horizon(both, "chance_mean_r"))


Figures = Callable[[Sequence[Any]], float]


def agrees(figure: Figure, horizon: int | None, days: Sequence[Sequence[Any]], ask: Figures) -> None:
    """A figure and its interval are what `ask` makes of the days' results, and of the days drawn again."""
    found = (figure.value, figure.low, figure.high)
    pooled = [result for own in days for result in own]
    expected = (ask(pooled), *oo.interval(days, ask, seed=SEED))
    assert same([x if horizon is None else x[horizon] for x in found], expected)


def agree(results: Results, horizon: int, days: Sequence[Sequence[oo.Outcome]]) -> None:
    """The counts and the three figures of some entries."""
    pooled = [own.result for day in days for own in day]
    counts = (results.wins, results.losses, results.opens)
    assert [count[horizon] for count in counts] == [pooled.count(result) for result in ("win", "loss", "open")]
    agrees(results.win_rate, horizon, days, oo.win_rate)
    agrees(results.mean_r, horizon, days, oo.mean_r)
    agrees(results.profit_factor, horizon, days, oo.profit_factor)


@pytest.mark.parametrize("horizon", range(5), ids=HORIZONS)
def test_what_the_results_are_worth(both: Both, horizon: int) -> None:
    rows = [row for row in both.rows if row["horizon"] == HORIZONS[horizon] and row["result"] is not None]
    days = [[oo.Outcome(row["result"], row["result_r"]) for row in rows if row["day"] == day] for day in DATES]
    agree(both.worth.own, horizon, days)


@pytest.mark.parametrize("horizon", [0, 4])
def test_what_random_entries_are_worth(both: Both, horizon: int) -> None:
    days: list[list[oo.Outcome]] = [[] for _ in DATES]
    for own, row in zip(both.triggers, both.rows[::5], strict=True):
        there = both.markets[own["day"]]
        bars = there.bars[own["symbol"]]
        for trade in (
            oo.chance_trades(own, row["entry"], bars, there, SEED) if row["result"] not in (None, "no R") else []
        ):
            ahead = oo.horizon_bars(trade.k, oo.HORIZONS[HORIZONS[horizon]], bars, there)
            days[DATES.index(own["day"])].append(oo.outcome(trade, ahead, COST_BPS))
    assert both.worth.chance is not None
    agree(both.worth.chance, horizon, days)


def test_how_many_there_are_and_how_far_they_went(both: Both) -> None:
    first = both.rows[::5]
    days = [[row for row in first if row["day"] == day] for day in DATES]
    assert (both.worth.days, both.worth.triggers) == (len(DATES), len(first))
    assert both.worth.not_tradable == sum(not row["tradable"] for row in first)
    assert both.worth.no_r == sum(row["result"] == "no R" for row in first)
    assert both.worth.beyond_stop == sum(row["beyond_stop"] for row in first)
    agrees(both.worth.a_day, None, days, lambda rows: len(rows) / len(DATES))
    agrees(both.worth.tradable, None, days, lambda rows: mean([row["tradable"] for row in rows]))
    for name in ("mfe_pct", "mae_pct", "mfe_r", "mae_r"):
        for horizon in (0, 3):
            last = [row for row in both.rows if row["horizon"] == HORIZONS[horizon]]
            numbers = [[row[name] for row in last if row["day"] == day] for day in DATES]
            agrees(getattr(both.worth, name), horizon, numbers, mean)


def mean(values: Sequence[float]) -> float:
    """The mean of the known ones."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan

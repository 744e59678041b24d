"""A market without any edge, researchers who look for one in it, and an edge that is planted.

1. `quiet_days` takes the days of a simulated market, their universe, facts and volumes, and draws their prices anew as
   a fair game: each change has mean 0, whatever came before, so that nothing that a scanner sees says what comes next.
2. A researcher drags sliders: `walk` gives the settings, one move after the other.
3. A `Desk` judges them and follows their triggers with the code that everybody uses.
4. `planted` lifts prices after the triggers of one setting until their mean result is as wanted.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from scanner_kit.bars import Tape
from scanner_kit.calendar import TradingDay
from scanner_kit.scanner import Scanner
from scanner_kit.scanners import HodBreak, LodBreak, VwapLoss, VwapReclaim
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.tuning.answer import Answer, answer, prices_of
from scanner_kit.tuning.history import History
from scanner_kit.tuning.luck import Try
from scanner_kit.tuning.outcomes import COST_BPS, HORIZONS, Outcomes, outcomes

Floats = NDArray[np.float64]
Settings = dict[str, float]

SCANNERS: tuple[type[Scanner], ...] = (HodBreak, LodBreak, VwapReclaim, VwapLoss)
HORIZON, MINUTES = "30m", 30
LAST_DAY = dt.date(2025, 9, 1)
STEPS = 12  # of the price within a minute
PRICES = ("open", "high", "low", "close", "vwap")


@dataclass(frozen=True)
class Slider:
    """A threshold that is dragged: its notch, added or, with `times`, multiplied, and its ends."""

    name: str
    notch: float
    low: float
    high: float
    times: bool = False

    def moved(self, value: float, notches: int) -> float:
        """Where it stands some notches further on."""
        there = value * self.notch**notches if self.times else value + self.notch * notches
        return float(np.clip(there, self.low, self.high))


SLIDERS = (
    Slider("min_rvol", 0.1, 0.0, 5.0),
    Slider("min_price", 1.15, 1.0, 100.0, times=True),
    Slider("min_dollar_volume", 1.3, 1e5, 1e7, times=True),
    Slider("min_avg_volume", 1.3, 1e4, 1e7, times=True),
    Slider("min_change_pct", 0.25, -10.0, 10.0),
    Slider("cooldown", 15.0, 0.0, 960.0),
    Slider("rearm_pct", 0.25, 0.0, 5.0),
    Slider("stop_atr", 0.05, 0.05, 0.5),
)
START: Settings = {
    "min_rvol": 1.0,
    "min_price": 1.0,
    "min_dollar_volume": 250_000.0,
    "min_avg_volume": 50_000.0,
    "min_change_pct": -5.0,
    "cooldown": 15.0,
    "rearm_pct": 1.0,
    "stop_atr": 0.1,
}
ONCE_A_DAY = {
    "min_dollar_volume": 1e5,
    "min_avg_volume": 1e4,
    "min_change_pct": -10.0,
    "cooldown": 960.0,
    "rearm_pct": 0.0,
}
"""A setting that fires once a day on each symbol: lifting prices after a trigger changes none of its others."""


def generator(*key: int) -> Generator:
    """The random numbers that belong to a key."""
    return Generator(PCG64(SeedSequence(key)))


# The market


@lru_cache(maxsize=1)
def simulated_days(days: int, symbols: int) -> tuple[Tape, ...]:
    """The full sessions before `LAST_DAY`, as many as wanted, oldest first."""
    full = [day for day in TradingDay.before(LAST_DAY, 2 * days + 5) if not day.early_close][-days:]
    return tuple(simulated_tape(SimulatedMarket(symbols=symbols, day=day.date)) for day in full)


def quiet_days(seed: int, days: int, symbols: int) -> list[Tape]:
    """Days of one simulated market with prices of their own for each seed."""
    return [fair_game(tape, generator(seed, i)) for i, tape in enumerate(simulated_days(days, symbols))]


def fair_game(tape: Tape, rng: Generator) -> Tape:
    """A day with prices drawn anew: moved by a common factor for a fifth, and of mean change 0 throughout.

    A minute without a bar does not move the price: each bar opens where the one before closed. Minutes are short steps
    beside R, so that few bars meet both stop and target, of which the stop counts: without costs a trigger is worth 0.
    """
    facts, there = tape.universe.facts, tape.volume > 0
    minutes, symbols = there.shape
    daily = np.nan_to_num(facts.atr_14d / facts.prev_close, nan=0.03).clip(0.005, 0.15)
    heat = np.exp(0.3 * rng.standard_normal((minutes, symbols))) * np.exp(0.3 * rng.standard_normal(symbols))
    sd = 0.4 * daily * heat * np.sqrt(_pace(tape.universe.day)[:, None] / STEPS) * there
    z = rng.standard_normal((minutes, STEPS, symbols)) * np.sqrt(0.8)
    z += rng.standard_normal((minutes, STEPS, 1)) * np.sqrt(0.2)
    gap = 0.3 * daily * rng.standard_normal(symbols) - (0.3 * daily) ** 2 / 2
    start = np.log(np.nan_to_num(facts.prev_close, nan=20.0)) + gap
    moves = (sd[:, None] * z - sd[:, None] ** 2 / 2).reshape(-1, symbols)
    path = np.exp(start + np.concatenate([np.zeros((1, symbols)), np.cumsum(moves, axis=0)]))
    open_ = path[:-1:STEPS]
    within = np.concatenate([open_[:, None], path[1:].reshape(minutes, STEPS, symbols)], axis=1)
    prices = {
        "open": open_,
        "high": within.max(axis=1),
        "low": within.min(axis=1),
        "close": within[:, -1],
        "vwap": within.mean(axis=1),
    }
    drawn: dict[str, Any] = {name: np.where(there, values, np.nan) for name, values in prices.items()}
    return replace(tape, **drawn)


def _pace(day: TradingDay) -> Floats:
    """The variance of each minute, relative to that of the regular hours: more after the open, little outside."""
    pace = np.full(day.minutes, 5e-4)
    regular = 1.0 + 1.5 * np.exp(-np.arange(day.close_k - day.open_k) / 25.0)
    pace[day.open_k : day.close_k] = regular / regular.sum()
    return pace


# The researcher


def walk(rng: Generator, start: Settings, moves: int) -> list[Settings]:
    """Where the sliders stand after each move: one of them, one to four notches up or down."""
    stands, now = [], start
    for _ in range(moves):
        slider = SLIDERS[rng.integers(len(SLIDERS))]
        notches = int(rng.choice([-4, -3, -2, -1, 1, 2, 3, 4]))
        now = {**now, slider.name: slider.moved(now[slider.name], notches)}
        stands.append(now)
    return stands


def walk_past(rng: Generator, place: Settings, moves: int) -> list[Settings]:
    """A walk that comes to a place at some move, by steps like any other, and goes on."""
    before = int(rng.integers(moves))
    return [*walk(rng, place, before)[::-1], place, *walk(rng, place, moves - 1 - before)]


@dataclass(frozen=True)
class Result:
    """A setting's result at `HORIZON` on each day: sums after costs, sums without, and triggers with one."""

    settings: str
    sums: Floats
    free: Floats
    counts: Floats

    def tried(self, name: str, *, free: bool = False) -> Try:
        """As a try, after costs or without."""
        sums = self.free if free else self.sums
        return Try(name, self.settings, HORIZON, sums.tolist(), self.counts.tolist())


class Desk:
    """One scanner over one history, at which a researcher sits."""

    def __init__(self, tapes: Sequence[Tape], scanner: type[Scanner]) -> None:
        self.scanner, self.tapes, self.history = scanner, list(tapes), History.of_tapes(tapes)

    def answer(self, settings: Settings) -> Answer:
        """The triggers of a setting, and what came of them."""
        return answer(self.history, self.scanner(**settings))

    def look(self, settings: Settings) -> Result:
        """What one sees who looks at a setting."""
        found = self.answer(settings)
        sums, counts = found.by_day(HORIZON)
        known = ~np.isnan(result_r(found.outcomes))
        costs = COST_BPS / 10_000 * found.outcomes.entry[known] / found.outcomes.r[known]
        free = sums + np.bincount(found.fired.day[known], costs, len(sums))
        return Result(found.settings_id, sums, free, counts)


def result_r(found: Outcomes) -> Floats:
    """Results after costs at `HORIZON`, NaN where there is none."""
    return np.asarray(found.result_r[:, HORIZONS.index(HORIZON)])


# The edge


def setting_of(desk: Desk, triggers: int) -> Settings:
    """The setting that fires once a day on each symbol, about so often in all; it is told by `min_rvol`."""

    def short_of(min_rvol: float) -> float:
        found = desk.look({**START, **ONCE_A_DAY, "min_rvol": min_rvol})
        return triggers - float(found.counts.sum())

    return {**START, **ONCE_A_DAY, "min_rvol": round(_crossing(short_of, 0.0, 5.0), 4)}


def planted(desk: Desk, settings: Settings, mean_r: float) -> list[Tape]:
    """The tapes with prices that drift after the triggers of a setting, the same part of R in each, and stay there.

    The drift goes on for `MINUTES` minutes from the entry; with its size the mean result is `mean_r` after costs.
    """
    found = desk.answer(settings)
    drifts = [_drift(found, i) for i in range(len(desk.tapes))]

    def beyond(part: float) -> float:
        of_days = [_moved(found, i, part * drift) for i, drift in enumerate(drifts)]
        return float(np.nanmean(np.concatenate(of_days))) - mean_r

    part = _crossing(beyond, 0.0, 4.0)
    return [
        replace(tape, **{name: getattr(tape, name) + part * drift for name in PRICES})
        for tape, drift in zip(desk.tapes, drifts, strict=True)
    ]


def _drift(found: Answer, day: int) -> Floats:
    """What is added to a day's prices, `(minutes, symbols)`: from each entry on, up to R, in the trigger's favour."""
    fired, here = found.fired, (found.fired.day == day) & ~np.isnan(found.outcomes.r) & found.outcomes.tradable
    drift = np.zeros(found.history.days[day].tape.close.shape)
    since = np.arange(len(drift))[:, None] - found.outcomes.entry_k[here]
    drift[:, fired.row[here]] = (since / MINUTES).clip(0.0, 1.0) * fired.side[here] * found.outcomes.r[here]
    return drift


def _moved(found: Answer, day: int, drift: Floats) -> Floats:
    """The results of a day's triggers with something added to its prices."""
    fired, prices = found.fired.take(found.fired.day == day), prices_of(found.history.days[day])
    added: dict[str, Any] = {name: getattr(prices, name) + drift for name in ("open", "high", "low", "close")}
    risk = (fired.row, fired.k, fired.side, fired.stop, fired.distance)
    return result_r(outcomes(replace(prices, **added), *risk, cost_bps=found.cost_bps))


def _crossing(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that rises comes to 0, by halving."""
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2

"""Days for tests of tuning: simulated ones that trade, and empty ones that only have their date."""

import datetime as dt
from functools import cache

import numpy as np

from scanner_kit.bars import Tape
from scanner_kit.calendar import TradingDay
from scanner_kit.scanners import HodBreak
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.tuning.grid import Grid
from scanner_kit.tuning.history import History
from scanner_kit.tuning.sweep import Sweep
from scanner_kit.universe import Universe

DATES = ("2025-06-18", "2025-07-02", "2025-07-03", "2025-07-07")  # the third closes early
LOW = {"min_dollar_volume": 10_000, "min_rvol": 1.0}


@cache
def tapes() -> tuple[Tape, ...]:
    """Four days of forty symbols."""
    markets = (SimulatedMarket(symbols=40, seed=i, day=dt.date.fromisoformat(date)) for i, date in enumerate(DATES))
    return tuple(simulated_tape(market) for market in markets)


@cache
def history() -> History:
    """The history of these days, in memory."""
    return History.of_tapes(tapes())


def empty_days(number: int) -> History:
    """So many days on which nothing traded."""
    weekdays = np.busday_offset(np.datetime64("2025-03-03"), np.arange(number)).tolist()
    return History.of_tapes(Tape.empty(Universe.of(TradingDay.of(date), ["A"])) for date in weekdays)


def made_up(grid: dict[str, list[float]], mean: np.ndarray, n: np.ndarray, days: int = 1) -> Sweep:
    """A sweep whose settings have these mean results and so many of them each day: `(settings,)` or `(days, settings)`.

    Half of the results, in R, is won.
    """
    found = Grid.of(HodBreak(), grid)
    mean, n = (np.broadcast_to(np.asarray(values, dtype=np.float64), (days, len(found))) for values in (mean, n))
    total = mean * n
    figures = np.stack([n, n, n / 2, n, total, np.maximum(total, 0), np.minimum(total, 0)], axis=2)
    ids = tuple(f"{i:012x}" for i in range(len(found)))
    return Sweep(empty_days(days), HodBreak(), found.settings, ids, figures, "30m", 5.0, 0, found)

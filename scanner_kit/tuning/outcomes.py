"""Outcomes: what the price did after a trigger. For judging thresholds, never for trading.

The entry is at the open of the symbol's next bar in the trigger's session, if that comes within five minutes and no
halt lies between. From there the price is followed to the end of each horizon: how far it went for and against (MFE and
MAE), and whether it met the trigger's stop or a target as far away as the risk that was planned (R).

>>> prices = Prices(TradingDay.of("2025-01-27"), *(np.full((960, 1), np.nan) for _ in range(4)), np.zeros((960, 1)))
>>> for k, bar in {400: (10.0, 10.2, 9.9, 10.1), 401: (10.1, 10.6, 10.0, 10.5)}.items():
...     prices.open[k], prices.high[k], prices.low[k], prices.close[k] = bar
>>> found = outcomes(prices, column=[0], k=[399], side=[1.0], stop=[9.5], distance=[0.5])
>>> found.entry, [RESULTS[code] for code in found.result[0]], found.result_r[0].round(2)
(array([10.]), ['win', 'win', 'win', 'win', 'win'], array([0.99, 0.99, 0.99, 0.99, 0.99]))
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.metrics.activity import HALTED
from scanner_kit.tuning.paths import (
    HORIZONS,
    LOSS,
    NO_R,
    NOT_TRADABLE,
    OPEN,
    WIN,
    Codes,
    Counts,
    Paths,
    follow,
    next_bars,
)
from scanner_kit.universe import Bools, Floats, Rows

__all__ = [
    "COST_BPS",
    "HORIZONS",
    "LOSS",
    "NOT_TRADABLE",
    "NO_R",
    "OPEN",
    "RESULTS",
    "WAIT",
    "WIN",
    "Outcomes",
    "Prices",
    "check_costs",
    "check_seed",
    "outcomes",
    "session_ends",
    "triggers_of",
]

RESULTS = ("", "win", "loss", "open", "no R")
"""The words of the codes `NOT_TRADABLE`, `WIN`, `LOSS`, `OPEN` and `NO_R`."""
WAIT = 5
"""Minutes after the trigger's within which the entry's bar must start."""
COST_BPS = 5.0


@dataclass(frozen=True, eq=False)
class Prices:
    """The prices that outcomes are computed from: float64 `(minutes, columns)`, a column for a symbol of a day.

    NaN without a bar. `halt` is 0 trading, 1 halted, 2 resumed, NaN unknown. Days stand side by side; `day` tells their
    sessions, its date is not meant. `InvalidInput` for other shapes.
    """

    day: TradingDay
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    halt: Floats

    def __post_init__(self) -> None:
        shape = (self.day.minutes, *self.close.shape[1:2])
        for name in ("open", "high", "low", "close", "halt"):
            if (found := getattr(self, name).shape) != shape:
                raise InvalidInput(
                    f"Prices.{name} is (minutes, columns) = {shape}; found {found}. Give a row a minute from 04:00 on."
                )

    @property
    def columns(self) -> int:
        """How many symbols, counted on each of their days."""
        return int(self.close.shape[1])

    @cached_property
    def paths(self) -> Paths:
        """The bars of each column one after the other; made when first asked for, and kept."""
        return Paths.of(*map(np.asarray, (self.open, self.high, self.low, self.close)))


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What came of n triggers; `(n,)`, and `(n, 5)` where it differs by horizon, in the order of `HORIZONS`.

    `entry_k` is −1 where a trigger was not tradable. `r` is the distance that the trigger carried, in dollars. MFE and
    MAE are in percent of the entry and in R, `result_r` is in R after costs, `result` is a code: see `RESULTS`. NaN is
    unknown.
    """

    tradable: Bools
    entry_k: Counts
    entry: Floats
    r: Floats
    beyond_stop: Bools
    mfe_pct: Floats
    mae_pct: Floats
    mfe_r: Floats
    mae_r: Floats
    result_r: Floats
    result: Codes

    def __len__(self) -> int:
        return len(self.tradable)

    def take(self, rows: "Rows | Bools") -> "Outcomes":
        """Those of some of the triggers."""
        return Outcomes(*(getattr(self, field.name)[rows] for field in fields(self)))


def outcomes(
    prices: Prices,
    column: ArrayLike,
    k: ArrayLike,
    side: ArrayLike,
    stop: ArrayLike,
    distance: ArrayLike,
    *,
    cost_bps: float = COST_BPS,
) -> Outcomes:
    """What came of n triggers: each of a column and a minute, with a side (±1) and the stop and distance it carried.

    Stop and distance are in dollars, NaN where the trigger has none: it has no R. `cost_bps` is taken from each result
    once, in hundredths of a percent of the entry. `InvalidInput` for columns or minutes that there are not.
    """
    check_costs(cost_bps)
    columns, minutes, (sides, stops, distances) = triggers_of(prices, column, k, side, stop, distance)
    paths, end = prices.paths, session_ends(prices.day, minutes)
    at = _entries(prices, columns, minutes, end)
    tradable = at >= 0
    entry_k, entry = np.full(at.size, -1, dtype=np.int64), np.full(at.size, np.nan)
    entry_k[tradable], entry[tradable] = paths.minute[at[tradable]], paths.bars[at[tradable], 0]
    r = np.where((distances > 0.0) & ~np.isnan(stops), distances, np.nan)
    best, worst, result_r, result, beyond = follow(*paths, columns, at, end, sides, stops, r, float(cost_bps))
    price, risk = entry[:, None], r[:, None]
    return Outcomes(
        tradable=tradable,
        entry_k=entry_k,
        entry=entry,
        r=r,
        beyond_stop=beyond > 0,
        mfe_pct=100.0 * best / price,
        mae_pct=100.0 * worst / price,
        mfe_r=best / risk,
        mae_r=worst / risk,
        result_r=result_r,
        result=result,
    )


def session_ends(day: TradingDay, k: Counts) -> Counts:
    """The minute with which the session of each minute ends."""
    ends = np.array([day.open_k, day.close_k, day.minutes], dtype=np.int64)
    return np.asarray(ends[np.searchsorted(ends[:2], k, side="right")])


def triggers_of(
    prices: Prices, column: ArrayLike, k: ArrayLike, *numbers: ArrayLike
) -> tuple[Rows, Counts, tuple[Floats, ...]]:
    """Columns, minutes and further numbers of triggers as arrays of their own.

    `InvalidInput` for a column or minute that there is not, and for more of one than of another.
    """
    columns, minutes = np.array(column, dtype=np.intp), np.array(k, dtype=np.int64)
    floats = tuple(np.array(values, dtype=np.float64) for values in numbers)
    if {values.shape for values in (columns, minutes, *floats)} != {(columns.size,)}:
        raise InvalidInput(
            f"What is told of triggers has a value for each; found shapes "
            f"{', '.join(str(values.shape) for values in (columns, minutes, *floats))}. Give arrays of one length."
        )
    for name, values, size in (("column", columns, prices.columns), ("k", minutes, prices.day.minutes)):
        outside = values[(values < 0) | (values >= size)]
        if outside.size:
            raise InvalidInput(
                f"The {name} of a trigger is 0…{size - 1} here; found {outside[0]}. Give the prices that it fired on."
            )
    return columns, minutes, floats


def check_costs(cost_bps: float) -> None:
    """`InvalidInput` for costs that are none."""
    if not 0.0 <= cost_bps < np.inf:
        raise InvalidInput(f"Costs are basis points of the entry, 0 or more; found {cost_bps!r}. Give, say, 5.")


def check_seed(seed: Any) -> None:
    """`InvalidInput` for what seeds no draws."""
    given: Any = seed
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 0:
        raise InvalidInput(f"A seed is a whole number, 0 or more; found {seed!r}. Give, say, seed=0.")


def _entries(prices: Prices, column: Rows, k: Counts, end: Counts) -> Rows:
    """The bar of each entry in the paths; −1 where the trigger was not tradable."""
    start, minute, _ = prices.paths
    at = next_bars(start, minute, column, k)
    entry_k = np.full(at.size, prices.day.minutes, dtype=np.int64)
    entry_k[at >= 0] = minute[at[at >= 0]]
    tradable = (entry_k < end) & (entry_k <= k + WAIT)
    for step in range(1, WAIT):
        between = np.minimum(k + step, prices.day.minutes - 1)
        halted: Any = prices.halt[between, column] == HALTED
        tradable &= ~((between < entry_k) & halted)
    return np.where(tradable, at, -1)

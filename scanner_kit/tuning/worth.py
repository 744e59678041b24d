"""Worth: what some triggers came to, how sure that is, and what random entries came to beside them.

Every figure is computed from sums over days, so that a resample of days is a row of counts and all of them together one
product of matrices. The same resamples serve every figure.

>>> resamples(days=5, seed=0)[:2]  # how often each of five days is in the first two
array([[0., 2., 1., 1., 1.],
       [4., 0., 0., 0., 1.]])
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from scanner_kit.arithmetic import compiled
from scanner_kit.errors import InvalidInput
from scanner_kit.tuning.chance import Chance
from scanner_kit.tuning.outcomes import LOSS, NO_R, OPEN, WIN, Outcomes, check_seed
from scanner_kit.tuning.paths import Counts
from scanner_kit.universe import Floats, Rows

RESAMPLES = 1_000
FEWEST_DAYS = 5
LOW, HIGH = 0.05, 0.95


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure, the 5 % and 95 % of its resamples, and on how many results it rests; NaN is unknown.

    Numbers where it is one for all horizons, else arrays `(5,)` in the order of `HORIZONS`.
    """

    value: Any
    low: Any
    high: Any
    n: Any


@dataclass(frozen=True, eq=False)
class Results:
    """What entries with an R came to, by horizon: how many won, lost and stayed open, and three figures of them.

    Win rate is wins ÷ all, between 0 and 1; `mean_r` is in R, after costs, as are the sums of the profit factor, Σ
    positive ÷ |Σ negative|.
    """

    wins: Counts
    losses: Counts
    opens: Counts
    win_rate: Figure
    mean_r: Figure
    profit_factor: Figure


@dataclass(frozen=True, eq=False)
class Worth:
    """Figures over some triggers: how many, on how many days, of which not tradable, without an R, beyond the stop.

    `a_day` is triggers ÷ days, `tradable` tradable triggers ÷ all. Mean MFE and MAE are in percent of the entry, over
    the tradable, and in R, over those with an R. `own` are the triggers' results, `chance` those of the random entries.
    """

    days: int
    triggers: int
    not_tradable: int
    no_r: int
    beyond_stop: int
    a_day: Figure
    tradable: Figure
    mfe_pct: Figure
    mae_pct: Figure
    mfe_r: Figure
    mae_r: Figure
    own: Results
    chance: Results | None


def worth(found: Outcomes, day: ArrayLike, days: int, *, chance: Chance | None = None, seed: int = 0) -> Worth:
    """Figures over n triggers; `day` `(n,)` counts the days judged, 0…days − 1 in order of date.

    Days without a trigger are among `days`. Intervals are unknown with fewer than five of them. `InvalidInput` for a
    day that was not judged.
    """
    check_seed(seed)
    pooled = _Pooled(_days_of(day, days, len(found)), days, seed)
    one, tradable = pooled.sum(np.ones(len(found))), pooled.sum(found.tradable)
    has_r = found.tradable & ~np.isnan(found.r)
    with_r = pooled.sum(has_r)[:, None]
    result, result_r = found.result, found.result_r
    own = pooled.results(
        *(pooled.sum(result == code) for code in (WIN, LOSS, OPEN)),
        *(pooled.sum(values) for values in (result_r, np.maximum(result_r, 0.0), np.minimum(result_r, 0.0))),
    )
    return Worth(
        days=days,
        triggers=len(found),
        not_tradable=int(np.count_nonzero(~found.tradable)),
        no_r=int(np.count_nonzero(result[:, 0] == NO_R)),
        beyond_stop=int(np.count_nonzero(found.beyond_stop)),
        a_day=pooled.figure(one, np.ones(days), len(found)),
        tradable=pooled.figure(tradable, one, len(found)),
        mfe_pct=pooled.figure(pooled.sum(found.mfe_pct), tradable[:, None]),
        mae_pct=pooled.figure(pooled.sum(found.mae_pct), tradable[:, None]),
        mfe_r=pooled.figure(pooled.sum(found.mfe_r), with_r),
        mae_r=pooled.figure(pooled.sum(found.mae_r), with_r),
        own=own,
        chance=None if chance is None else _by_chance(pooled, chance),
    )


@lru_cache(maxsize=64)
def resamples(days: int, seed: int = 0) -> Floats:
    """How often each day is in each of 1,000 resamples, `(1000, days)`; read-only."""
    check_seed(seed)
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, days, (RESAMPLES, days))
    counts = np.zeros((RESAMPLES, days))
    np.add.at(counts, (np.arange(RESAMPLES)[:, None], drawn), 1.0)
    counts.flags.writeable = False
    return counts


def interval(resampled: Floats) -> tuple[Any, Any]:
    """The 5 % and 95 % along the first axis by linear interpolation, the unknown left out; NaN where all are."""
    ordered = np.sort(resampled, axis=0)  # the unknown come last
    known = np.count_nonzero(~np.isnan(ordered), axis=0)
    ends = []
    for share in (LOW, HIGH):
        position = share * np.maximum(known - 1, 0)
        below = np.floor(position).astype(np.intp)
        above = np.minimum(below + 1, np.maximum(known - 1, 0))
        low, high = (np.take_along_axis(ordered, at[None, ...], axis=0)[0] for at in (below, above))
        ends.append(low + (high - low) * (position - below))
    return ends[0], ends[1]


class _Pooled:
    """Sums over days, and figures of them with their resamples."""

    def __init__(self, day: Rows, days: int, seed: int) -> None:
        self._day, self._days = day, days
        self._resamples = resamples(days, seed) if days >= FEWEST_DAYS else None

    def sum(self, values: np.ndarray[Any, Any]) -> Floats:
        """The known values of each day together: `(days,)` of `(n,)`, `(days, 5)` of `(n, 5)`."""
        wide = values.reshape(len(values), math.prod(values.shape[1:])).astype(np.float64)
        return _sums(self._day, self._days, wide).reshape(self._days, *values.shape[1:])

    def figure(self, part: Floats, whole: Floats, n: Any = None) -> Figure:
        """Σ part ÷ Σ whole, unknown where Σ whole ≤ 0; n is Σ whole where nothing else is said."""
        value, total = _quotient(part.sum(axis=0), whole.sum(axis=0)), whole.sum(axis=0)
        n = np.broadcast_to(total, value.shape).astype(np.int64) if n is None else n
        if self._resamples is None:
            unknown = np.full(value.shape, np.nan)[()]
            return Figure(value, unknown, unknown, n)
        return Figure(value, *interval(_quotient(self._resamples @ part, self._resamples @ whole)), n)

    def results(
        self, wins: Floats, losses: Floats, opens: Floats, total: Floats, gained: Floats, lost: Floats
    ) -> Results:
        """Figures of results, from their counts and sums by day, `(days, 5)`."""
        whole = wins + losses + opens
        n = whole.sum(axis=0).astype(np.int64)
        return Results(
            wins=wins.sum(axis=0).astype(np.int64),
            losses=losses.sum(axis=0).astype(np.int64),
            opens=opens.sum(axis=0).astype(np.int64),
            win_rate=self.figure(wins, whole, n),
            mean_r=self.figure(total, whole, n),
            profit_factor=self.figure(gained, -lost, n),
        )


def _by_chance(pooled: _Pooled, chance: Chance) -> Results:
    wins, losses = pooled.sum(chance.wins), pooled.sum(chance.losses)
    opens = pooled.sum(chance.count)[:, None] - wins - losses
    return pooled.results(wins, losses, opens, *map(pooled.sum, (chance.total, chance.gained, chance.lost)))


def _days_of(day: ArrayLike, days: int, triggers: int) -> Rows:
    rows = np.array(day, dtype=np.intp)
    if rows.shape != (triggers,) or ((rows < 0) | (rows >= days)).any():
        raise InvalidInput(
            f"Each of {triggers} triggers has its day, counted 0…{days - 1}; found {rows.size} from "
            f"{rows.min(initial=0)} to {rows.max(initial=0)}. Count the days judged in order of date."
        )
    return rows


def _quotient(part: Floats, whole: Floats) -> Floats:
    part, whole = np.broadcast_arrays(part, whole)
    return np.where(whole > 0.0, part / np.where(whole > 0.0, whole, 1.0), np.nan)[()]


@compiled
def _sums(day: Rows, days: int, values: Floats) -> Floats:
    total = np.zeros((days, values.shape[1]))
    for i in range(day.size):
        for f in range(values.shape[1]):
            if not np.isnan(values[i, f]):
                total[day[i], f] += values[i, f]
    return total

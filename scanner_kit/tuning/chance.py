"""Chance: was it the moment, or only the stock and the day? The same trade, entered at random.

For each trigger with an entry and an R, 20 entries at the opens of bars of the same symbol, day and session in the
thirty minutes after the trigger's, drawn with replacement; same side, an R in the same proportion to the price, the
stop one R away, and horizons, costs and classes as for the trigger's own. Draws are keyed by seed, date, minute and
symbol, so that one more trigger changes nobody else's.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from scanner_kit.tuning.outcomes import COST_BPS, Prices, check_costs, check_seed, session_ends, triggers_of
from scanner_kit.tuning.paths import Counts, bars_until, next_bars, results_of_draws
from scanner_kit.universe import Bools, Floats, Rows

WITHIN = 30
"""Minutes after the trigger's in which random entries lie."""
DRAWS = 20
KEPT = 1 << 17


@dataclass(frozen=True, eq=False)
class Chance:
    """What random entries beside n triggers came to, by horizon, in the order of `HORIZONS`.

    `count` `(n,)` is how many there are of each trigger: 20, or 0 where it has no entry or no R. The others are
    `(n, 5)`: how many won and lost, the sum of their results in R after costs, and that of the positive (`gained`) and
    of the negative ones (`lost`), so that many triggers can be pooled.
    """

    count: Counts
    wins: Counts
    losses: Counts
    total: Floats
    gained: Floats
    lost: Floats

    def __len__(self) -> int:
        return len(self.count)

    @property
    def win_rate(self) -> Floats:
        """Wins ÷ all of each trigger, `(n, 5)`; NaN without any."""
        return self._per_entry(self.wins)

    @property
    def mean_r(self) -> Floats:
        """The mean result of each trigger's in R after costs, `(n, 5)`; NaN without any."""
        return self._per_entry(self.total)

    def _per_entry(self, sums: "Floats | Counts") -> Floats:
        count = self.count[:, None]
        return np.where(count > 0, sums / np.maximum(count, 1), np.nan)

    def take(self, rows: "Rows | Bools") -> "Chance":
        """Those of some of the triggers."""
        return Chance(*(getattr(self, field.name)[rows] for field in fields(self)))


def chance(
    prices: Prices,
    column: ArrayLike,
    k: ArrayLike,
    side: ArrayLike,
    entry: ArrayLike,
    entry_k: ArrayLike,
    r: ArrayLike,
    *,
    symbols: Sequence[str],
    dates: Sequence[dt.date],
    seed: int = 0,
    draws: int = DRAWS,
    cost_bps: float = COST_BPS,
) -> Chance:
    """What random entries beside n triggers came to; `entry`, `entry_k` and `r` are those of their outcomes.

    `symbols` and `dates` name the trigger's column. `InvalidInput` as for `outcomes`.
    """
    check_costs(cost_bps)
    check_seed(seed)
    columns, minutes, (sides, entries, entered, risks) = triggers_of(prices, column, k, side, entry, entry_k, r)
    paths, end = prices.paths, session_ends(prices.day, minutes)
    first = next_bars(paths.start, paths.minute, columns, minutes)
    bars = bars_until(paths.start, paths.minute, columns, first, np.minimum(end, minutes + WITHIN + 1))
    some = np.flatnonzero((entered >= 0) & ~np.isnan(entries) & ~np.isnan(risks) & (bars > 0))
    date, symbol = [dates[i] for i in some.tolist()], [symbols[i] for i in some.tolist()]
    drawn = _drawn(seed, date, symbol, minutes[some], bars[some], draws)
    found = results_of_draws(
        *(*paths, columns[some], first[some], end[some], sides[some], risks[some] / entries[some]),
        *(drawn, int(bars.max(initial=0)), float(cost_bps)),
    )
    count = np.full(some.size, draws, dtype=np.int64)
    return Chance(*(_spread(values, some, len(entries)) for values in (count, *found)))


@lru_cache(maxsize=KEPT)
def _draws(seed: int, yyyymmdd: int, k: int, symbol: str, bars: int, draws: int) -> bytes:
    key = np.random.SeedSequence([seed, yyyymmdd, k, *symbol.encode()])
    return np.random.Generator(np.random.PCG64(key)).integers(0, bars, draws).astype(np.int16).tobytes()


def _drawn(seed: int, dates: Sequence[Any], symbols: Sequence[Any], k: Counts, bars: Counts, draws: int) -> Counts:
    """Which of its bars each trigger's random entries are made at, `(n, draws)`; what was drawn is remembered."""
    digits = {date: date.year * 10_000 + date.month * 100 + date.day for date in set(dates)}
    told = map(_draws, repeat(seed), map(digits.__getitem__, dates), k.tolist(), symbols, bars.tolist(), repeat(draws))
    return np.frombuffer(b"".join(told), dtype=np.int16).reshape(len(dates), draws).astype(np.int64)


def _spread(values: Any, rows: Rows, size: int) -> Any:
    whole = np.zeros((size, *values.shape[1:]), dtype=values.dtype)
    whole[rows] = values
    return whole

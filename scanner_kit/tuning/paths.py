"""Paths: what the price does after an entry, walked bar by bar; the one home of stop, target and horizon.

Prices are kept the other way round for it: the bars of each column one after the other, and only those that there are.
An entry is the number of its bar in `Paths`; it is made at that bar's open. Shorts are walked with all prices negated,
which changes no bit of what is compared. The kernels stand in one file, so that what is compiled is compiled together.
"""

from typing import Any, NamedTuple

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.errors import UnknownName
from scanner_kit.universe import Floats, Rows

Codes = np.ndarray[Any, np.dtype[np.int8]]
Counts = np.ndarray[Any, np.dtype[np.int64]]
Minutes = np.ndarray[Any, np.dtype[np.int16]]

HORIZONS = ("5m", "15m", "30m", "60m", "end")
"""How long is looked ahead: minutes from the start of the entry's bar, or to the end of its session."""
SPANS = (5, 15, 30, 60, 1 << 30)
NOT_TRADABLE, WIN, LOSS, OPEN, NO_R = range(5)
OPENS, HIGHS, LOWS, CLOSES = range(4)


def check_horizon(horizon: str) -> None:
    """`UnknownName` for a horizon that there is not."""
    if horizon not in HORIZONS:
        raise UnknownName.of("There is no horizon", horizon, HORIZONS)


class Paths(NamedTuple):
    """The bars of column c: rows `start[c]` to `start[c + 1]` of `minute` and of `bars`, `(rows, 4)` open to close."""

    start: Rows
    minute: Minutes
    bars: Floats

    @classmethod
    def of(cls, open_: Floats, high: Floats, low: Floats, close: Floats) -> "Paths":
        """The paths of prices `(minutes, columns)`, NaN without a bar."""
        start = np.zeros(close.shape[1] + 1, dtype=np.intp)
        np.cumsum(np.count_nonzero(~np.isnan(close), axis=0), out=start[1:])
        minute, bars = np.empty(start[-1], dtype=np.int16), np.empty((start[-1], 4))
        _fill(open_, high, low, close, start[:-1].copy(), minute, bars)
        return cls(start, minute, bars)


@compiled
def _fill(open_: Floats, high: Floats, low: Floats, close: Floats, at: Rows, minute: Minutes, bars: Floats) -> None:
    for k in range(close.shape[0]):
        for c in range(close.shape[1]):
            if not np.isnan(close[k, c]):
                i = at[c]
                minute[i] = k
                bars[i, OPENS], bars[i, HIGHS], bars[i, LOWS], bars[i, CLOSES] = (
                    open_[k, c],
                    high[k, c],
                    low[k, c],
                    close[k, c],
                )
                at[c] = i + 1


@compiled
def next_bars(start: Rows, minute: Minutes, column: Rows, k: Counts) -> Rows:
    """The first bar of each column after minute k; −1 where there is none."""
    at = np.empty(column.size, dtype=np.intp)
    for i in range(column.size):
        low, high = start[column[i]], start[column[i] + 1]
        until = high
        while low < high:
            middle = (low + high) // 2
            if minute[middle] > k[i]:
                high = middle
            else:
                low = middle + 1
        at[i] = low if low < until else -1
    return at


@compiled
def excursions(
    minute: Minutes, bars: Floats, at: int, until: int, end: int, side: float, best: Floats, worst: Floats
) -> None:
    """How far the price went for and against one entry by the end of each horizon, in dollars, into `(5,)`."""
    entry, j = bars[at, OPENS], at
    top, bottom = entry, entry
    for h in range(5):
        cut = min(minute[at] + SPANS[h], end)
        while j < until and minute[j] < cut:
            if bars[j, HIGHS] > top:
                top = bars[j, HIGHS]
            if bars[j, LOWS] < bottom:
                bottom = bars[j, LOWS]
            j += 1
        best[h], worst[h] = (top - entry, bottom - entry) if side > 0.0 else (entry - bottom, entry - top)


@compiled
def result(
    minute: Minutes,
    bars: Floats,
    at: int,
    until: int,
    end: int,
    side: float,
    stop: float,
    r: float,
    cost_bps: float,
    results: Floats,
    codes: Codes,
) -> bool:
    """What one entry with a stop and an R came to by the end of each horizon, into `results`, in R, and `codes`.

    Stop before target in one bar; a loss is taken at the stop, or at the bar's open where that lies beyond it. Returns
    whether the entry itself was at the stop or beyond.
    """
    sign, high, low = (1.0, HIGHS, LOWS) if side > 0.0 else (-1.0, LOWS, HIGHS)
    entry, floor = sign * bars[at, OPENS], sign * stop
    target, cost = entry + r, cost_bps / 10_000.0 * bars[at, OPENS] / r
    if entry <= floor:
        results[:], codes[:] = -1.0 - cost, LOSS
        return True
    j, close = at, entry
    for h in range(5):
        cut = min(minute[at] + SPANS[h], end)
        while j < until and minute[j] < cut:
            if sign * bars[j, low] <= floor:
                results[h:], codes[h:] = (min(floor, sign * bars[j, OPENS]) - entry) / r - cost, LOSS
                return False
            if sign * bars[j, high] >= target:
                results[h:], codes[h:] = 1.0 - cost, WIN
                return False
            close = sign * bars[j, CLOSES]
            j += 1
        results[h], codes[h] = (close - entry) / r - cost, OPEN
    return False


@compiled
def follow(
    start: Rows,
    minute: Minutes,
    bars: Floats,
    column: Rows,
    at: Rows,
    end: Counts,
    side: Floats,
    stop: Floats,
    r: Floats,
    cost_bps: float,
) -> tuple[Floats, Floats, Floats, Codes, Codes]:
    """What came of each entry by horizon, `(n, 5)`: excursions in dollars, result in R and its code.

    At last `(n,)`: 1 where the entry was at the stop or beyond it. An entry at −1 is none; one without R has no result.
    """
    best, worst, results = np.full((at.size, 5), np.nan), np.full((at.size, 5), np.nan), np.full((at.size, 5), np.nan)
    codes, beyond = np.full((at.size, 5), NOT_TRADABLE, dtype=np.int8), np.zeros(at.size, dtype=np.int8)
    for i in range(at.size):
        if at[i] < 0:
            continue
        until = start[column[i] + 1]
        excursions(minute, bars, at[i], until, end[i], side[i], best[i], worst[i])
        if np.isnan(r[i]):
            codes[i] = NO_R
        else:
            beyond[i] = result(
                minute, bars, at[i], until, end[i], side[i], stop[i], r[i], cost_bps, results[i], codes[i]
            )
    return best, worst, results, codes, beyond


@compiled
def bars_until(start: Rows, minute: Minutes, column: Rows, at: Rows, before: Counts) -> Counts:
    """How many bars each entry has to draw from: its own and those after it that start before a minute."""
    count = np.zeros(at.size, dtype=np.int64)
    for i in range(at.size):
        if at[i] >= 0:
            j = at[i]
            while j < start[column[i] + 1] and minute[j] < before[i]:
                j += 1
            count[i] = j - at[i]
    return count


@compiled
def results_of_draws(
    start: Rows,
    minute: Minutes,
    bars: Floats,
    column: Rows,
    first: Rows,
    end: Counts,
    side: Floats,
    share: Floats,
    drawn: Counts,
    most: int,
    cost_bps: float,
) -> tuple[Counts, Counts, Floats, Floats, Floats]:
    """For each trigger the results of its draws together, `(n, 5)`: wins, losses, Σ result, Σ positive, Σ negative.

    `drawn` `(n, draws)` counts bars from `first` on, below `most`; R is `share` of an entry's own open, and the stop is
    one R away. A bar that is drawn again is not walked again.
    """
    n, draws = drawn.shape
    wins, losses = np.zeros((n, 5), dtype=np.int64), np.zeros((n, 5), dtype=np.int64)
    total, gained, lost = np.zeros((n, 5)), np.zeros((n, 5)), np.zeros((n, 5))
    results, codes = np.empty((most, 5)), np.empty((most, 5), dtype=np.int8)
    walked = np.full(most, -1, dtype=np.int64)
    for i in range(n):
        for d in range(draws):
            b = drawn[i, d]
            if walked[b] != i:
                walked[b], at = i, first[i] + b
                r = bars[at, OPENS] * share[i]
                stop = bars[at, OPENS] - r if side[i] > 0.0 else bars[at, OPENS] + r
                until = start[column[i] + 1]
                result(minute, bars, at, until, end[i], side[i], stop, r, cost_bps, results[b], codes[b])
            for h in range(5):
                x = results[b, h]
                wins[i, h] += codes[b, h] == WIN
                losses[i, h] += codes[b, h] == LOSS
                total[i, h] += x
                gained[i, h] += x if x > 0.0 else 0.0
                lost[i, h] += x if x < 0.0 else 0.0
    return wins, losses, total, gained, lost

"""Activity: when a symbol last traded, and whether it is halted."""

from dataclasses import dataclass

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.day import Day
from scanner_kit.metrics.base import Metric, Moment, State
from scanner_kit.universe import Bools, Floats, Rows

TRADING, HALTED, RESUMED = 0.0, 1.0, 2.0


@dataclass(frozen=True, repr=False)
class MinutesSinceTrade(Metric):
    """k − the minute of the last bar. Unknown: no bar today."""

    unit = "min"

    def start(self, day: Day) -> State:
        return (np.full(len(day.universe), np.nan),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        minutes, latest = _since_trade(now.close, state[0], now.k)
        return minutes, (latest,)


@dataclass(frozen=True, repr=False)
class SpreadPct(Metric):
    """100·(ask − bid)/mid. Unknown where the source has no quotes, as every source of bars."""

    unit = "%"

    def measure(self, now: Moment) -> Floats:
        return now.unknown()


@dataclass(frozen=True, repr=False)
class Halt(Metric):
    """0 trading, 1 suspected halted, 2 resumed in this step. Unknown: outside REGULAR, before the first regular bar.

    Suspected: no bar in the last `silent` minutes, though the symbol traded in every regular minute before
    (from 09:30 or its last resumption, the last `span` at most, `least` at least; `traded` percent of them)
    and the market prints. A vendor's own word wins, in any session.
    """

    silent: int = 3
    traded: float = 100.0
    span: int = 30
    least: int = 3
    market = True

    def start(self, day: Day) -> State:
        symbols, open_k = len(day.universe), float(day.universe.day.open_k)
        return (
            np.full(symbols, np.nan),
            np.full(symbols, np.nan),
            np.full(symbols, open_k),
            np.zeros(symbols, dtype=np.bool_),
        )

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        before, latest, since, standing = state
        vendor = now.day.vendor_halted(now.k)
        was = (before == HALTED) if now.regular else standing
        values = np.where(now.bars, np.where(was, RESUMED, TRADING), np.where(was, HALTED, TRADING))
        values[~was & ~self._judged(now)] = np.nan
        if now.regular:
            values[self._suspects(values, latest, since, now)] = HALTED
        if vendor is not None:
            values[vendor] = HALTED
            standing = vendor | (standing & ~now.bars)
        latest = np.where(now.bars, float(now.k), latest)
        return values, (values, latest, np.where(values == RESUMED, float(now.k), since), standing)

    def _judged(self, now: Moment) -> Bools:
        """Who is within REGULAR and has had a regular bar."""
        if not now.regular:
            return np.zeros(len(now.universe), dtype=np.bool_)
        seen = now.day.bars_seen
        return np.asarray(seen[now.k] > seen[now.universe.day.open_k - 1])

    def _suspects(self, values: Floats, latest: Floats, since: Floats, now: Moment) -> Rows:
        """The rows of those that fell silent though they never were before.

        Conditions (a), (b) and (c) of the definition.
        """
        open_k, seen = now.universe.day.open_k, now.day.bars_seen
        start = np.maximum(since, open_k)
        quiet = (values == TRADING) & (latest <= now.k - self.silent) & (latest - start + 1 >= self.least) & ~now.bars
        rows: Rows = np.flatnonzero(quiet)
        if not rows.size or not self._market_prints(now):
            return rows[:0]
        first = np.maximum(start[rows], latest[rows] - self.span + 1).astype(np.intp)
        bars = seen[now.k, rows] - seen[first - 1, rows]
        steady = bars >= self.traded / 100.0 * (latest[rows] - first + 1)
        return np.asarray(rows[steady])

    def _market_prints(self, now: Moment) -> bool:
        seen, k, silent = now.day.bars_seen, now.k, self.silent
        printed = seen[k - silent] > seen[k - 2 * silent]
        still = printed & (seen[k] > seen[k - silent])
        return bool(printed.any() and 2 * np.count_nonzero(still) >= np.count_nonzero(printed))


@compiled
def _since_trade(close: Floats, latest: Floats, k: int) -> tuple[Floats, Floats]:
    minutes, at = np.empty(close.size), np.empty(close.size)
    for i in range(close.size):
        at[i] = latest[i] if np.isnan(close[i]) else float(k)
        minutes[i] = k - at[i]
    return minutes, at

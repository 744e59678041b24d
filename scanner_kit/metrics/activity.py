"""Activity: when a symbol last traded, and whether it is halted."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.day import Counts, Day
from scanner_kit.metrics.base import Metric, Moment, State
from scanner_kit.universe import Bools, Floats

TRADING, HALTED, RESUMED = 0.0, 1.0, 2.0
NEVER = -1


@dataclass(frozen=True, repr=False)
class MinutesSinceTrade(Metric):
    """k − the minute of the last bar. Unknown: no bar today."""

    unit = "min"

    def start(self, day: Day) -> State:
        return (np.full(len(day.universe), np.nan),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        minutes = _since_trade(now.close, state[0])
        return minutes, (minutes,)


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
        symbols, open_k = len(day.universe), day.universe.day.open_k
        latest, since = np.full(symbols, NEVER, dtype=np.int16), np.full(symbols, open_k, dtype=np.int16)
        fell_silent, standing = np.zeros((2, symbols), dtype=np.bool_)
        return np.full(symbols, np.nan), latest, since, fell_silent, standing

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        vendor = now.day.vendor_halted(now.k)
        if vendor is None and not now.regular:
            return now.unknown(), state
        before, latest, since, fell_silent, standing = state
        seen, open_k = now.day.bars_seen, now.universe.day.open_k
        if now.regular:
            asked = (self.silent, self.traded / 100.0, self.span, self.least)
            fell_silent = _fell_silent(now.k, asked, now.close, seen, latest, since, fell_silent)
        instant = (now.k, open_k, now.regular, self._market_prints(now))
        said = np.zeros_like(standing) if vendor is None else vendor
        values, latest, since, standing = _halt(
            instant, now.close, seen, fell_silent, said, before, latest, since, standing
        )
        return values, (values, latest, since, fell_silent, standing)

    def _market_prints(self, now: Moment) -> bool:
        """Whether at least half of those who had a bar in the `silent` minutes before have one in these: (c)."""
        seen, k, silent = now.day.bars_seen, now.k, self.silent
        if not now.regular or k < 2 * silent:
            return False
        printed, still = _printed(seen[k - 2 * silent], seen[k - silent], seen[k])
        return bool(0 < printed <= 2 * still)


@compiled
def _since_trade(close: Floats, before: Floats) -> Floats:
    minutes = np.empty(close.size)
    for i in range(close.size):
        minutes[i] = before[i] + 1.0 if np.isnan(close[i]) else 0.0
    return minutes


@compiled
def _fell_silent(
    k: int, asked: Any, close: Floats, seen: Counts, latest: Counts, since: Counts, before: Bools
) -> Bools:
    """Who has been silent for so many minutes though it never was before: (a) and (b) of the definition.

    What is found when those minutes are over stands until the next bar.
    """
    silent, traded, span, least = asked
    fell = np.empty_like(before)
    for i in range(close.size):
        fell[i] = before[i] and np.isnan(close[i])
        if latest[i] == k - silent and latest[i] - since[i] + 1 >= least and np.isnan(close[i]):
            first = max(since[i], latest[i] - span + 1)
            fell[i] = seen[k, i] - seen[first - 1, i] >= traded * (latest[i] - first + 1)
    return fell


@compiled
def _printed(early: Counts, late: Counts, now: Counts) -> tuple[int, int]:
    """How many had a bar between early and late, and how many of these since."""
    printed = still = 0
    for i in range(now.size):
        printed += late[i] > early[i]
        still += (late[i] > early[i]) & (now[i] > late[i])
    return printed, still


@compiled
def _halt(
    instant: Any,
    close: Floats,
    seen: Counts,
    fell_silent: Bools,
    vendor: Bools,
    before: Floats,
    latest: Counts,
    since: Counts,
    standing: Bools,
) -> tuple[Floats, Counts, Counts, Bools]:
    """The values, the minutes of the last bar and resumption, and whose halt, as a vendor said it, still stands."""
    k, open_k, regular, prints = instant
    values, last, resumed, stands = np.empty_like(before), latest.copy(), since.copy(), np.empty_like(standing)
    for i in range(close.size):
        bar = not np.isnan(close[i])
        halted = before[i] == HALTED if regular else standing[i]
        known = halted or (regular and seen[k, i] > seen[open_k - 1, i])
        silent = HALTED if halted or (prints and fell_silent[i]) else TRADING
        value = (RESUMED if halted else TRADING) if bar else silent
        values[i] = HALTED if vendor[i] else value if known else np.nan
        stands[i] = vendor[i] or (standing[i] and not bar)
        last[i] = k if bar else last[i]
        resumed[i] = max(k, open_k) if values[i] == RESUMED else resumed[i]
    return values, last, resumed, stands

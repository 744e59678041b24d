"""Momentum: Wilder's RSI and ATR over a symbol's own bars today, and how long a price has been beyond a level.

Source of both formulas: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.day import Day
from scanner_kit.metrics.base import Level, Metric, Moment, State
from scanner_kit.metrics.volume import VWAP
from scanner_kit.universe import Floats


@dataclass(frozen=True, repr=False)
class Rsi(Metric):
    """rsi_14: 100 − 100/(1 + gain ÷ loss), Wilder's means over the closes of own bars.

    No losses: 100; neither: 50. Unknown: fewer than 15 bars.
    """

    period: int = 14

    @property
    def name(self) -> str:
        return f"rsi_{self.period}"

    def start(self, day: Day) -> State:
        return tuple(np.zeros((4, len(day.universe))))

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        *following, values = _rsi(self.period, now.close, *state)
        return values, tuple(following)


@dataclass(frozen=True, repr=False)
class AtrMinute(Metric):
    """atr_1m_14: Wilder's mean true range over own one-minute bars today; the first bar's is H − L.

    Unknown: fewer than 14 bars.
    """

    period: int = 14
    unit = "$"

    @property
    def name(self) -> str:
        return f"atr_1m_{self.period}"

    def start(self, day: Day) -> State:
        return tuple(np.zeros((3, len(day.universe))))

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        *following, values = _atr(self.period, now.high, now.low, now.close, *state)
        return values, tuple(following)


@dataclass(frozen=True, repr=False)
class MinutesBeyond(Metric):
    """How many minutes the closes of own bars have been below (`side` −1) or above (+1) a level, this one included.

    0 if they are not.

    A close exactly at the level changes nothing, nor does a bar while the level is unknown.
    """

    level: Level = VWAP
    side: int = -1
    unit = "min"

    @property
    def name(self) -> str:
        return f"minutes_{'below' if self.side < 0 else 'above'}_{self.level.name}"

    def needs(self) -> tuple[Metric, ...]:
        return (self.level,)

    def start(self, day: Day) -> State:
        return (np.full(len(day.universe), np.nan),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        minutes, since = _beyond(now.close, now[self.level], state[0], float(now.k), float(self.side))
        return minutes, (since,)


@compiled
def _beyond(close: Any, level: Any, since: Any, k: float, side: float) -> Any:
    """Minutes beyond the level, and the minute since when; `side` −1 is below."""
    minutes, following = np.empty(close.size), np.empty(close.size)
    for i in range(close.size):
        ahead, mark, at = side * close[i], side * level[i], since[i]
        if ahead > mark and np.isnan(at):
            at = k
        elif ahead < mark:
            at = np.nan
        following[i] = at
        minutes[i] = 0.0 if np.isnan(at) else k - at + 1.0
    return minutes, following


@compiled
def _rsi(period: int, close: Any, count: Any, last: Any, gain: Any, loss: Any) -> Any:
    """One step of the RSI. `gain` and `loss` are sums until `period` changes are in, Wilder's means after."""
    count, last, gain, loss = count.copy(), last.copy(), gain.copy(), loss.copy()
    values = np.empty(close.size)
    for i in range(close.size):
        if not np.isnan(close[i]):
            if count[i] > 0:
                change = close[i] - last[i]
                up, down = max(change, 0.0), max(-change, 0.0)
                if count[i] > period:
                    gain[i] = (gain[i] * (period - 1) + up) / period
                    loss[i] = (loss[i] * (period - 1) + down) / period
                else:
                    gain[i] += up
                    loss[i] += down
                    if count[i] == period:
                        gain[i] /= period
                        loss[i] /= period
            count[i] += 1
            last[i] = close[i]
        values[i] = _rsi_of(gain[i], loss[i]) if count[i] > period else np.nan
    return count, last, gain, loss, values


@compiled
def _rsi_of(gain: float, loss: float) -> float:
    if loss == 0.0:
        return 50.0 if gain == 0.0 else 100.0
    return 100.0 - 100.0 / (1.0 + gain / loss)


@compiled
def _atr(period: int, high: Any, low: Any, close: Any, count: Any, last: Any, mean: Any) -> Any:
    """One step of the ATR. `mean` is a sum until `period` bars are in, Wilder's mean after."""
    count, last, mean = count.copy(), last.copy(), mean.copy()
    values = np.empty(close.size)
    for i in range(close.size):
        if not np.isnan(close[i]):
            spread = high[i] - low[i]
            if count[i] > 0:
                spread = max(spread, abs(high[i] - last[i]), abs(low[i] - last[i]))
            if count[i] >= period:
                mean[i] = (mean[i] * (period - 1) + spread) / period
            else:
                mean[i] += spread
                if count[i] == period - 1:
                    mean[i] /= period
            count[i] += 1
            last[i] = close[i]
        values[i] = mean[i] if count[i] >= period else np.nan
    return count, last, mean, values

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
        return tuple(np.zeros((2, len(day.universe))))

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        values, *following = _rsi(float(self.period), now.close, now.last_before, now.day.bars_seen[now.k], *state)
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
        return (np.zeros(len(day.universe)),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        seen = now.day.bars_seen[now.k]
        values, mean = _atr(float(self.period), now.high, now.low, now.close, now.last_before, seen, *state)
        return values, (mean,)


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
        return (np.zeros(len(day.universe)),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        minutes = _beyond(now.close, now[self.level], state[0], float(self.side))
        return minutes, (minutes,)


@compiled
def _beyond(close: Any, level: Any, before: Any, side: float) -> Any:
    """Minutes beyond the level, from what they were a minute before; `side` −1 is below."""
    minutes = np.empty(close.size)
    for i in range(close.size):
        ahead, mark = side * close[i], side * level[i]
        running = before[i] + 1.0 if before[i] > 0.0 or ahead > mark else 0.0
        minutes[i] = 0.0 if ahead < mark else running
    return minutes


@compiled
def _rsi(period: float, close: Any, last: Any, seen: Any, gain: Any, loss: Any) -> Any:
    """One step of the RSI: values, and gain and loss: sums until `period` changes are in, Wilder's means after.

    `last` is the close before this bar; `seen` counts the bars, this one included.
    """
    values, gains, losses = np.empty(close.size), np.empty(close.size), np.empty(close.size)
    for i in range(close.size):
        change, changes = close[i] - last[i], seen[i] - 1.0
        up, down = 0.0 if change <= 0.0 else change, 0.0 if change >= 0.0 else -change
        kept, share = period - 1.0 if changes > period else 1.0, period if changes >= period else 1.0
        still = np.isnan(close[i]) | (changes < 1.0)
        mean_gain, mean_loss = (gain[i] * kept + up) / share, (loss[i] * kept + down) / share
        gains[i], losses[i] = gain[i] if still else mean_gain, loss[i] if still else mean_loss
        strength = 100.0 - 100.0 / (1.0 + gains[i] / losses[i])
        without_losses = 50.0 if gains[i] == 0.0 else 100.0
        known = without_losses if losses[i] == 0.0 else strength
        values[i] = known if changes >= period else np.nan
    return values, gains, losses


@compiled
def _atr(period: float, high: Any, low: Any, close: Any, last: Any, seen: Any, mean: Any) -> Any:
    """One step of the ATR: values, and the mean: a sum until `period` bars are in, Wilder's mean after.

    `last` is the close before this bar; `seen` counts the bars, this one included.
    """
    values, means = np.empty(close.size), np.empty(close.size)
    for i in range(close.size):
        spread = high[i] - low[i]
        if seen[i] > 1:
            spread = max(spread, abs(high[i] - last[i]), abs(low[i] - last[i]))
        kept, share = period - 1.0 if seen[i] > period else 1.0, period if seen[i] >= period else 1.0
        means[i] = mean[i] if np.isnan(close[i]) else (mean[i] * kept + spread) / share
        values[i] = means[i] if seen[i] >= period else np.nan
    return values, means

"""The minute so far of a market whose minutes are drawn whole: a path within each bar, which ends as the bar.

A bar becomes a few trades at random instants of its minute. After each the price has gone one step further from the
open by way of one extreme and the other to the close, and the volume has grown by its part. So what is so far is always
a part of what will be: high and low within the bar's, the volume no more than its volume, and none of them going back.

>>> from scanner_kit.bars import Bars
>>> bars = Bars(330, *np.array([[10.0], [11.0], [9.0], [10.5], [800.0], [10.2]]))
>>> minute = Minute(bars, (7, 20250618))
>>> half, whole = minute.at(0.5), minute.at(1.0)
>>> half.forming, bool(half.volume[0] <= 800.0), whole.close[0], whole.high[0], whole.volume[0]
(True, True, np.float64(10.5), np.float64(11.0), np.float64(800.0))
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from scanner_kit.bars import FIELDS, Bars
from scanner_kit.sources._minutes import tick
from scanner_kit.universe import Floats

_TRADES = 8
_SHARES_A_TRADE = 300.0
_WITHIN = 9
"""The stream of random numbers that is this one's."""


class Minute:
    """A minute of a drawn market as it forms: `at(share)` of it, from 0 to 1.

    `key` are whole numbers of the market and the day; the same ones give the same path.
    """

    def __init__(self, bars: Bars, key: Sequence[int]) -> None:
        self.bars = bars
        n = len(bars.close)
        rng = Generator(PCG64(SeedSequence([*key, _WITHIN, bars.k])))
        self._instants = np.sort(rng.random((_TRADES, n)), axis=0)
        self._high_first = rng.random(n) < 0.5
        self._turns = np.array([[0.15], [0.55]]) + np.array([[0.3], [0.3]]) * rng.random((2, n))
        there = ~np.isnan(bars.close)
        self._trades = np.where(there, np.clip(np.floor(bars.volume / _SHARES_A_TRADE) + 1, 1, _TRADES), 0).astype(int)
        # with fewer trades than instants, the last ones count: the first comes when it comes
        late = np.arange(_TRADES)[:, None] >= _TRADES - self._trades
        self._instants = np.where(late, self._instants, np.inf)

    def at(self, share: float, instant: dt.datetime | None = None) -> Bars:
        """What has been traded when that share of the minute has passed, as a forming entry; vwap is not known."""
        done = (self._instants <= share).sum(axis=0)
        if share >= 1.0:
            done = self._trades
        part = np.where(self._trades > 0, done / np.maximum(self._trades, 1), 0.0)
        bars, nothing = self.bars, done == 0
        now, high, low = self._walk(part)
        volume = np.floor(bars.volume * part)
        volume = np.where(part >= 1.0, bars.volume, np.maximum(volume, np.minimum(bars.volume, 1.0)))
        unknown = np.full(len(done), np.nan)
        columns: dict[str, Any] = {"open": bars.open, "high": high, "low": low, "close": now, "vwap": unknown}
        columns = {name: np.where(nothing, np.nan, column) for name, column in columns.items()}
        columns["volume"] = np.where(nothing, 0.0, volume)
        return Bars(bars.k, **columns, forming=True, instant=instant)

    def _walk(self, part: Floats) -> tuple[Floats, Floats, Floats]:
        """Price, high and low when that part of the trades is done."""
        bars = self.bars
        first = np.where(self._high_first, bars.high, bars.low)
        second = np.where(self._high_first, bars.low, bars.high)
        stops = np.stack([np.zeros_like(part), *self._turns, np.ones_like(part)])
        prices = np.stack([bars.open, first, second, bars.close])
        leg = np.minimum((part >= stops[1]).astype(int) + (part >= stops[2]), 2)
        columns = np.arange(len(part))
        begun, ended = stops[leg, columns], stops[leg + 1, columns]
        way = np.clip((part - begun) / (ended - begun), 0.0, 1.0)
        now = prices[leg, columns] + way * (prices[leg + 1, columns] - prices[leg, columns])
        now = np.where(part >= 1.0, bars.close, np.clip(tick(now), bars.low, bars.high))
        passed = np.where(np.arange(4)[:, None] <= leg, prices, bars.open)
        return now, np.maximum(passed.max(axis=0), now), np.minimum(passed.min(axis=0), now)


def changed(now: Bars, before: Bars | None) -> Bars:
    """The entry with only those symbols in it that are not as they were."""
    if before is None:
        return now
    same = np.ones(len(now.close), dtype=np.bool_)
    for name in FIELDS:
        left, right = getattr(now, name), getattr(before, name)
        same &= (left == right) | (np.isnan(left) & np.isnan(right))
    columns: dict[str, Any] = {name: np.where(same, np.nan, getattr(now, name)) for name in FIELDS}
    columns["volume"] = np.where(same, 0.0, now.volume)
    return Bars(now.k, **columns, forming=True, instant=now.instant)

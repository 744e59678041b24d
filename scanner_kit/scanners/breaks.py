"""Breaks of the day's high, the premarket's, yesterday's, the opening range's and the 20-day high, and mirrored."""

from typing import Any

import param

from scanner_kit import metrics as m
from scanner_kit.conditions import Condition
from scanner_kit.scanner import Scanner
from scanner_kit.snapshot import CLOSE, WICK, Snapshot


class Break(Scanner):
    """Speaks when a bar goes through its level, upwards or, with `direction` −1, downwards."""

    breakout: Any = param.Selector(
        default=WICK, objects=[WICK, CLOSE], doc="Whether the bar's wick or its close must be beyond the level."
    )
    level: Any = m.HighOfDay()

    def trigger(self, now: Snapshot) -> Condition:
        breaks = now.breaks_above if self.direction > 0 else now.breaks_below
        return breaks(self.level, by=self.breakout)


class HodBreak(Break):
    """A new high of the day on heavy volume."""

    min_rvol = 3.0
    level = m.HighOfDay()


class LodBreak(Break):
    """A new low of the day on heavy volume."""

    min_rvol = 3.0
    level, direction = m.LowOfDay(), -1


class PmhBreak(Break):
    """Through the premarket high on heavy volume."""

    min_rvol = 3.0
    level = m.PremarketHigh()


class PmlBreak(Break):
    """Through the premarket low on heavy volume."""

    min_rvol = 3.0
    level, direction = m.PremarketLow(), -1


class PdhBreak(Break):
    """Through the previous day's high on heavy volume, having opened at or below it."""

    min_rvol = 3.0
    level, opened = m.Fact("pdh"), m.RthOpen()

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.opened] <= now[self.level]]


class PdlBreak(Break):
    """Through the previous day's low on heavy volume, having opened at or above it."""

    min_rvol = 3.0
    level, opened, direction = m.Fact("pdl"), m.RthOpen(), -1

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.opened] >= now[self.level]]


class OrbBreakUp(Break):
    """Closes above the opening range on heavy volume."""

    min_rvol = 3.0
    breakout = CLOSE
    minutes = param.Integer(15, bounds=(1, 120), doc="Length of the opening range.", metadata={"unit": "min"})

    @property
    def level(self) -> m.Level:
        """The high of the opening range that `minutes` chooses."""
        return m.OpeningRangeHigh(minutes=self.minutes)


class OrbBreakDown(Break):
    """Closes below the opening range on heavy volume."""

    min_rvol = 3.0
    breakout, direction = CLOSE, -1
    minutes = param.Integer(15, bounds=(1, 120), doc="Length of the opening range.", metadata={"unit": "min"})

    @property
    def level(self) -> m.Level:
        """The low of the opening range that `minutes` chooses."""
        return m.OpeningRangeLow(minutes=self.minutes)


class GapAndGo(Break):
    """Gapped up, trading heavy, and through the premarket high."""

    min_rvol = 3.0
    min_gap = param.Number(4.0, bounds=(0, 100), doc="Percent of the gap at least.", metadata={"unit": "%"})
    gap, level = m.GapPct(), m.PremarketHigh()

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.gap] >= self.min_gap]


class Breakout20d(Break):
    """Through the highest high of 20 days with a bullish bar, having opened at or below it."""

    min_rvol = 2.0
    level, opened = m.Fact("high_20d"), m.RthOpen()

    def select(self, now: Snapshot) -> list[Condition]:
        low, high, close = now.bar_low, now.bar_high, now.bar_close
        upper_third = low + (high - low) * (2 / 3)
        return [now[self.opened] <= now[self.level], close > now.bar_open, close >= upper_third]

"""Moves: momentum, unusual volume, VWAP taken back or lost, and halts."""

import param

from scanner_kit import metrics as m
from scanner_kit.columns import Column
from scanner_kit.conditions import Condition
from scanner_kit.metrics.activity import HALTED, RESUMED
from scanner_kit.scanner import Scanner
from scanner_kit.scanners.categories import FIVE_MINUTES_IN
from scanner_kit.snapshot import Snapshot


class VwapReclaim(Scanner):
    """Closes back above VWAP after minutes below it, on heavy volume."""

    min_rvol = 3.0
    minutes = param.Integer(
        5, bounds=(1, 960), doc="How long ago the run beyond VWAP began at least.", metadata={"unit": "min"}
    )
    vwap, beyond = m.Vwap(), m.MinutesBeyond(side=-1)

    def trigger(self, now: Snapshot) -> Condition:
        return now.reclaims(self.beyond, self.minutes)


class VwapLoss(VwapReclaim):
    """Closes back below VWAP after minutes above it, on heavy volume."""

    beyond, direction = m.MinutesBeyond(side=1), -1


class Momentum(Scanner):
    """Rising fast, strong for a while, and above its 20-day mean, from 09:35 on."""

    min_rvol = 3.0
    min_rsi = param.Number(70.0, bounds=(0, 100), doc="rsi_14 at least.")
    min_change_5m = param.Number(1.0, bounds=(0, 100), doc="Percent in five minutes at least.", metadata={"unit": "%"})
    rsi, last, change = m.Rsi(), m.Last(), m.ChangeOverPct(minutes=5)
    low, sma = m.RecentLow(minutes=5), m.Fact("sma_20d")

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.rsi] >= self.min_rsi, now[self.last] > now[self.sma], now.regular_from(FIVE_MINUTES_IN)]

    def trigger(self, now: Snapshot) -> Condition:
        return (now[self.change] >= self.min_change_5m).at(now.before(self.low))


class UnusualVolume(Scanner):
    """Far more volume in five minutes than is usual at this time of day, with a price that moves."""

    min_rvol = 3.0
    cooldown = 60
    min_change = param.Number(
        1.0, bounds=(0, 100), doc="Percent since the previous close, either way, at least.", metadata={"unit": "%"}
    )
    min_rvol_5m = param.Number(
        3.0, bounds=(0, 1000), doc="Relative volume of the last five minutes at least.", metadata={"unit": "×"}
    )
    change, rvol_5m = m.ChangePct(), m.RelativeVolume(minutes=5)
    low, high = m.RecentLow(minutes=5), m.RecentHigh(minutes=5)

    def select(self, now: Snapshot) -> list[Condition]:
        return [abs(now[self.change]) >= self.min_change]

    def side(self, now: Snapshot) -> Column:
        return now.choose(now[self.change] < 0, -1, 1)

    def trigger(self, now: Snapshot) -> Condition:
        level = now.choose(now[self.change] < 0, now.before(self.high), now.before(self.low))
        return (now[self.rvol_5m] >= self.min_rvol_5m).at(level)


class HaltResume(Scanner):
    """Fell silent as in a halt, or trades again."""

    cooldown = 0
    needs_bar = False
    halt, dollars = m.Halt(), m.DayDollarVolume()

    def rank(self, now: Snapshot) -> Column:
        return now[self.dollars]

    def trigger(self, now: Snapshot) -> dict[str, Condition]:
        return {"halted": now.enters(self.halt, HALTED), "resumed": now.enters(self.halt, RESUMED)}

"""The eleven categories: scanners that rank and never trigger."""

import param

from scanner_kit import metrics as m
from scanner_kit.calendar import Session
from scanner_kit.columns import Column
from scanner_kit.conditions import AllOf, AnyOf, Condition
from scanner_kit.scanner import EVERY_SESSION, Keys, Scanner
from scanner_kit.snapshot import Snapshot

FIVE_MINUTES_IN = 335
REGULAR_ONLY = [Session.REGULAR]


class Category(Scanner):
    """A list over the whole day."""

    sessions = EVERY_SESSION


class GappersUp(Category):
    """Opened, or stands before the open, well above the previous close."""

    min_gap = param.Number(2.0, bounds=(0, 100), doc="Percent of the gap at least.", metadata={"unit": "%"})
    gap = m.GapPct()

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.gap] >= self.min_gap]

    def rank(self, now: Snapshot) -> Column:
        return now[self.gap]


class GappersDown(Category):
    """Opened, or stands before the open, well below the previous close."""

    min_gap = param.Number(2.0, bounds=(0, 100), doc="Percent of the gap downwards at least.", metadata={"unit": "%"})
    gap = m.GapPct()

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.gap] <= -self.min_gap]

    def rank(self, now: Snapshot) -> Keys:
        return ((now[self.gap], False),)


class MomentumUp(Category):
    """Rising fast in the last five minutes, from 09:35 on."""

    sessions = REGULAR_ONLY
    min_change_5m = param.Number(1.0, bounds=(0, 100), doc="Percent in five minutes at least.", metadata={"unit": "%"})
    change = m.ChangeOverPct(minutes=5)

    def select(self, now: Snapshot) -> list[Condition]:
        return [now.regular_from(FIVE_MINUTES_IN), now[self.change] >= self.min_change_5m]

    def rank(self, now: Snapshot) -> Column:
        return now[self.change]


class MomentumDown(Category):
    """Falling fast in the last five minutes, from 09:35 on."""

    sessions = REGULAR_ONLY
    min_change_5m = param.Number(
        1.0, bounds=(0, 100), doc="Percent downwards in five minutes at least.", metadata={"unit": "%"}
    )
    change = m.ChangeOverPct(minutes=5)

    def select(self, now: Snapshot) -> list[Condition]:
        return [now.regular_from(FIVE_MINUTES_IN), now[self.change] <= -self.min_change_5m]

    def rank(self, now: Snapshot) -> Keys:
        return ((now[self.change], False),)


class Winners(Category):
    """Up the most since the previous close."""

    min_change_pct = 5.0
    change = m.ChangePct()

    def rank(self, now: Snapshot) -> Column:
        return now[self.change]


class Losers(Category):
    """Down the most since the previous close."""

    max_change_pct = -5.0
    change = m.ChangePct()

    def rank(self, now: Snapshot) -> Keys:
        return ((now[self.change], False),)


class Anomalies(Category):
    """Far more volume in the last five minutes than is usual at this time of day."""

    min_rvol_5m = param.Number(
        3.0, bounds=(0, 1000), doc="Relative volume of the last five minutes at least.", metadata={"unit": "×"}
    )
    rvol_5m = m.RelativeVolume(minutes=5)

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.rvol_5m] >= self.min_rvol_5m]

    def rank(self, now: Snapshot) -> Column:
        return now[self.rvol_5m]


class HighVolume(Category):
    """The most dollars traded, among those that trade more than usual."""

    min_rvol = 2.0
    dollars = m.DayDollarVolume()

    def rank(self, now: Snapshot) -> Column:
        return now[self.dollars]


class NewHighs(Category):
    """At or near a fresh high of the day."""

    max_distance = param.Number(
        0.5, bounds=(0, 100), doc="Percent below the day's high at most.", metadata={"unit": "%"}
    )
    max_minutes = param.Number(5, bounds=(0, 960), doc="Minutes since that high at most.", metadata={"unit": "min"})
    near: m.Metric = m.HodDistancePct()
    far: m.Metric = m.LodDistancePct()
    minutes: m.Metric = m.MinutesSinceHod()
    dollars = m.DayDollarVolume()

    def select(self, now: Snapshot) -> list[Condition]:
        near = now[self.near]
        return [near <= self.max_distance, now[self.minutes] <= self.max_minutes, near < now[self.far]]

    def rank(self, now: Snapshot) -> Keys:
        return (now[self.near], False), (now[self.dollars], True)


class NewLows(NewHighs):
    """At or near a fresh low of the day."""

    max_distance = param.Number(
        0.5, bounds=(0, 100), doc="Percent above the day's low at most.", metadata={"unit": "%"}
    )
    max_minutes = param.Number(5, bounds=(0, 960), doc="Minutes since that low at most.", metadata={"unit": "min"})
    near, far = m.LodDistancePct(), m.HodDistancePct()
    minutes = m.MinutesSinceLod()


class Reversals(Category):
    """Gapped one way, and has gone the other since the open."""

    min_gap = param.Number(2.0, bounds=(0, 100), doc="Percent of the gap at least.", metadata={"unit": "%"})
    min_reversal = param.Number(
        1.0, bounds=(0, 100), doc="Percent against the gap since the open at least.", metadata={"unit": "%"}
    )
    gap, from_open = m.GapPct(), m.FromOpenPct()

    def select(self, now: Snapshot) -> list[Condition]:
        gap, since = now[self.gap], now[self.from_open]
        down = AllOf((gap >= self.min_gap, since <= -self.min_reversal))
        up = AllOf((gap <= -self.min_gap, since >= self.min_reversal))
        return [AnyOf((down, up))]

    def rank(self, now: Snapshot) -> Column:
        return abs(now[self.from_open])

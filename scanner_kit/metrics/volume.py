"""Volume: shares and dollars, VWAP, and what is usual for the time of day."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scanner_kit.arithmetic import compiled, finite, percent_change, quotient, window_sum
from scanner_kit.calendar import Session
from scanner_kit.day import Day
from scanner_kit.metrics.base import Level, Metric, Moment, State
from scanner_kit.metrics.price import LAST
from scanner_kit.universe import Floats


@dataclass(frozen=True, repr=False)
class DayVolume(Metric):
    """Shares since 04:00. Always known."""

    unit = "shares"

    def measure(self, now: Moment) -> Floats:
        return finite(now.day.total_volume[now.k])


DAY_VOLUME = DayVolume()


@dataclass(frozen=True, repr=False)
class Volume(Metric):
    """volume_Nm: shares in the last `minutes`, this one included, not before 04:00. Always known."""

    minutes: int = 5
    unit = "shares"

    @property
    def name(self) -> str:
        return f"volume_{self.minutes}m"

    def measure(self, now: Moment) -> Floats:
        return _shares(now, self.minutes)


@dataclass(frozen=True, repr=False)
class DayDollarVolume(Metric):
    """Dollars (Σ p·v) since 04:00. Always known."""

    unit = "$"

    def start(self, day: Day) -> State:
        return (np.zeros(len(day.universe)),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        dollars = state[0] + now.day.dollars[now.k]
        return finite(dollars), (dollars,)


DAY_DOLLARS = DayDollarVolume()


@dataclass(frozen=True, repr=False)
class DollarVolume(Metric):
    """dollar_volume_Nm: dollars (Σ p·v) in the last `minutes`, this one included, summed afresh. Always known."""

    minutes: int = 5
    unit = "$"

    @property
    def name(self) -> str:
        return f"dollar_volume_{self.minutes}m"

    def measure(self, now: Moment) -> Floats:
        return window_sum(now.window("dollars", self.minutes))


@dataclass(frozen=True, repr=False)
class Vwap(Level):
    """Σ p·v ÷ Σ v since 04:00. Unknown: no volume yet."""

    def needs(self) -> tuple[Metric, ...]:
        return (DAY_DOLLARS, DAY_VOLUME)

    def measure(self, now: Moment) -> Floats:
        return quotient(now[DAY_DOLLARS], now[DAY_VOLUME])


VWAP = Vwap()


@dataclass(frozen=True, repr=False)
class VwapRth(Level):
    """Σ p·v ÷ Σ v since 09:30, frozen at the close. Unknown: no regular volume yet."""

    def start(self, day: Day) -> State:
        return (*np.zeros((2, len(day.universe))), np.full(len(day.universe), np.nan))

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        if now.regular:
            dollars, shares = state[0] + now.day.dollars[now.k], state[1] + now.volume
            state = dollars, shares, quotient(dollars, shares)
        return state[2], state


@dataclass(frozen=True, repr=False)
class VwapDistancePct(Metric):
    """100·(last/vwap − 1). Unknown: no volume yet."""

    unit = "%"

    def needs(self) -> tuple[Metric, ...]:
        return (LAST, VWAP)

    def measure(self, now: Moment) -> Floats:
        return percent_change(now[LAST], now[VWAP])


@dataclass(frozen=True, repr=False)
class RelativeVolume(Metric):
    """rvol_tod, or rvol_Nm_tod: the volume of the day so far, or of the last `minutes`, ÷ what is usual then.

    `minutes` 0 is the day so far. Unknown: usual volume unknown, or below 1,000 shares so far or 100 a minute,
    or in POST of an early close. Platforms that divide by an average day's volume call that relative volume
    too; here it is `rvol_day`.
    """

    minutes: int = 0
    least_usual: float = 1000.0
    least_usual_a_minute: float = 100.0
    unit = "×"

    @property
    def name(self) -> str:
        return f"rvol_{self.minutes}m_tod" if self.minutes else "rvol_tod"

    @cached_property
    def _volume(self) -> Volume:
        return Volume(minutes=self.minutes)

    def facts(self) -> tuple[str, ...]:
        return ("usual_volume",)

    def needs(self) -> tuple[Metric, ...]:
        return (self._volume,) if self.minutes else ()

    def measure(self, now: Moment) -> Floats:
        universe, k = now.universe, now.k
        if now.session is Session.POST and universe.day.early_close:
            return now.unknown()
        usual, share = now.facts.usual_volume, universe.share_of_market
        if not self.minutes:
            return _relative(now.day.total_volume[k], usual[k], self.least_usual * share)
        after = k - self.minutes
        least = self.least_usual_a_minute * self.minutes * share
        before = usual[after] if after >= 0 else np.zeros(len(universe))
        return _relative_since(now[self._volume], usual[k], before, self.least_usual * share, least)


@dataclass(frozen=True, repr=False)
class Surge(Metric):
    """rvol_1m, rvol_5m.

    Volume of the last `minutes` ÷ (minutes × the mean volume a minute over the `over` minutes before them).

    Unknown: fewer than half of those minutes since 04:00, or mean 0. It finds the open and the close rather
    than anomalies.
    """

    minutes: int = 1
    unit = "×"

    @property
    def name(self) -> str:
        return f"rvol_{self.minutes}m"

    @property
    def over(self) -> int:
        """Minutes of the mean: 60 for one minute, 120 for five."""
        return 60 if self.minutes == 1 else 24 * self.minutes

    @cached_property
    def _volume(self) -> Volume:
        return Volume(minutes=self.minutes)

    def needs(self) -> tuple[Metric, ...]:
        return (self._volume,)

    def measure(self, now: Moment) -> Floats:
        end = now.k - self.minutes
        count = min(self.over, end + 1)
        if count < self.over // 2:
            return now.unknown()
        total, start = now.day.total_volume, end - count
        before = total[start] if start >= 0 else np.zeros(len(now.universe))
        return _surge(before, total[end], now[self._volume], float(count), float(self.minutes))


@dataclass(frozen=True, repr=False)
class RvolDay(Metric):
    """day_volume ÷ avg_volume_30d.

    Unknown: avg_volume_30d unknown; from part of the market, unless the daily rows are the source's own.
    """

    unit = "×"

    def facts(self) -> tuple[str, ...]:
        return ("avg_volume_30d",)

    def measure(self, now: Moment) -> Floats:
        if now.universe.share_of_market < 1 and not now.universe.daily_same_source:
            return now.unknown()
        return quotient(now.day.total_volume[now.k], now.facts.avg_volume_30d)


@dataclass(frozen=True, repr=False)
class FloatRotation(Metric):
    """day_volume ÷ float_shares. Unknown: float_shares unknown; from part of the market."""

    unit = "×"

    def facts(self) -> tuple[str, ...]:
        return ("float_shares",)

    def measure(self, now: Moment) -> Floats:
        if now.universe.share_of_market < 1:
            return now.unknown()
        return quotient(now.day.total_volume[now.k], now.facts.float_shares)


def _shares(now: Moment, minutes: int) -> Floats:
    """A difference of totals where it is exact; else summed afresh.

    Of fractions, what a difference of two long sums loses is not small beside a quiet minute.
    """
    day, k, window = now.day, now.k, now.window("volume", minutes)
    if 4 * day.fractional.size > len(now.universe):
        return window_sum(window)
    shares: Floats = day.total_volume[k] - (day.total_volume[k - minutes] if k >= minutes else 0.0)
    if day.fractional.size:
        shares[day.fractional] = window_sum(window.take(day.fractional, axis=1))
    return shares


@compiled
def _relative(volume: Floats, usual: Floats, least: float) -> Floats:
    ratio = np.empty(volume.size)
    for i in range(volume.size):
        q = volume[i] / usual[i]
        ratio[i] = q if usual[i] >= least and usual[i] > 0.0 and abs(q) < np.inf else np.nan
    return ratio


@compiled
def _relative_since(volume: Floats, usual: Floats, before: Floats, least: float, least_since: float) -> Floats:
    ratio = np.empty(volume.size)
    for i in range(volume.size):
        since = usual[i] - before[i]
        q = volume[i] / since
        ratio[i] = q if usual[i] >= least and since >= least_since and since > 0.0 and abs(q) < np.inf else np.nan
    return ratio


@compiled
def _surge(before: Floats, until: Floats, volume: Floats, count: float, minutes: float) -> Floats:
    ratio = np.empty(volume.size)
    for i in range(volume.size):
        usual = minutes * ((until[i] - before[i]) / count)
        q = volume[i] / usual
        ratio[i] = q if usual > 0.0 and abs(q) < np.inf else np.nan
    return ratio

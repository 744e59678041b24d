"""Price: the last one, and its change against yesterday, the open, the close, and some minutes ago."""

from dataclasses import dataclass

import numpy as np

from scanner_kit.arithmetic import first_known, percent_change
from scanner_kit.calendar import Session
from scanner_kit.day import Day
from scanner_kit.metrics.base import Level, Metric, Moment, State
from scanner_kit.universe import Floats


@dataclass(frozen=True, repr=False)
class Last(Level):
    """The close of the symbol's latest bar today. Unknown: no bar today."""

    def measure(self, now: Moment) -> Floats:
        return np.array(now.day.last[now.k])


LAST = Last()


@dataclass(frozen=True, repr=False)
class ChangePct(Metric):
    """100·(last/prev_close − 1). Unknown: no bar today, no prev_close."""

    unit = "%"

    def facts(self) -> tuple[str, ...]:
        return ("prev_close",)

    def needs(self) -> tuple[Metric, ...]:
        return (LAST,)

    def measure(self, now: Moment) -> Floats:
        return percent_change(now[LAST], now.facts.prev_close)


CHANGE_PCT = ChangePct()


@dataclass(frozen=True, repr=False)
class ChangeDollars(Metric):
    """last − prev_close, in dollars. Unknown: no bar today, no prev_close."""

    unit = "$"

    def facts(self) -> tuple[str, ...]:
        return ("prev_close",)

    def needs(self) -> tuple[Metric, ...]:
        return (LAST,)

    def measure(self, now: Moment) -> Floats:
        return now[LAST] - now.facts.usable_close


@dataclass(frozen=True, repr=False)
class RthOpen(Level):
    """The open of the symbol's first regular bar. Unknown: no regular bar yet."""

    def start(self, day: Day) -> State:
        return (np.full(len(day.universe), np.nan),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        opened = first_known(state[0], now.open) if now.regular else state[0]
        return opened, (opened,)


RTH_OPEN = RthOpen()


@dataclass(frozen=True, repr=False)
class GapPct(Metric):
    """change_pct before the symbol's first regular bar; from then on 100·(open of that bar/prev_close − 1).

    Unknown: no bar today, no prev_close.
    """

    unit = "%"

    def facts(self) -> tuple[str, ...]:
        return ("prev_close",)

    def needs(self) -> tuple[Metric, ...]:
        return (RTH_OPEN, LAST)

    def measure(self, now: Moment) -> Floats:
        return percent_change(first_known(now[RTH_OPEN], now[LAST]), now.facts.prev_close)


@dataclass(frozen=True, repr=False)
class GapDollars(Metric):
    """The gap of gap_pct in dollars. Unknown: no bar today, no prev_close."""

    unit = "$"

    def facts(self) -> tuple[str, ...]:
        return ("prev_close",)

    def needs(self) -> tuple[Metric, ...]:
        return (RTH_OPEN, LAST)

    def measure(self, now: Moment) -> Floats:
        return first_known(now[RTH_OPEN], now[LAST]) - now.facts.usable_close


@dataclass(frozen=True, repr=False)
class PremarketGapPct(Metric):
    """change_pct in PRE, frozen at its last value from 09:30. Unknown: no premarket bar, no prev_close."""

    unit = "%"

    def needs(self) -> tuple[Metric, ...]:
        return (CHANGE_PCT,)

    def start(self, day: Day) -> State:
        return (np.full(len(day.universe), np.nan),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        gap = now[CHANGE_PCT] if now.session is Session.PRE else state[0]
        return gap, (gap,)


@dataclass(frozen=True, repr=False)
class FromOpenPct(Metric):
    """100·(last/open of the first regular bar − 1). Unknown: no regular bar yet."""

    unit = "%"

    def needs(self) -> tuple[Metric, ...]:
        return (RTH_OPEN, LAST)

    def measure(self, now: Moment) -> Floats:
        return percent_change(now[LAST], now[RTH_OPEN])


@dataclass(frozen=True, repr=False)
class PostGapPct(Metric):
    """In POST 100·(last/close of the last regular bar − 1); 0 until it trades after the close.

    Unknown: before POST; no regular bar today.
    """

    unit = "%"

    def needs(self) -> tuple[Metric, ...]:
        return (LAST, RTH_OPEN)

    def start(self, day: Day) -> State:
        return (np.full(len(day.universe), np.nan),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        if now.session is not Session.POST:
            return now.unknown(), (now[LAST],)
        closed = np.where(np.isnan(now[RTH_OPEN]), np.nan, state[0])
        return percent_change(now[LAST], closed), state


@dataclass(frozen=True, repr=False)
class ChangeOverPct(Metric):
    """100·(last/price known `minutes` ago − 1), however old that price is. Unknown: nothing known then."""

    minutes: int = 5
    unit = "%"

    @property
    def name(self) -> str:
        return f"change_{self.minutes}m_pct"

    def needs(self) -> tuple[Metric, ...]:
        return (LAST,)

    def measure(self, now: Moment) -> Floats:
        if now.k < self.minutes:
            return now.unknown()
        return percent_change(now[LAST], now.day.last[now.k - self.minutes])

"""Levels: highs and lows of the day, the premarket, the regular session, the opening range and the last minutes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scanner_kit.arithmetic import compiled, percent_between
from scanner_kit.calendar import Session
from scanner_kit.day import Day
from scanner_kit.errors import UnknownName
from scanner_kit.metrics.base import Level, Metric, Moment, State
from scanner_kit.metrics.price import LAST
from scanner_kit.universe import FACTS, WORDS, Floats


@dataclass(frozen=True, repr=False)
class _Extreme(Level):
    """A running high or low over one session, or over all of them."""

    high: ClassVar[bool] = True
    session: ClassVar[Session | None] = None

    def start(self, day: Day) -> State:
        return (np.full(len(day.universe), np.nan),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        if self.session is None or now.session is self.session:
            state = (np.fmax(state[0], now.high) if self.high else np.fmin(state[0], now.low),)
        return state[0], state


@dataclass(frozen=True, repr=False)
class HighOfDay(_Extreme):
    """hod: the highest high since 04:00, this bar included. Unknown: no bar today."""

    name = "hod"


HOD = HighOfDay()


@dataclass(frozen=True, repr=False)
class LowOfDay(_Extreme):
    """lod: the lowest low since 04:00, this bar included. Unknown: no bar today."""

    name, high = "lod", False


LOD = LowOfDay()


@dataclass(frozen=True, repr=False)
class RthHigh(_Extreme):
    """The highest high of REGULAR; frozen after. Unknown: no regular bar."""

    session = Session.REGULAR


@dataclass(frozen=True, repr=False)
class RthLow(_Extreme):
    """The lowest low of REGULAR; frozen after. Unknown: no regular bar."""

    session, high = Session.REGULAR, False


@dataclass(frozen=True, repr=False)
class PremarketHigh(_Extreme):
    """pmh: the highest high of PRE, running; frozen from 09:30. Unknown: no premarket bar."""

    name, session = "pmh", Session.PRE


@dataclass(frozen=True, repr=False)
class PremarketLow(_Extreme):
    """pml: the lowest low of PRE, running; frozen from 09:30. Unknown: no premarket bar."""

    name, session, high = "pml", Session.PRE, False


@dataclass(frozen=True, repr=False)
class _MinutesSince(Metric):
    """Minutes since the first bar with the day's extreme."""

    extreme: ClassVar[_Extreme] = HOD
    unit = "min"

    def needs(self) -> tuple[Metric, ...]:
        return (self.extreme,)

    def start(self, day: Day) -> State:
        return tuple(np.full((2, len(day.universe)), np.nan))

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        before, since = state
        minutes = _since(now[self.extreme], before, since)
        return minutes, (now[self.extreme], minutes)


@dataclass(frozen=True, repr=False)
class MinutesSinceHod(_MinutesSince):
    """Minutes since the first bar with the day's high. Unknown: no bar today."""


@dataclass(frozen=True, repr=False)
class MinutesSinceLod(_MinutesSince):
    """Minutes since the first bar with the day's low. Unknown: no bar today."""

    extreme = LOD


@dataclass(frozen=True, repr=False)
class HodDistancePct(Metric):
    """100·(hod − last)/hod; 0 is at it. Unknown: no bar today."""

    unit = "%"

    def needs(self) -> tuple[Metric, ...]:
        return (HOD, LAST)

    def measure(self, now: Moment) -> Floats:
        return percent_between(now[HOD], now[LAST], now[HOD])


@dataclass(frozen=True, repr=False)
class LodDistancePct(Metric):
    """100·(last − lod)/lod; 0 is at it. Unknown: no bar today."""

    unit = "%"

    def needs(self) -> tuple[Metric, ...]:
        return (LOD, LAST)

    def measure(self, now: Moment) -> Floats:
        return percent_between(now[LAST], now[LOD], now[LOD])


@dataclass(frozen=True, repr=False)
class _OpeningRange(Level):
    """The high or low of the first regular minutes, known from the last of them on."""

    minutes: int = 15
    high: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return f"orb_{'high' if self.high else 'low'}_{self.minutes}"

    def start(self, day: Day) -> State:
        return (np.full(len(day.universe), np.nan),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        if 0 <= now.regular_minute < self.minutes:
            state = (np.fmax(state[0], now.high) if self.high else np.fmin(state[0], now.low),)
        return (state[0] if now.regular_minute >= self.minutes - 1 else now.unknown()), state


@dataclass(frozen=True, repr=False)
class OpeningRangeHigh(_OpeningRange):
    """orb_high_N: the high of the first `minutes` regular minutes, known from the last of them on.

    Unknown: no bar in them.
    """


@dataclass(frozen=True, repr=False)
class OpeningRangeLow(_OpeningRange):
    """orb_low_N: the low of the first `minutes` regular minutes, known from the last of them on.

    Unknown: no bar in them.
    """

    high = False


@dataclass(frozen=True, repr=False)
class _Recent(Level):
    """The high or low of the last minutes.

    The day is cut into blocks of `minutes`. A window is the tail of one block and the head of the next, so it is the
    better of two extremes: of the head so far, and of the tail, found for all tails at once when a block is full.
    """

    minutes: int = 5
    high: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return f"{'high' if self.high else 'low'}_{self.minutes}m"

    def start(self, day: Day) -> State:
        nothing = np.full((self.minutes + 1, len(day.universe)), np.nan)
        return nothing[0], nothing

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        head, tails = state
        column, sign = ("high", 1.0) if self.high else ("low", -1.0)
        place = now.k % self.minutes + 1
        values, head = _recent(getattr(now, column), head, tails[place], sign)
        if place < self.minutes:
            return values, (head, tails)
        tails = _tails(now.window(column, self.minutes), sign)
        return values, (tails[-1], tails)


@dataclass(frozen=True, repr=False)
class RecentHigh(_Recent):
    """high_Nm: the highest high of the last `minutes`, this one included. Unknown: no bar in them."""


@dataclass(frozen=True, repr=False)
class RecentLow(_Recent):
    """low_Nm: the lowest low of the last `minutes`, this one included. Unknown: no bar in them."""

    high = False


@dataclass(frozen=True, repr=False)
class Fact(Level):
    """A number known before the day, under its name among the facts, and unknown where it is there."""

    fact: str = "prev_close"

    def __post_init__(self) -> None:
        if self.fact not in FACTS or self.fact in (*WORDS, "usual_volume"):
            raise UnknownName.of("There is no numeric fact", self.fact, set(FACTS) - {*WORDS, "usual_volume"})

    @property
    def name(self) -> str:
        return self.fact

    def facts(self) -> tuple[str, ...]:
        return (self.fact,)

    def start(self, day: Day) -> State:
        return (np.array(getattr(day.universe.facts, self.fact)),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        return state[0], state  # it stands all day: one array for all steps


@compiled
def _since(extreme: Floats, before: Floats, since: Floats) -> Floats:
    """Minutes since the extreme, from what it and they were a minute before."""
    minutes = np.empty(extreme.size)
    for i in range(extreme.size):
        fresh = np.nan if np.isnan(extreme[i]) else 0.0
        minutes[i] = since[i] + 1.0 if extreme[i] == before[i] else fresh
    return minutes


@compiled
def _better(sign: float, a: float, b: float) -> float:
    """The higher of two, or with `sign` −1 the lower; the one that is known."""
    return b if sign * b > sign * a or np.isnan(a) else a


@compiled
def _recent(price: Floats, head: Floats, tail: Floats, sign: float) -> tuple[Floats, Floats]:
    """The extremes of the window, and of the head with this minute in it."""
    values, longer = np.empty(price.size), np.empty(price.size)
    for i in range(price.size):
        longer[i] = _better(sign, head[i], price[i])
        values[i] = _better(sign, longer[i], tail[i])
    return values, longer


@compiled
def _tails(rows: Floats, sign: float) -> Floats:
    """The extremes of the last 1, 2, … rows, those of `n − j` rows in row `j`; NaN in the row after the last."""
    tails = np.empty((rows.shape[0] + 1, rows.shape[1]))
    tails[-1] = np.nan
    for j in range(rows.shape[0] - 1, -1, -1):
        for i in range(rows.shape[1]):
            tails[j, i] = _better(sign, tails[j + 1, i], rows[j, i])
    return tails

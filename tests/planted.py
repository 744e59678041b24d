"""Faults as people make them, each in a metric or a scanner of its own, with the check that is named for it."""

import datetime as dt
import functools
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from scanner_kit import metrics as m
from scanner_kit.columns import Column
from scanner_kit.conditions import Condition, lazy
from scanner_kit.day import Day
from scanner_kit.metrics import Metric, Moment, State
from scanner_kit.scanner import EVERY_SESSION, Scanner
from scanner_kit.snapshot import Snapshot
from scanner_kit.testing import sample_tape
from scanner_kit.universe import Bools, Floats

FIRST_CLOSE: dict[str, float] = {}
STEPS = 0
TODAYS_HIGH = dict(zip(sample_tape().universe.symbols, np.fmax.reduce(sample_tape().high).tolist(), strict=True))
USUAL = random.Random(1)


# look-ahead


@dataclass(frozen=True)
class NextClose(Metric):
    """The close of the bar after this one."""

    def measure(self, now: Moment) -> Any:
        return now.day.close[min(now.k + 1, len(now.day.close) - 1)].copy()


@dataclass(frozen=True)
class OfTodaysDailyRow(Metric):
    """How far the close is below the high of today's daily row, in percent."""

    def measure(self, now: Moment) -> Any:
        return 100.0 * (now.close / np.fmax.reduce(now.day.high) - 1.0)


@dataclass(frozen=True)
class ClosingPrice(Metric):
    """The day's last price, by the last row of the array."""

    def measure(self, now: Moment) -> Any:
        return np.where(now.bars, now.day.last[-1], np.nan)


@dataclass(frozen=True)
class FiveMinutesAgoFromTheEnd(Metric):
    """The change since five rows ago: before 04:05 these are the last of the day."""

    def measure(self, now: Moment) -> Any:
        return now.close - now.day.close[now.k - 5]


class Loose(Scanner):
    """Gates that let nearly all pass."""

    sessions = EVERY_SESSION
    min_price, min_dollar_volume, cooldown = 0.5, 1_000, 2
    last, volume = m.Last(), m.Volume(minutes=1)

    def trigger(self, now: Snapshot) -> Condition:
        return now[self.volume] >= 20_000


class SharesOfTheDaysPeak(Loose):
    """Volume near the largest of the day."""

    def trigger(self, now: Snapshot) -> Condition:
        values = now[self.volume].values
        peak = values.max(axis=0) if now.whole_day else values
        return Column(values / np.where(peak > 0, peak, np.nan), "share of the peak", now.memo) >= 0.9


class WaitsForTheNextBar(Loose):
    """A break that the next bar confirms."""

    hod = m.HighOfDay()

    def trigger(self, now: Snapshot) -> Condition:
        coming = np.roll(now[self.last].values, -1, axis=0)
        return now.breaks_above(self.hod) & (Column(coming, "coming", now.memo) > now.before(self.hod))


# warm-up


@dataclass(frozen=True)
class MeanOfWhatThereIs(Metric):
    """The mean volume of the last thirty minutes, or of as many as there are."""

    def measure(self, now: Moment) -> Any:
        return now.window("volume", 30).mean(axis=0)


@dataclass(frozen=True)
class ChangeSinceTheFirstRow(Metric):
    """Dollars since ten minutes ago, since 04:00 before 04:10."""

    def measure(self, now: Moment) -> Any:
        return now.day.last[now.k] - now.day.last[max(0, now.k - 10)]


@dataclass(frozen=True)
class AverageFromZero(Metric):
    """An exponential average of the closes that begins with 0. Unknown: no bar today."""

    unit = "$"

    def start(self, day: Day) -> State:
        return (np.zeros(len(day.universe)),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        mean = np.where(now.bars, state[0] + 0.1 * (now.close - state[0]), state[0])
        return np.where(mean > 0, mean, np.nan), (mean,)


class FiresBeforeItsWarmUp(Loose):
    """Twice the mean volume of the last half hour, from the first minutes on."""

    usual = MeanOfWhatThereIs()

    def trigger(self, now: Snapshot) -> Condition:
        return now[self.volume] >= now[self.usual] * 2.0


# determinism


@dataclass(frozen=True)
class CountsEveryCall(Metric):
    """The volume and how often anybody asked."""

    calls: ClassVar[list[int]] = []

    def measure(self, now: Moment) -> Any:
        self.calls.append(now.k)
        return now.volume + float(len(self.calls))


class SpeaksAtEverySeventhQuestion(Loose):
    """Thresholds that move with the number of questions."""

    asked: ClassVar[list[int]] = []

    def trigger(self, now: Snapshot) -> Condition:
        self.asked.append(1)
        return now[self.volume] >= 1000 * (len(self.asked) % 7)


@dataclass(frozen=True)
class CountsInAGlobal(Metric):
    """The volume and a number of the module."""

    def measure(self, now: Moment) -> Any:
        global STEPS
        STEPS += 1
        return now.volume + float(STEPS)


# independence of symbols


@dataclass(frozen=True)
class ZScore(Metric):
    """The volume in standard deviations of the market. Unknown: no volume anywhere."""

    def measure(self, now: Moment) -> Any:
        spread = now.volume.std()
        return (now.volume - now.volume.mean()) / spread if spread > 0 else now.unknown()


class RanksByRowNumber(Scanner):
    """A list in order of the rows."""

    sessions = EVERY_SESSION
    min_dollar_volume = 1_000

    def rank(self, now: Snapshot) -> Column:
        return Column(np.broadcast_to(np.arange(len(now), dtype=np.float64), now.shape), "row", now.memo)


class FirstTenRows(Loose):
    """Looks at the first ten symbols alone."""

    def select(self, now: Snapshot) -> list[Condition]:
        rows = np.broadcast_to(np.arange(len(now), dtype=np.float64), now.shape)
        return [Column(rows, "row", now.memo) < 10]


class KnowsTodaysHighByName(Loose):
    """Close to today's high, which a table loaded beforehand gives by symbol."""

    def trigger(self, now: Snapshot) -> Condition:
        highs = np.array([TODAYS_HIGH.get(symbol, np.nan) for symbol in now.universe.symbols])
        return now[self.last] >= Column(np.broadcast_to(0.99 * highs, now.shape), "high", now.memo)


# treatment of the unknown


@dataclass(frozen=True)
class TakesNanForZero(Metric):
    """Percent since the previous close, −100 where it did not trade."""

    def needs(self) -> tuple[Metric, ...]:
        return (m.Last(),)

    def measure(self, now: Moment) -> Any:
        return 100.0 * (np.nan_to_num(now[m.Last()]) / now.facts.usable_close - 1.0)


@dataclass(frozen=True)
class GuessesThePreviousClose(Metric):
    """The gap in dollars, 0 without a previous close."""

    def needs(self) -> tuple[Metric, ...]:
        return (m.GapDollars(),)

    def measure(self, now: Moment) -> Any:
        return np.where(np.isnan(now.facts.prev_close), 0.0, now[m.GapDollars()])


class Overbought(Condition):
    """A condition that takes unknown for false."""

    def __init__(self, column: Column) -> None:
        self.column = column

    @lazy
    def true(self) -> Bools:
        return np.asarray(self.column.values >= 70)

    @lazy
    def false(self) -> Bools:
        return np.asarray(~self.true)


class NotOverbought(Loose):
    """Speaks of all that is not overbought, the unknown among them."""

    rsi = m.Rsi()

    def select(self, now: Snapshot) -> list[Condition]:
        return [~Overbought(now[self.rsi])]


class UnknownIsLow(Loose):
    """Takes an unknown RSI for a low one."""

    rsi = m.Rsi()

    def select(self, now: Snapshot) -> list[Condition]:
        return [Column(np.nan_to_num(now[self.rsi].values), "rsi", now.memo) <= 50]


# inputs unchanged


@dataclass(frozen=True)
class ClearsSmallVolumes(Metric):
    """The volume, where it is not small."""

    def measure(self, now: Moment) -> Any:
        now.volume[now.volume < 100] = 0.0
        return now.volume * 1.0


class RaisesTheHigh(Loose):
    """Rounds this bar's high up, for everybody."""

    def select(self, now: Snapshot) -> list[Condition]:
        now.high[...] = np.ceil(now.high)
        return []


@dataclass(frozen=True)
class HandsOutTheDay(Metric):
    """The volume of this minute, as a view of the day."""

    def measure(self, now: Moment) -> Any:
        return now.volume


# state between steps


@dataclass(frozen=True)
class AddsInPlace(Metric):
    """Shares since 04:00, added to the array that was handed over."""

    def start(self, day: Day) -> State:
        return (np.zeros(len(day.universe)),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        total = state[0]
        total += now.volume
        return total.copy(), (total,)


class RemembersTheLastVolume(Loose):
    """Compares with the volume that it noted at the step before."""

    def trigger(self, now: Snapshot) -> Condition:
        values = now[self.volume].values
        noted = self.__dict__.get("_noted")
        before = values if noted is None or noted.shape != values.shape else noted
        self.__dict__["_noted"] = values
        return now[self.volume] > Column(before * 2.0, "noted", now.memo)


# state between days


@dataclass(frozen=True)
class FirstCloseOfTheDay(Metric):
    """Dollars since the first close, which a table of the module keeps by symbol. Unknown: no bar today."""

    def measure(self, now: Moment) -> Any:
        for row in np.flatnonzero(now.bars).tolist():
            FIRST_CLOSE.setdefault(now.universe.symbols[row], float(now.close[row]))
        first = [FIRST_CLOSE.get(symbol, np.nan) for symbol in now.universe.symbols]
        return now.day.last[now.k] - np.array(first)


@dataclass(frozen=True)
class HighestEver(Metric):
    """The highest close that this object ever saw. Unknown: no bar yet."""

    seen: dict[str, float] = field(default_factory=dict, compare=False)

    def measure(self, now: Moment) -> Any:
        for row in np.flatnonzero(now.bars).tolist():
            symbol, close = now.universe.symbols[row], float(now.close[row])
            self.seen[symbol] = max(self.seen.get(symbol, close), close)
        return np.array([self.seen.get(symbol, np.nan) for symbol in now.universe.symbols])


class GapsByACacheOfTheClass(Loose):
    """Above yesterday's close, which is looked up once for each symbol and then kept in the class."""

    closes: ClassVar[dict[str, float]] = {}

    def trigger(self, now: Snapshot) -> Condition:
        facts = now.universe.facts.prev_close.tolist()
        known = [
            self.closes.setdefault(symbol, close) for symbol, close in zip(now.universe.symbols, facts, strict=True)
        ]
        return now[self.last] >= Column(np.broadcast_to(np.array(known), now.shape), "yesterday", now.memo) * 1.02


@functools.cache
def first_volume(symbol: str, volume: float) -> float:
    """The volume of a symbol's first call."""
    return _noted.setdefault(symbol, volume)


_noted: dict[str, float] = {}


@dataclass(frozen=True)
class FirstVolume(Metric):
    """The first volume of each symbol, as a cached function remembers it."""

    def measure(self, now: Moment) -> Any:
        pairs = zip(now.universe.symbols, now.volume.tolist(), strict=True)
        return np.array([first_volume(symbol, volume) for symbol, volume in pairs])


# the outside


@dataclass(frozen=True)
class ReadsTheClock(Metric):
    """The volume, in this century."""

    def measure(self, now: Moment) -> Any:
        return now.volume * (1.0 if dt.datetime.now(dt.UTC).year > 1999 else 0.0)


@dataclass(frozen=True)
class ReadsAFile(Metric):
    """The volume, where a list of symbols is kept."""

    def measure(self, now: Moment) -> Any:
        return now.volume * (2.0 if Path("symbols.txt").exists() else 1.0)


@dataclass(frozen=True)
class LoadsATable(Metric):
    """The volume, times a table that numpy loads."""

    def measure(self, now: Moment) -> Any:
        return now.volume * self.factor() if now.k < 0 else now.volume * 1.0

    def factor(self) -> float:
        """What the table says."""
        return float(np.loadtxt("factor.txt"))


class AsksTheEnvironment(Loose):
    """A threshold from the environment."""

    def trigger(self, now: Snapshot) -> Condition:
        return now[self.volume] >= float(os.environ.get("LEAST_VOLUME", "20000"))


@dataclass(frozen=True)
class ThrowsDice(Metric):
    """The volume, more or less."""

    def measure(self, now: Moment) -> Any:
        return now.volume * np.random.default_rng(now.k).random()


class Helper:
    """An object that draws for others."""

    def factor(self) -> float:
        """A number from 0 to 1."""
        return random.random()


HELPER = Helper()


class LetsAnotherThrowDice(Loose):
    """A threshold that a helping object draws."""

    def trigger(self, now: Snapshot) -> Condition:
        return now[self.volume] >= 20_000 * HELPER.factor()


# what is read is named


@dataclass(frozen=True)
class ForgetsItsNeeds(Metric):
    """The day's range in dollars."""

    def measure(self, now: Moment) -> Any:
        return now[m.HighOfDay()] - now[m.LowOfDay()]


class AsksForWhatItDidNotName(Loose):
    """Reads a metric that is no attribute."""

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[m.Rsi()] >= 50]


# speed


@dataclass(frozen=True)
class LoopsOverSymbols(Metric):
    """The highest volume of the last hour, looked for one symbol and one minute at a time."""

    def measure(self, now: Moment) -> Any:
        window = now.window("volume", 60)
        return np.array([max(float(value) for value in window[:, row]) for row in range(window.shape[1])])


# errors of its own


class TakesKForARow(Loose):
    """Looks up this minute's row in the values of a step."""

    def trigger(self, now: Snapshot) -> Condition:
        values = now[self.volume].values
        row = values[int(now.k)] if not now.whole_day else values
        return Column(np.broadcast_to(row, now.shape), "row", now.memo) >= 20_000


class DividesByNothing(Loose):
    """Raises in its very first step."""

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.volume] >= 1 / (len(now) - len(now))]


FAULTS: list[tuple[type[Metric] | type[Scanner], str]] = [
    (NextClose, "look-ahead"),
    (OfTodaysDailyRow, "look-ahead"),
    (ClosingPrice, "look-ahead"),
    (FiveMinutesAgoFromTheEnd, "look-ahead"),
    (SharesOfTheDaysPeak, "look-ahead"),
    (WaitsForTheNextBar, "look-ahead"),
    (MeanOfWhatThereIs, "warm-up"),
    (ChangeSinceTheFirstRow, "warm-up"),
    (AverageFromZero, "warm-up"),
    (FiresBeforeItsWarmUp, "warm-up"),
    (CountsEveryCall, "determinism"),
    (SpeaksAtEverySeventhQuestion, "determinism"),
    (CountsInAGlobal, "determinism"),
    (ZScore, "independence of symbols"),
    (RanksByRowNumber, "independence of symbols"),
    (FirstTenRows, "independence of symbols"),
    (KnowsTodaysHighByName, "independence of symbols"),
    (TakesNanForZero, "treatment of the unknown"),
    (GuessesThePreviousClose, "treatment of the unknown"),
    (NotOverbought, "treatment of the unknown"),
    (UnknownIsLow, "treatment of the unknown"),
    (ClearsSmallVolumes, "inputs unchanged"),
    (RaisesTheHigh, "inputs unchanged"),
    (HandsOutTheDay, "inputs unchanged"),
    (AddsInPlace, "state between steps"),
    (RemembersTheLastVolume, "state between steps"),
    (FirstCloseOfTheDay, "state between days"),
    (HighestEver, "state between days"),
    (GapsByACacheOfTheClass, "state between days"),
    (FirstVolume, "state between days"),
    (ReadsTheClock, "the outside"),
    (ReadsAFile, "the outside"),
    (LoadsATable, "the outside"),
    (AsksTheEnvironment, "the outside"),
    (ThrowsDice, "the outside"),
    (LetsAnotherThrowDice, "the outside"),
    (ForgetsItsNeeds, "what is read is named"),
    (AsksForWhatItDidNotName, "what is read is named"),
    (LoopsOverSymbols, "speed"),
    (TakesKForARow, "state between steps"),
    (DividesByNothing, "look-ahead"),
]
"""Each with the check that is named for it; one that raises fails wherever it is asked."""

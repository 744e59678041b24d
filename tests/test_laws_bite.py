"""Planted faults: every law finds the metric or the scanner that breaks it, and says so in words that help."""

import datetime as dt
import random
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import param
import pytest

from scanner_kit import metrics as m
from scanner_kit import testing as laws
from scanner_kit.columns import Column
from scanner_kit.conditions import Condition
from scanner_kit.day import Day
from scanner_kit.errors import InvalidInput
from scanner_kit.metrics import Level, Metric, Moment, State
from scanner_kit.scanner import EVERY_SESSION, Scanner
from scanner_kit.snapshot import Snapshot
from scanner_kit.universe import Floats

Faulty = type[Metric] | type[Scanner]


@dataclass(frozen=True)
class ReadsTheNextBar(Metric):
    """The close of the next minute."""

    def measure(self, now: Moment) -> Any:
        return now.day.close[min(now.k + 1, len(now.day.close) - 1)].copy()


@dataclass(frozen=True)
class KnowsTheDaysHigh(Metric):
    """The highest close of the whole day."""

    def measure(self, now: Moment) -> Any:
        return np.fmax.reduce(now.day.close)


@dataclass(frozen=True)
class WritesIntoTheVolume(Metric):
    """Takes away what is small."""

    def measure(self, now: Moment) -> Any:
        now.volume[now.volume < 100] = 0.0
        return now.volume * 1.0


@dataclass(frozen=True)
class WritesIntoTheFacts(Metric):
    """Mends what is not known, for everybody."""

    def measure(self, now: Moment) -> Any:
        facts = now.facts.prev_close
        facts[np.isnan(facts)] = 1.0
        return facts * 1.0


@dataclass(frozen=True)
class GivesAViewOfTheDay(Metric):
    """The volume of this minute."""

    def measure(self, now: Moment) -> Any:
        return now.volume


@dataclass(frozen=True)
class HidesStateInTheInstance(Metric):
    """Counts the bars of each symbol."""

    counts: dict[str, Any] = field(default_factory=dict, compare=False)

    def measure(self, now: Moment) -> Any:
        self.counts["bars"] = self.counts.get("bars", 0.0) + now.bars
        return np.array(self.counts["bars"])


@dataclass(frozen=True)
class HidesStateInTheClass(Metric):
    """Counts the steps that anybody ever took."""

    steps: ClassVar[list[int]] = []

    def measure(self, now: Moment) -> Any:
        self.steps.append(now.k)
        return np.where(now.bars, float(len(self.steps)), 0.0)


@dataclass(frozen=True)
class UpdatesItsStateInPlace(Metric):
    """Shares since 04:00."""

    def start(self, day: Day) -> State:
        return (np.zeros(len(day.universe)),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        total = state[0]
        total += now.volume
        return total.copy(), (total,)


@dataclass(frozen=True)
class DependsOnTheRow(Metric):
    """The volume, a little more for each row."""

    def measure(self, now: Moment) -> Any:
        return now.volume * (1.0 + np.arange(now.volume.size) / 1000.0)


@dataclass(frozen=True)
class ComparesWithTheMarket(Metric):
    """The volume against the mean of all symbols."""

    def measure(self, now: Moment) -> Any:
        return now.volume - now.volume.mean()


@dataclass(frozen=True)
class TakesNanForZero(Metric):
    """Change in percent since the previous close."""

    def needs(self) -> tuple[Metric, ...]:
        return (m.Last(),)

    def measure(self, now: Moment) -> Any:
        return 100.0 * (np.nan_to_num(now[m.Last()]) / now.facts.usable_close - 1.0)


@dataclass(frozen=True)
class KnowsAPriceWithoutABar(Level):
    """The last price, or 0."""

    def measure(self, now: Moment) -> Any:
        return np.nan_to_num(now.day.last[now.k])


@dataclass(frozen=True)
class GuessesFacts(Metric):
    """The gap in dollars, 0 without a previous close."""

    def needs(self) -> tuple[Metric, ...]:
        return (m.GapDollars(),)

    def measure(self, now: Moment) -> Any:
        return np.where(np.isnan(now.facts.prev_close), 0.0, now[m.GapDollars()])


@dataclass(frozen=True)
class DividesByZero(Metric):
    """Dollars a share."""

    def measure(self, now: Moment) -> Any:
        with np.errstate(all="ignore"):
            return np.asarray(np.where(now.bars, 1.0, np.nan) / now.volume)


@dataclass(frozen=True)
class ForgetsNeeds(Metric):
    """The day's range."""

    def measure(self, now: Moment) -> Any:
        return now[m.HighOfDay()] - now[m.LowOfDay()]


@dataclass(frozen=True)
class ForgetsOneSymbol(Metric):
    """Shares since 04:00, kept as one table that cannot be measured again by symbol."""

    def start(self, day: Day) -> State:
        return (np.zeros((len(day.universe), 1)),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        total = state[0] + now.volume[:, None]
        return total[:, 0].copy(), (total,)


@dataclass(frozen=True)
class AsksTheWallClock(Metric):
    """The volume, while the day lasts."""

    def measure(self, now: Moment) -> Any:
        return now.volume * (1.0 if dt.datetime.now(dt.UTC).year > 2000 else 0.0)


@dataclass(frozen=True)
class AsksTheTime(Metric):
    """Seconds that mean nothing."""

    def measure(self, now: Moment) -> Any:
        return np.where(now.bars, time.perf_counter(), 0.0)


@dataclass(frozen=True)
class ReadsAFile(Metric):
    """The volume, by a list."""

    def measure(self, now: Moment) -> Any:
        return now.volume * self.factor()

    def factor(self) -> float:
        """What the list says."""
        with open("factor.txt") as file:  # noqa: PTH123
            return float(file.read())


@dataclass(frozen=True)
class ThrowsDice(Metric):
    """The volume, more or less."""

    def measure(self, now: Moment) -> Any:
        return now.volume * random.random()


@dataclass(frozen=True)
class ThrowsNumpysDice(Metric):
    """The volume, more or less."""

    def measure(self, now: Moment) -> Any:
        return now.volume * np.random.default_rng().random()


class Loose(Scanner):
    """Gates that let nearly all pass."""

    sessions = EVERY_SESSION
    min_price, min_dollar_volume, cooldown = 0.5, 1_000, 2
    last, volume = m.Last(), m.Volume(minutes=1)

    def trigger(self, now: Snapshot) -> Condition:
        return now[self.volume] >= 20_000


class LooksAhead(Loose):
    """Speaks before the volume comes."""

    def trigger(self, now: Snapshot) -> Condition:
        coming = np.roll(now[self.volume].values, -1, axis=0)
        return Column(coming, "coming", now.memo) >= 20_000


class SelectsOnUnknown(Loose):
    """Holds whatever is not known to be against it."""

    rsi = m.Rsi()

    def select(self, now: Snapshot) -> list[Condition]:
        return [Column(np.nan_to_num(now[self.rsi].values), "rsi", now.memo) <= 50]


class RanksByRow(Scanner):
    """A list in order of the rows."""

    sessions = EVERY_SESSION
    min_dollar_volume = 1_000

    def rank(self, now: Snapshot) -> Column:
        rows = np.broadcast_to(np.arange(len(now), dtype=np.float64), now.shape)
        return Column(rows, "row", now.memo)


class BeatsTheMarket(Loose):
    """Volume above that of the mean symbol."""

    def select(self, now: Snapshot) -> list[Condition]:
        mean = float(now[self.volume].values.mean())
        return [now[self.volume] >= mean]


class ReadsUnnamed(Loose):
    """Reads a metric that it does not name."""

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[m.Rsi()] >= 50]


class WritesIntoTheBar(Loose):
    """Raises this bar's high."""

    def select(self, now: Snapshot) -> list[Condition]:
        now.high[...] = now.high * 1.5
        return []


class CountsItself(Loose):
    """Speaks at every thousandth question."""

    asked: ClassVar[list[int]] = []

    def trigger(self, now: Snapshot) -> Condition:
        self.asked.append(1)
        return now[self.volume] >= 1000 * (len(self.asked) % 7)


class SpeaksWithoutData(Scanner):
    """Whatever is dear, bar or not."""

    min_price, min_dollar_volume = None, None
    sessions = EVERY_SESSION
    close = m.Fact("prev_close")

    def rank(self, now: Snapshot) -> Column:
        return now[self.close]


class OneMinuteAtATime(Loose):
    """Knows the first minute of a snapshot only."""

    def select(self, now: Snapshot) -> list[Condition]:
        first = now[self.volume].values if not now.whole_day else now[self.volume].values[:1] * np.ones(now.shape)
        return [Column(first, "first", now.memo) >= 1000]


FAULTS: list[tuple[Faulty, str]] = [
    (ReadsTheNextBar, "no look-ahead"),
    (KnowsTheDaysHigh, "no look-ahead"),
    (WritesIntoTheVolume, "inputs untouched"),
    (WritesIntoTheFacts, "inputs untouched"),
    (GivesAViewOfTheDay, "arrays are never rewritten"),
    (HidesStateInTheInstance, "deterministic"),
    (HidesStateInTheClass, "deterministic"),
    (UpdatesItsStateInPlace, "a question changes nothing"),
    (DependsOnTheRow, "symbols are independent"),
    (ComparesWithTheMarket, "symbols are independent"),
    (TakesNanForZero, "silent without data"),
    (KnowsAPriceWithoutABar, "silent without data"),
    (GuessesFacts, "unknown is not false"),
    (DividesByZero, "unknown is not false"),
    (ForgetsOneSymbol, "late bars"),
    (ForgetsNeeds, "what is read is named"),
    (AsksTheWallClock, "the core touches nothing"),
    (AsksTheTime, "the core touches nothing"),
    (ReadsAFile, "the core touches nothing"),
    (ThrowsDice, "the core touches nothing"),
    (ThrowsNumpysDice, "deterministic"),
    (LooksAhead, "no look-ahead"),
    (SelectsOnUnknown, "unknown is not false"),
    (RanksByRow, "order is indifferent"),
    (BeatsTheMarket, "no look-ahead"),
    (ReadsUnnamed, "what is read is named"),
    (WritesIntoTheBar, "inputs untouched"),
    (CountsItself, "deterministic"),
    (SpeaksWithoutData, "silent without data"),
    (OneMinuteAtATime, "one engine"),
]


LAW = {law.name: law for law in laws.LAWS}


@pytest.mark.parametrize(("cls", "law"), FAULTS)
def test_a_planted_fault_is_found_and_named(cls: Faulty, law: str) -> None:
    with pytest.raises(laws.LawBroken) as found:
        LAW[law](cls)
    sentence = str(found.value)
    assert found.value.law == law
    assert f"breaks the law {law!r}" in sentence
    assert cls.__name__ in sentence or cls().name in sentence
    assert "Example: " in sentence
    assert "Remedy: " in sentence


@pytest.mark.parametrize("cls", [WritesIntoTheVolume, ForgetsNeeds, ReadsTheNextBar])
def test_checking_a_metric_names_the_law_that_it_breaks(cls: type[Metric]) -> None:
    with pytest.raises(laws.LawBroken, match=dict(FAULTS)[cls]):
        laws.check_metric(cls)


@pytest.mark.parametrize("cls", [WritesIntoTheBar, ReadsUnnamed])
def test_checking_a_scanner_names_the_law_that_it_breaks(cls: type[Scanner]) -> None:
    with pytest.raises(laws.LawBroken, match=dict(FAULTS)[cls]):
        laws.check_scanner(cls)


def test_the_sentence_says_who_what_where_and_the_remedy() -> None:
    with pytest.raises(laws.LawBroken) as found:
        laws.no_look_ahead(ReadsTheNextBar)
    sentence = str(found.value)
    assert sentence.startswith(
        "ReadsTheNextBar() breaks the law 'no look-ahead'.\n  Example: value of ReadsTheNextBar() for S"
    )
    assert "on a tape of 1 symbol(s) with " in sentence
    assert sentence.endswith(f"Remedy: {laws.no_look_ahead.remedy}")


def test_what_is_neither_is_refused_with_a_remedy() -> None:
    with pytest.raises(InvalidInput, match="A scanner goes to check_scanner"):
        laws.check_metric(Loose)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="A metric goes to check_metric"):
        laws.check_scanner(m.Rsi())  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="Laws are checked on metrics and scanners"):
        laws.one_engine(param.Number())  # type: ignore[arg-type]

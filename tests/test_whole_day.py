"""A whole day at once gives what the steps give, also of scanners that use less, or other things, than the built-in."""

import numpy as np
import pytest

from scanner_kit import metrics as m
from scanner_kit.columns import Column
from scanner_kit.conditions import Condition
from scanner_kit.engine import Engine
from scanner_kit.meter import measure_day
from scanner_kit.scanner import Scanner
from scanner_kit.snapshot import Snapshot
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.whole_day import judge_day

TAPE = simulated_tape(SimulatedMarket(symbols=30, seed=5))


class OfBars(Scanner):
    """Of the bars alone: it uses no metric."""

    min_price, min_dollar_volume = None, None

    def rank(self, now: Snapshot) -> Column:
        return now.bar_close

    def trigger(self, now: Snapshot) -> Condition:
        return now.bar_close > now.bar_open


class OfFacts(Scanner):
    """Ranked by a fact, at a level that is one, on a side that a fact decides."""

    def rank(self, now: Snapshot) -> Column:
        return now.fact("avg_volume_30d") / 1000

    def trigger(self, now: Snapshot) -> Condition:
        return (now.bar_high > now.fact("pdh")).at(now.fact("pdh"))

    def side(self, now: Snapshot) -> Column:
        return now.choose(now.fact("prev_close") > 20, 1, -1)


class OfTheMinute(OfBars):
    """Gives all symbols one score."""

    def rank(self, now: Snapshot) -> Column:
        return now.minute


FALLING = OfBars(max_change_pct=0.0, name="falling")


@pytest.mark.parametrize(
    "scanner",
    [OfBars(), OfTheMinute(), OfFacts(), OfFacts() | OfBars(), OfFacts() | OfTheMinute(), OfBars() & ~FALLING],
)
def test_the_whole_day_says_what_the_steps_say(scanner: Scanner) -> None:
    engine = Engine(TAPE.universe, [scanner])
    for bars in TAPE:
        engine.step(bars)
    day = measure_day(TAPE, (m.Last(), *scanner.metrics()))
    assert len(engine.triggers) > 5
    assert list(map(repr, judge_day(day, [scanner]))) == list(map(repr, engine.triggers))
    assert engine.why(TAPE.universe.symbols[0], 500)


def test_a_fact_has_the_shape_of_every_column() -> None:
    day = measure_day(TAPE, [m.Last()])
    assert day.fact("pdh").values.shape == day.shape
    np.testing.assert_array_equal(day.fact("pdh").values[7], TAPE.universe.facts.pdh)

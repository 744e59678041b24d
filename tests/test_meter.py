"""The meter: sums of shares told exactly, halts against a second opinion, what is handed out, and metrics as keys."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from functools import reduce
from itertools import combinations

import numpy as np
import pytest
from oracle_metrics import Bar, Clock, halts

from scanner_kit import metrics as m
from scanner_kit.bars import LateBars, Tape
from scanner_kit.day import Day
from scanner_kit.meter import Meter, measure_day
from scanner_kit.testing import sample_tape
from scanner_kit.universe import Floats

WINDOWS = (1, 2, 5, 60)


def with_volume(tape: Tape, volume: Floats) -> Tape:
    """The tape with other volumes where there are bars."""
    return replace(tape, volume=np.where(np.isnan(tape.close), 0.0, volume))


def summed(tape: Tape, minutes: int) -> Floats:
    """The shares of each window, added one by one, oldest first."""
    rows = tape.volume.tolist()
    return np.array(
        [
            [reduce(float.__add__, column, 0.0) for column in zip(*rows[max(0, k - minutes + 1) : k + 1], strict=True)]
            for k in range(len(rows))
        ]
    )


def some_fractional(symbols: int) -> Tape:
    """A day on which every `symbols`th symbol has fractions of shares, each from another minute on."""
    tape, rng = sample_tape(), np.random.default_rng(3)
    rows = np.arange(len(tape.universe))
    fraction = (rows % symbols == 0) & (np.arange(len(tape))[:, None] >= 30 * rows)
    return with_volume(tape, tape.volume + np.where(fraction, rng.random(tape.volume.shape), 0.0))


def huge() -> Tape:
    """A day of so many shares that float64 does not hold every whole number of them."""
    tape = sample_tape()
    return with_volume(tape, tape.volume * 2.0**36 + 1.0)


TAPES = {
    "whole": sample_tape(),
    "a few fractional": some_fractional(8),
    "all fractional": some_fractional(1),
    "huge": huge(),
}


@pytest.mark.parametrize("minutes", WINDOWS)
@pytest.mark.parametrize("tape", TAPES.values(), ids=TAPES)
def test_shares_of_a_window_are_their_sum_to_the_bit(tape: Tape, minutes: int) -> None:
    found = measure_day(tape, [m.Volume(minutes=minutes)])[m.Volume(minutes=minutes)].values
    np.testing.assert_array_equal(found, summed(tape, minutes))


def test_a_difference_of_totals_would_not_have_been_the_sum() -> None:
    for name in ("a few fractional", "huge"):
        total = np.cumsum(TAPES[name].volume, axis=0)
        assert (total[60:] - total[:-60] != summed(TAPES[name], 60)[60:]).any(), name


def test_a_late_fraction_of_a_share_is_summed_too() -> None:
    tape, k = sample_tape(), 350
    price = np.array([10.0])
    late = LateBars(np.array([k - 3]), np.array([1]), price, price, price, price, np.array([0.1]), price)
    meter = Meter(tape.universe, [m.Volume(minutes=5)])
    for at in range(k):
        meter.step(tape.bars(at))
    assert meter.day.fractional.tolist() == []
    scan = meter.step(replace(tape.bars(k), late=late))
    assert meter.day.fractional.tolist() == [1]
    volume = tape.volume[k - 4 : k + 1, 1].tolist()
    volume[1] = 0.1
    assert scan.values[m.Volume(minutes=5)][1] == reduce(float.__add__, volume, 0.0)


def test_a_day_knows_whose_shares_are_told_exactly() -> None:
    day = Day.of(TAPES["a few fractional"])
    assert day.fractional.tolist() == [0, 8]
    assert day.take(np.array([1, 8, 9]), 400).fractional.tolist() == [1]
    assert Day.of(TAPES["whole"]).fractional.tolist() == []


@pytest.mark.parametrize("seed", range(4))
def test_halts_are_those_of_the_definition(seed: int) -> None:
    # Steady, thin and stopping symbols, in a market that itself falls silent now and then.
    rng, tape = np.random.default_rng(seed), sample_tape(16, day="2025-01-27")
    day, shape = tape.universe.day, tape.close.shape
    trades = rng.random(shape) < rng.choice([0.6, 0.95, 1.0, 1.0], shape[1])
    for length, symbols in ((4, shape[1]), (12, 3), (40, 2)):
        for start in rng.integers(day.open_k, day.close_k, 6):
            trades[start : start + length, rng.permutation(shape[1])[:symbols]] = False
    price = np.where(trades, 10.0, np.nan)
    tape = Tape(tape.universe, price, price, price, price, np.where(trades, 100.0, 0.0), price)
    found = measure_day(tape, [m.Halt()])[m.Halt()].values
    market = [[Bar(10.0, 10.0, 10.0, 10.0, 100.0) if bar else None for bar in own] for own in trades.T]
    expected = np.array(halts(market, Clock(day.date, day.time(-1), day.minutes, day.close_k))).T
    np.testing.assert_array_equal(found, expected)
    assert {0.0, 1.0, 2.0} <= set(found.ravel())


def test_what_a_step_handed_out_is_never_written_again() -> None:
    tape = sample_tape()
    meter, held = Meter(tape.universe, m.ALL), []
    with np.errstate(all="ignore"):
        for k in range(340):
            now = meter.step(tape.bars(k))
            held += [(array, array.copy()) for array in now.values.values()] if k % 20 == 0 else []
        late = LateBars(np.arange(200, 340), np.full(140, 3), *np.full((6, 140), 7.0))
        meter.step(replace(tape.bars(340), late=late))
    for array, was in held:
        assert not array.flags.writeable
        np.testing.assert_array_equal(array, was)


def test_a_change_before_the_first_minute_is_measured_from_it_on() -> None:
    tape = sample_tape(4)
    meter = Meter(tape.universe, [m.Last()])
    meter.require([m.HighOfDay()])
    assert set(meter.step(tape.bars(0)).values) == {m.Last(), m.HighOfDay()}


def test_metrics_are_told_apart_by_their_hash() -> None:
    assert all(hash(a) != hash(b) for a, b in combinations(m.ALL, 2))
    assert hash(m.Rsi(period=5)) == hash(m.Rsi(period=5)) != hash(m.Rsi())


def test_a_metric_is_found_again_in_another_process() -> None:
    metric = m.Fact(fact="pdh")
    assert metric in {metric}
    known = "import pickle, sys; from scanner_kit import metrics as m; "
    asked = known + "assert pickle.loads(sys.stdin.buffer.read()) in {m.Fact(fact='pdh')}"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", asked], input=pickle.dumps(metric), env=environment, check=True)

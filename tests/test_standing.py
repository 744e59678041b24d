"""Verdicts that stand: made once, read at every step, and asked anew where a scanner looks at what changes."""

import numpy as np
import pytest
from notation import tape_of

from scanner_kit import metrics as m
from scanner_kit import scanners as built_in
from scanner_kit.calendar import Session
from scanner_kit.columns import Column
from scanner_kit.composition import AnyScanner
from scanner_kit.conditions import Condition
from scanner_kit.engine import Engine
from scanner_kit.judge import Judge, Remembered
from scanner_kit.meter import measure_day
from scanner_kit.scanner import EVERY_SESSION, Scanner
from scanner_kit.snapshot import Snapshot
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.standing import Standing

DAY = simulated_tape(SimulatedMarket(symbols=60, seed=3))
HALF_PAST_NINE, NINE_FORTY = 330, 340


class Loud(Scanner):
    """A list of whoever trades at all."""

    min_price, min_dollar_volume = None, None
    sessions = EVERY_SESSION
    volume = m.DayVolume()

    def rank(self, now: Snapshot) -> Column:
        return now[self.volume]


class ByTheSession(Loud):
    """Says one thing before the open and another after."""

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.volume] >= (0 if now.session is Session.PRE else 10**12)]


class ByTheMinute(Loud):
    """Asks for more as the day goes on."""

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.volume] >= 0 * int(now.k) if now.k < NINE_FORTY else now[self.volume] < 0]


class ByANumber(Loud):
    """Looks at the numbers themselves."""

    def rank(self, now: Snapshot) -> Column:
        return Column(np.nan_to_num(now[self.volume].values) + 1.0, "one more", now.memo)


class ByOneNumber(Loud):
    """Ranks by the minute, which is the same for all."""

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.volume] >= 1]

    def rank(self, now: Snapshot) -> Column:
        return now.minute


class ByAMask(Loud):
    """Looks at who holds."""

    def rank(self, now: Snapshot) -> Column:
        return Column(np.where((now[self.volume] > 100).true, 2.0, 1.0), "many", now.memo)


def standing(scanner: AnyScanner) -> bool:
    """Whether its verdict is made once."""
    engine = Engine(DAY.universe, [scanner])
    engine.step(DAY.bars(0))
    assert engine.scan is not None
    return Standing(DAY.universe).verdicts(engine.judge.scanners, engine.scan.snapshot)[0] is not None


@pytest.mark.parametrize("scanner", [*built_in.roster(), Loud(), built_in.HodBreak() & Loud(), Loud() | ByTheSession()])
def test_every_built_in_verdict_is_made_once(scanner: AnyScanner) -> None:
    looks = "by_the_session" in scanner.name
    assert standing(scanner) is not looks


@pytest.mark.parametrize("cls", [ByTheSession, ByTheMinute, ByANumber, ByAMask])
def test_a_scanner_that_looks_at_what_changes_is_asked_at_every_step(cls: type[Scanner]) -> None:
    assert not standing(cls())


def test_who_looks_at_what_another_has_looked_at_is_noticed_too() -> None:
    engine = Engine(DAY.universe, [ByANumber(), ByAMask(), ByANumber(name="again"), Loud()])
    engine.step(DAY.bars(0))
    assert engine.scan is not None
    told = Standing(DAY.universe).verdicts(engine.judge.scanners, engine.scan.snapshot)
    assert [verdict is None for verdict in told] == [True, True, True, False]


class BySeverity(Loud):
    """Looks at how scores compare."""

    def rank(self, now: Snapshot) -> Column:
        return Column(now.severity(now[self.volume]).of(np.arange(len(now))), "severity", now.memo)


def test_who_looks_at_the_severity_that_another_has_made_is_noticed_too() -> None:
    engine = Engine(DAY.universe, [BySeverity(), BySeverity(name="again")])
    for k in range(HALF_PAST_NINE + 5):
        lists = engine.step(DAY.bars(k)).lists
    assert len(set(lists["again"].scores)) > 10
    assert lists["again"].scores == lists["by_severity"].scores


class Faulty(Loud):
    """Cannot say what it is."""

    def select(self, now: Snapshot) -> list[Condition]:
        raise RuntimeError("out of order")


def test_a_judge_whose_scanner_is_at_fault_says_so_each_time() -> None:
    engine, judge = Engine(DAY.universe, [Loud()]), Judge([Faulty()])
    now = engine.step(DAY.bars(0)).snapshot
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of order"):
            judge.judge(now, Remembered())


def test_what_is_said_at_a_step_is_what_a_fresh_verdict_says() -> None:
    roster: list[AnyScanner] = [*built_in.roster(), Loud(), ByTheSession(), ByTheMinute(), ByANumber(), ByAMask()]
    roster.append((built_in.HodBreak() | built_in.LodBreak()) & ~built_in.GappersUp())
    engine, compared = Engine(DAY.universe, roster), 0
    for k in range(HALF_PAST_NINE + 60):
        now = engine.step(DAY.bars(k)).snapshot
        standing = {s.name: v for s, v in engine.judge._judging(now)}
        for scanner in engine.judge.scanners:
            fresh, kept = scanner.verdict(now), standing[scanner.name]
            for a, b in (
                (fresh.selected, kept.selected),
                *((fresh.kinds[name].condition, kept.kinds[name].condition) for name in fresh.kinds),
            ):
                np.testing.assert_array_equal(np.broadcast_to(a.true, now.shape), np.broadcast_to(b.true, now.shape))
                np.testing.assert_array_equal(np.broadcast_to(a.false, now.shape), np.broadcast_to(b.false, now.shape))
                compared += int(np.count_nonzero(a.true))
            for (column, _), (other, _) in zip(fresh.keys, kept.keys, strict=True):
                np.testing.assert_array_equal(column.values, other.values)
    assert compared > 1000


def test_a_list_by_one_number_for_all_is_in_the_order_of_the_symbols() -> None:
    engine = Engine(DAY.universe, [ByOneNumber(top=5)])
    scans = [engine.step(DAY.bars(k)) for k in range(NINE_FORTY)]
    found = scans[-1].lists["by_one_number"]
    volume = measure_day(DAY, [m.DayVolume()])[m.DayVolume()].values[NINE_FORTY - 1]
    traded = [symbol for symbol, shares in zip(DAY.universe.symbols, volume, strict=True) if shares >= 1]
    assert found.symbols == tuple(traded[:5])
    assert found.scores == (float(NINE_FORTY - 1),) * 5


def test_a_judge_stands_for_the_universe_that_it_is_given() -> None:
    judge = Judge([Loud()])
    for symbols in ("A", "AB"):
        tape = tape_of("\n".join(f"09:30 {symbol} =10 x100" for symbol in symbols))
        engine = Engine(tape.universe, [Loud()])
        now = engine.step(tape.bars(0)).snapshot
        assert len(judge.judge(now, engine._remembered).lists["loud"]) == len(symbols)

"""Isolation: a scanner that raises is switched off, and whatever the others make is as if it had never been there."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from scanner_kit import scanners as built_in
from scanner_kit.bars import Bars, SettingsChange, Tape, VendorHalt
from scanner_kit.engine import Engine, Scan
from scanner_kit.isolation import IsolatingEngine
from scanner_kit.metrics import ChangePct, Metric
from scanner_kit.scanner import Scanner
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape

FAILS_AT = 345
ROSTER = ("winners", "hot", "hod_break", "pmh_break")


class Trouble(Exception):  # noqa: N818
    pass


def failing(now: Any) -> None:
    if not now.whole_day and int(now.k) >= FAILS_AT:
        raise Trouble("no more")


class Selects(Scanner):
    """Raises while it selects."""

    def select(self, now: Any) -> Any:
        failing(now)
        return [now[ChangePct()] >= 1.0]


class Ranks(Scanner):
    """Raises while it ranks."""

    def select(self, now: Any) -> Any:
        return [now[ChangePct()] >= 1.0]

    def rank(self, now: Any) -> Any:
        failing(now)
        return now[ChangePct()]


class Triggers(Scanner):
    """Raises while it speaks."""

    def select(self, now: Any) -> Any:
        return [now[ChangePct()] >= 1.0]

    def trigger(self, now: Any) -> Any:
        failing(now)
        return now[ChangePct()] >= 2.0


@dataclass(frozen=True)
class Breaks(Metric):
    """A metric that raises."""

    def start(self, day: Any) -> Any:
        return ()

    def step(self, state: Any, moment: Any) -> Any:
        if moment.k >= FAILS_AT:
            raise Trouble("cannot measure")
        return np.full(moment.close.shape, float(moment.k)), ()


class Measures(Scanner):
    """Uses a metric that raises."""

    breaks = Breaks()

    def select(self, now: Any) -> Any:
        return [now[self.breaks] >= 1.0]


FAULTY: list[Callable[[], Scanner]] = [Selects, Ranks, Triggers, Measures]


@pytest.fixture(scope="module")
def tape() -> Tape:
    return simulated_tape(SimulatedMarket(symbols=30, seed=5))


def steps(engine: Engine, tape: Tape, last: int = 400) -> list[Scan]:
    return [engine.step(tape.bars(k)) for k in range(last)]


def made(scans: list[Scan], names: tuple[str, ...] = ROSTER) -> list[Any]:
    """What the scanners of these names made."""
    return [
        ({n: s.lists[n] for n in names if n in s.lists}, [repr(t) for t in s.triggers if t.scanner in names])
        for s in scans
    ]


@pytest.mark.parametrize("faulty", FAULTY)
def test_the_others_make_what_they_make_without_it(tape: Tape, faulty: Callable[[], Scanner]) -> None:
    roster = built_in.roster(ROSTER)
    alone = made(steps(Engine(tape.universe, roster), tape))
    engine = IsolatingEngine(tape.universe, [*roster[:2], faulty(), *roster[2:]])
    assert made(steps(engine, tape)) == alone
    assert [fired for _, fired in alone[FAILS_AT:] if fired], "something fires after the fault"
    (off,) = engine.off.values()
    assert (off.what, off.k) == (faulty().name, FAILS_AT)
    assert off.reason.startswith("Trouble: ")


@pytest.mark.parametrize("faulty", FAULTY)
def test_it_works_until_it_raises_and_is_asked_no_more(tape: Tape, faulty: Callable[[], Scanner]) -> None:
    engine = IsolatingEngine(tape.universe, [faulty()])
    scans = steps(engine, tape)
    assert [len(scan.lists) for scan in scans[FAILS_AT - 1 : FAILS_AT + 1]] == [0 if faulty is Triggers else 1, 0]
    assert engine.judge.scanners == ()
    assert engine.why(tape.universe.symbols[0]) == ()
    assert engine.why(tape.universe.symbols[0], FAILS_AT - 1) == ()


@pytest.mark.parametrize("faulty", FAULTY)
def test_the_same_tape_switches_off_the_same(tape: Tape, faulty: Callable[[], Scanner]) -> None:
    first, second = (IsolatingEngine(tape.universe, [faulty(), *built_in.roster(ROSTER)]) for _ in range(2))
    steps(first, tape)
    for k in range(400):
        second.step(replace(tape.bars(k), forming=True))
        second.step(tape.bars(k))
    assert first.off == second.off


@pytest.mark.parametrize("faulty", FAULTY)
def test_a_forming_step_switches_nothing_off_unless_it_may_fire(tape: Tape, faulty: Callable[[], Scanner]) -> None:
    for intrabar in (False, True):
        engine = IsolatingEngine(tape.universe, [faulty(), *built_in.roster(ROSTER)], intrabar=intrabar)
        steps(engine, tape, FAILS_AT)
        scan = engine.step(replace(tape.bars(FAILS_AT), forming=True))
        assert set(scan.lists) == {"winners", "hot"}
        assert bool(engine.off) is intrabar


def test_several_that_raise_in_one_step_are_all_switched_off(tape: Tape) -> None:
    engine = IsolatingEngine(tape.universe, [Selects(), Measures(), Triggers()])
    steps(engine, tape)
    assert {off.k for off in engine.off.values()} == {FAILS_AT}
    assert set(engine.off) == {"selects", "measures", "triggers"}


def test_without_isolation_the_engine_raises_and_stands_where_it_stood(tape: Tape) -> None:
    engine = Engine(tape.universe, [Selects()])
    steps(engine, tape, FAILS_AT)
    with pytest.raises(Trouble):
        engine.step(tape.bars(FAILS_AT))
    assert engine.k == FAILS_AT - 1


def test_a_change_that_cannot_be_made_is_left_out_and_said(tape: Tape) -> None:
    engine = IsolatingEngine(tape.universe, built_in.roster(ROSTER))
    change = SettingsChange.of(hod_break={"min_rvol": 2.0}, nobody={"top": 1}, winners={"top": -1})
    engine.step(replace(tape.bars(0), events=(change, VendorHalt("NOBODY", halted=True))))
    assert [scanner.settings()["min_rvol"] for scanner in engine.judge.scanners if scanner.name == "hod_break"] == [2.0]
    assert set(engine.off) == {"change of nobody", "change of winners"}


def test_what_nobody_raises_alone_is_raised(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = IsolatingEngine(tape.universe, built_in.roster(ROSTER))

    def refuse(bars: Bars) -> Any:
        raise Trouble("the meter itself")

    monkeypatch.setattr(engine.meter, "step", refuse)
    with pytest.raises(Trouble, match="the meter itself"):
        engine.step(tape.bars(0))

"""The loop: entries become scans, changes wait for the next step, and questions are answered between two steps."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from scanner_kit.bars import Bars, SettingsChange, Tape
from scanner_kit.calendar import TradingDay
from scanner_kit.composition import AnyScanner
from scanner_kit.engine import Engine, Scan
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.run import Desk, run
from scanner_kit.scanners import Hot, Winners
from scanner_kit.testing import sample_tape
from scanner_kit.universe import Universe


@dataclass
class Kept:
    """A sink that keeps what it was given."""

    scans: list[Scan] = field(default_factory=list)

    def publish(self, scan: Scan) -> None:
        self.scans.append(scan)


@pytest.fixture(scope="module")
def tape() -> Tape:
    return sample_tape(symbols=13)


def desk_of(tape: Tape) -> Desk:
    return Desk(Engine(tape.universe, [Winners(), Hot()]))


def entries(tape: Tape, count: int) -> Iterator[Bars]:
    return (tape.bars(k) for k in range(count))


def min_change(roster: tuple[AnyScanner, ...]) -> Any:
    return getattr(roster[0], "min_change_pct", None)


def test_every_entry_becomes_a_scan_for_every_sink(tape: Tape) -> None:
    first, second = Kept(), Kept()
    assert run(entries(tape, 5), desk_of(tape), (first, second)) == 5
    assert [scan.k for scan in first.scans] == [0, 1, 2, 3, 4]
    assert first.scans == second.scans


def test_the_loop_ends_when_it_is_told_to(tape: Tape) -> None:
    kept, taken = Kept(), []

    def source() -> Iterator[Bars]:
        for bars in tape:
            taken.append(bars.k)
            yield bars

    assert run(source(), desk_of(tape), (kept,), goes_on=lambda: len(kept.scans) < 3) == 3
    assert taken == [0, 1, 2, 3]  # the fourth was there, and was not taken


def test_an_error_in_a_step_ends_the_loop_and_no_sink_is_told(tape: Tape) -> None:
    kept = Kept()
    with pytest.raises(InvalidInput, match="expected k=2; found 7"):
        run([tape.bars(0), tape.bars(1), tape.bars(7)], desk_of(tape), (kept,))
    assert [scan.k for scan in kept.scans] == [0, 1]


def test_a_change_waits_for_the_next_step(tape: Tape) -> None:
    desk = desk_of(tape)
    desk.step(tape.bars(0))
    desk.change("winners", {"min_change_pct": 7.0})
    assert min_change(desk.roster) == 5.0
    assert min_change(desk.coming) == 7.0
    desk.step(tape.bars(1))
    assert min_change(desk.roster) == 7.0
    assert desk.coming == desk.roster


def test_a_change_still_waits_after_an_entry_that_is_refused(tape: Tape) -> None:
    desk = desk_of(tape)
    desk.step(tape.bars(0))
    desk.change("winners", {"min_change_pct": 7.0})
    with pytest.raises(InvalidInput, match="expected k=1; found 5"):
        desk.step(tape.bars(5))
    assert (min_change(desk.roster), min_change(desk.coming)) == (5.0, 7.0)
    desk.step(tape.bars(1))
    assert min_change(desk.roster) == 7.0


def test_changes_take_effect_in_the_order_in_which_they_were_asked_for(tape: Tape) -> None:
    desk = desk_of(tape)
    for value in (7.0, 9.0, 8.0):
        desk.change("winners", {"min_change_pct": value})
    desk.step(tape.bars(0))
    assert min_change(desk.roster) == 8.0


def test_a_change_gives_what_the_same_change_on_the_tape_gives(tape: Tape) -> None:
    asked, taped = desk_of(tape), desk_of(tape)
    event = SettingsChange.of(winners={"min_change_pct": 1.0}, hot={"top": 2})
    for k in range(60):
        if k == 40:
            asked.change("winners", {"min_change_pct": 1.0})
            asked.change("hot", {"top": 2})
        found = asked.step(tape.bars(k))
        expected = taped.step(Bars(**{**vars(tape.bars(k)), "events": (event,) if k == 40 else ()}))
        assert {name: found.lists[name].symbols for name in found.lists} == {
            name: expected.lists[name].symbols for name in expected.lists
        }


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("winers", {}, "There is no scanner 'winers'. Did you mean 'winners'?"),
    ("winners", {"min_chnage_pct": 4}, "Did you mean 'min_change_pct'?"),
    ("winners", {"min_change_pct": float("nan")}, "min_change_pct"),
    ("hot", {"top": 0}, "top"),
]


@pytest.mark.parametrize(("scanner", "values", "sentence"), REFUSED)
def test_a_refused_change_says_why_and_leaves_everything_as_it_was(
    tape: Tape, scanner: str, values: dict[str, Any], sentence: str
) -> None:
    desk = desk_of(tape)
    desk.change("winners", {"min_change_pct": 6.0})
    with pytest.raises(InvalidInput, match=re.escape(sentence)):
        desk.change(scanner, values)
    desk.step(tape.bars(0))
    assert min_change(desk.roster) == 6.0
    assert desk.roster[1].settings() == Hot().settings()


def test_another_day_begins_under_the_thresholds_that_waited(tape: Tape) -> None:
    desk = desk_of(tape)
    desk.change("winners", {"min_change_pct": 6.0})
    desk.step(tape.bars(0))
    desk.change("hot", {"top": 3})
    other = Universe.of(TradingDay.of("2025-01-28"), ["NVDA"])
    desk.begin(lambda roster: Engine(other, roster))
    assert (desk.engine.universe, desk.engine.k) == (other, -1)
    assert [scanner.settings() for scanner in desk.roster] == [
        Winners(min_change_pct=6.0).settings(),
        Hot(top=3).settings(),
    ]
    desk.step(Bars.empty(0, 1))
    assert desk.coming == desk.roster


def test_closes_are_the_latest_prices_oldest_first(tape: Tape) -> None:
    desk = desk_of(tape)
    assert desk.closes(["S00", "S01"]).shape == (0, 2)
    for k in range(5):
        desk.step(tape.bars(k))
    last = desk.engine.meter.day.last[:5]
    np.testing.assert_array_equal(desk.closes(["S01", "S00"], minutes=3), last[2:5][:, [1, 0]])
    np.testing.assert_array_equal(desk.closes(["S01"]), last[:, [1]])
    with pytest.raises(UnknownName, match="has no symbol 'XYZ'"):
        desk.closes(["XYZ"])


def test_a_question_before_the_first_step_is_answered_with_a_sentence(tape: Tape) -> None:
    with pytest.raises(InvalidInput, match="A question is about a step that was taken"):
        desk_of(tape).why("S00")


def test_nobody_steps_while_a_question_is_answered(tape: Tape) -> None:
    desk = desk_of(tape)
    desk.step(tape.bars(0))
    stepped = threading.Event()

    def step() -> None:
        desk.step(tape.bars(1))
        stepped.set()

    thread = threading.Thread(target=step)
    with desk.still() as engine:
        thread.start()
        assert desk.why("S00")  # who holds it still may ask
        assert not stepped.wait(0.05)
        assert engine.k == 0
    thread.join(10)
    assert (stepped.is_set(), engine.k) == (True, 1)

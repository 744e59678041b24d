"""Lifting: which threshold decides a condition is found by asking the scanner, and nothing else is moved with it."""

from collections.abc import Sequence
from typing import Any

import param
import pytest
from notation import OFF, minute, scanned, tape_of

from scanner_kit import metrics as m
from scanner_kit.calendar import Session
from scanner_kit.composition import AnyScanner
from scanner_kit.judge import Judge, Remembered
from scanner_kit.lifting import Lift, lifts, taken_to_hold
from scanner_kit.scanner import Scanner
from scanner_kit.scanners import GapAndGo, GappersUp, HodBreak, LodBreak, OrbBreakUp, PmhBreak, Winners
from scanner_kit.snapshot import Snapshot

PMH = "09:00 A =10 x100\n09:30 A 10 11 10 11 x100\n"
FACTS = {"A": {"prev_close": 8.0, "usual": 1000, "sector": "Energy", "float_shares": 5e6}}


def lifted(
    scanner: AnyScanner, text: str = PMH, at: str = "09:30", facts: Any = None, kind: str = ""
) -> tuple[Lift, ...]:
    _, scans = scanned(tape_of(text, FACTS if facts is None else facts), [scanner], minute(at) + 1)
    found = lifts(scanner, scans[-1].snapshot, "A", kind)
    if found:
        judged = Judge([found[-1].scanner]).judge(scans[-1].snapshot, Remembered())
        assert [t.symbol for t in judged.triggers] == ["A"] * bool(found[-1].scanner.triggers)
    return found


def moved(found: Sequence[Lift]) -> list[tuple[str, dict[str, Any]]]:
    return [(lift.reason.what, dict(lift.thresholds)) for lift in found]


def test_a_gate_is_moved_to_what_the_symbol_has() -> None:
    assert moved(lifted(PmhBreak(min_price=50, min_dollar_volume=0, min_rvol=3))) == [
        ("last", {"min_price": 11.0}),
        ("rvol_tod", {"min_rvol": 0.2}),
    ]


def test_what_fires_has_nothing_to_lift() -> None:
    assert lifted(PmhBreak(**OFF)) == ()


def test_sessions_words_pairs_and_unset_limits() -> None:
    gates: dict[str, Any] = {
        "sessions": [Session.PRE],
        "min_dollar_volume": (0, 1e6),
        "sectors": ["Health Care"],
        "exclude": ["A", "B"],
        "max_market_cap": 1e6,
    }
    assert moved(lifted(PmhBreak(min_price=None, min_rvol=None, **gates))) == [
        ("session", {"sessions": ["PRE", "REGULAR"]}),
        ("market_cap", {"max_market_cap": None}),
        ("day_dollar_volume", {"min_dollar_volume": (0, pytest.approx(2066 + 2 / 3))}),
        ("sector", {"sectors": ["Health Care", "Energy"]}),
        ("symbol", {"exclude": ["B"]}),
    ]


def test_a_condition_of_the_scanners_own_and_one_of_two_kinds_of_comparing() -> None:
    assert moved(lifted(GapAndGo(**OFF, min_gap=40))) == [("gap_pct", {"min_gap": 25.0})]
    text = PMH + "09:45 A 10 12 10 10.5 x100\n"
    assert moved(lifted(OrbBreakUp(**OFF), text, "09:45")) == [("close vs orb_high_15 before", {"breakout": "wick"})]


def test_what_no_threshold_decides_is_taken_to_hold_and_said_so() -> None:
    found = lifted(PmhBreak(**{**OFF, "min_price": 20}), "09:00 A =10 x100\n09:30 A =9 x100\n")
    assert moved(found) == [("last", {"min_price": 9.0}), ("high vs pmh before", {})]
    assert [str(lift) for lift in found] == ["last: min_price 9.0", "high vs pmh before: no threshold decides it"]
    assert found[-1].scanner.settings()["min_price"] == 9.0


def test_what_is_taken_to_hold_stays_so_under_further_moves() -> None:
    loose = taken_to_hold(PmhBreak(**OFF), [("high vs pmh before", ">")])
    twice: Any = taken_to_hold(loose.with_settings(min_price=1), [("last", ">=")])
    assert twice.loose == {("high vs pmh before", ">"), ("last", ">=")}
    assert (twice.name, twice.min_price) == ("pmh_break", 1)
    assert type(twice).__mro__.count(PmhBreak) == 1


def test_a_composite_is_lifted_by_the_thresholds_of_its_parts() -> None:
    both = PmhBreak(**OFF) & GappersUp(min_gap=40, **OFF)
    assert moved(lifted(both)) == [("gap_pct", {"gappers_up.min_gap": 25.0})]
    without = PmhBreak(**OFF) & ~Winners(**OFF)
    [lift] = lifted(without)
    assert set(lift.thresholds) == {"winners.min_change_pct"}
    either = HodBreak(**{**OFF, "min_price": 20}) | LodBreak(**{**OFF, "min_price": 30})
    found = lifted(either, PMH + "09:31 A 11 12 11 12 x100\n", "09:31")
    assert found[0].thresholds == {"hod_break.min_price": 12.0}


def test_a_composite_in_which_a_condition_is_taken_to_hold_stays_one() -> None:
    scanner = (PmhBreak(**OFF) & GappersUp(min_gap=1, **OFF)).named("both")
    loose: Any = taken_to_hold(scanner, [("high vs pmh before", ">")]).with_settings(**{"pmh_break.min_price": 2})
    assert (loose.name, loose.loose) == ("both", {("high vs pmh before", ">")})
    found = lifted(scanner, "09:00 A =10 x100\n09:30 A =9 x100\n")
    assert moved(found) == [("high vs pmh before", {})]


def test_a_list_is_lifted_too() -> None:
    found = lifted(Winners(**OFF, min_change_pct=50))
    assert moved(found) == [("change_pct", {"min_change_pct": 37.5})]


class Level(Scanner):
    """A threshold that chooses a metric is none that lifts a condition: the metric was not measured."""

    minutes = param.Integer(5, bounds=(1, 30), doc="Minutes.")
    loud = param.Boolean(False, doc="Whether everything speaks.")

    @property
    def change(self) -> m.Metric:
        return m.ChangeOverPct(minutes=self.minutes)

    def trigger(self, now: Snapshot) -> Any:
        return now[self.change] >= (-1000.0 if self.loud else 1000.0)


def test_a_threshold_that_chooses_a_metric_is_not_moved_and_a_switch_is() -> None:
    text = "09:25..09:39 A =10 x100\n"
    assert moved(lifted(Level(**OFF), text, "09:39")) == [("change_5m_pct", {"loud": True})]


@pytest.mark.parametrize("scanner", [PmhBreak(**OFF), PmhBreak(**OFF) | LodBreak(**OFF)], ids=lambda one: one.name)
def test_the_unknown_is_taken_to_hold_where_nothing_can_be_unset(scanner: AnyScanner) -> None:
    found = lifted(scanner, "09:30 A =9 x100\n")
    assert found[0].reason.holds is None
    assert found[0].thresholds == {}

"""Why, and why not: worked out by hand for small days, and the same as what was true when the minute was judged."""

import datetime as dt
from typing import Any

import numpy as np
import pytest
from notation import OFF, clock, minute, scanned, tape_of

from scanner_kit import scanners
from scanner_kit.bars import Bars
from scanner_kit.calendar import Session
from scanner_kit.conditions import Condition, holds_at
from scanner_kit.engine import Engine
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.explain import Why
from scanner_kit.metrics import Halt
from scanner_kit.scanner import Scanner
from scanner_kit.scanners import HaltResume, HodBreak, Hot, OrbBreakUp, PmhBreak, Reversals, UnusualVolume, Winners
from scanner_kit.snapshot import Snapshot

OPEN = minute("09:30")
PMH = "09:00 A =10 x100\n09:30 A 10 11 10 11 x100\n"


def why(text: str, *roster: Any, at: str, facts: Any = None, events: str = "", until: str = "") -> Why:
    """The answer of the only scanner, asked at the end of the day or later than the minute."""
    engine, _ = scanned(tape_of(text, facts, events=events), roster, minute(until or at) + 1)
    [answer] = engine.why("A", minute(at))
    return answer


def told(answer: Why) -> dict[str, Any]:
    return {reason.what: reason for reason in answer.reasons}


def test_who_fired_is_told_so() -> None:
    answer = why(PMH, PmhBreak(**OFF), at="09:30")
    assert (answer.fired, answer.selected, answer.speaks, answer.blocking, answer.held_back) == (
        True,
        True,
        True,
        (),
        "",
    )
    assert (answer.scanner, answer.kind, answer.symbol, clock(answer.k), answer.session) == (
        *("pmh_break", "fired", "A", "09:30"),
        Session.REGULAR,
    )
    assert str(answer) == "pmh_break: fired"


def test_a_gate_that_fails_says_by_how_much() -> None:
    answer = why(PMH, PmhBreak(min_price=1, min_dollar_volume=0, min_rvol=3), at="09:30", facts={"A": {"usual": 1000}})
    [reason] = answer.blocking
    assert (reason.what, reason.op, reason.value, reason.threshold) == ("rvol_tod", ">=", 0.2, 3.0)
    assert (reason.margin, reason.unit) == (-2.8, "×")
    assert (answer.selected, answer.speaks, answer.fired, answer.held_back) == (False, True, False, "")
    assert str(answer) == "pmh_break: no, because rvol_tod 0.2 >= 3: no, margin -2.8"


def test_what_an_excluded_scanner_wants_is_told_the_other_way_round_with_its_figures() -> None:
    facts = {"A": {"prev_close": 10.0, "sector": "Energy"}}
    tech = Winners(**OFF, min_change_pct=5, sectors=["Tech"])
    answer = why(PMH, PmhBreak(**OFF) & ~tech, at="09:30", facts=facts)
    assert (told(answer)["sector"].op, told(answer)["sector"].holds, "change_pct" in told(answer)) == (
        *("not in", True),
        False,
    )
    energy = Winners(**OFF, min_change_pct=5, sectors=["Energy"])
    answer = why(PMH, PmhBreak(**OFF) & ~energy, at="09:30", facts=facts)
    change, sector = answer.blocking
    assert (change.what, change.op, change.threshold, change.holds, change.unit) == ("change_pct", "<", 5.0, False, "%")
    assert change.value == pytest.approx(10)
    assert change.margin == pytest.approx(-5)
    assert str(sector) == "sector Energy not in ['Energy']: no"
    unknown = why(PMH, PmhBreak(**OFF) & ~energy, at="09:30", facts={"A": {"prev_close": 10.0}})
    assert [str(reason) for reason in unknown.blocking] == [
        "sector None not in ['Energy']: unknown (sector is not known)",
    ]


class Elsewhere(Scanner):
    """Of conditions that are made of conditions on circumstances."""

    halt = Halt()

    def select(self, now: Snapshot) -> list[Condition]:
        early, energy = now.in_sessions((Session.PRE,)), now.one_of("sector", ["Energy"])
        return [~(early & energy), ~now.enters(self.halt, 1.0), early | ~energy]


def test_no_condition_reads_like_an_address() -> None:
    engine, [*_, scan] = scanned(tape_of(PMH, {"A": {"sector": "Energy"}}), [Elsewhere(**OFF)], OPEN + 1)
    said = [str(reason) for reason in engine.judge.scanners[0].why(scan.snapshot, "A")]
    assert said[-3:] == [
        "not (session in ['PRE'] and sector in ['Energy']): yes",
        "not (halt == 1 and halt before ≠ 1): yes",
        "(session in ['PRE']) or (not (sector in ['Energy'])): no",
    ]
    assert repr(scan.snapshot.in_sessions((Session.PRE,))) == "<InSession: session in ['PRE']>"


def test_an_unknown_number_says_what_is_missing() -> None:
    answer = why(PMH, Winners(**OFF), at="09:30")
    [reason] = answer.blocking
    assert (answer.selected, answer.speaks, reason.holds, reason.unknown) == (
        None,
        None,
        None,
        "no bar today, no prev_close",
    )
    assert (answer.kind, reason.margin) == ("", None)


def test_a_minute_without_a_bar_says_so() -> None:
    facts = {"A": {"prev_close": 5, "usual_a_minute": 1000}}
    answer = why(PMH, UnusualVolume(**OFF), at="09:31", facts=facts)
    [reason] = answer.blocking
    assert (reason.what, reason.holds, reason.unknown) == ("rvol_5m_tod", None, "no bar in this minute")


def test_the_wrong_session_is_a_reason() -> None:
    answer = why("08:00 A =10 x100\n08:01 A 10 11 10 11 x100", HodBreak(**OFF), at="08:01")
    [reason] = answer.blocking
    assert (reason.what, reason.value, reason.threshold, answer.session) == ("session", "PRE", ["REGULAR"], Session.PRE)


def test_a_level_is_told_as_it_stood_before_the_bar() -> None:
    reason = told(why(PMH + "09:31 A 11 11 11 11 x100", HodBreak(**OFF), at="09:31"))["high vs hod before"]
    assert (reason.value, reason.op, reason.threshold, reason.margin, reason.holds) == (11.0, ">", 11.0, 0.0, False)
    unknown = told(why("09:30 A =10 x100", OrbBreakUp(**OFF), at="09:30"))["close vs orb_high_15 before"]
    assert (unknown.holds, unknown.unknown) == (None, "no bar in them")


def test_an_edge_that_never_fell_is_what_held_it_back() -> None:
    answer = why(PMH + "09:31..09:40 A 11 12 11 12 x100", PmhBreak(**OFF), at="09:40")
    assert (answer.selected, answer.speaks, answer.fired, answer.last_fired_k) == (True, True, False, minute("09:30"))
    sentence = "the trigger's condition has held since it fired at 09:31, so it is no fresh rise"
    assert answer.held_back == f"{sentence}; a break speaks again when its level has moved on by 1 %"
    assert str(answer) == f"pmh_break: {answer.held_back}"
    assert why(PMH + "09:31 A =11 x100", PmhBreak(**OFF, rearm_pct=0), at="09:31").held_back == sentence


def test_a_cooldown_tells_how_long_it_lasts() -> None:
    text = PMH + "09:31..09:39 A =9 x100\n09:40 A =11 x100"
    answer = why(text, PmhBreak(**OFF), at="09:40")
    assert answer.held_back == "in cooldown for 5 minutes more since it fired at 09:31"
    assert why(text, PmhBreak(**OFF, cooldown=10), at="09:40").fired


def test_nothing_is_held_back_where_a_condition_fails() -> None:
    answer = why(PMH + "09:31 A =9 x100", PmhBreak(**OFF), at="09:31")
    assert (answer.held_back, answer.speaks, answer.last_fired_k) == ("", False, minute("09:30"))


def test_a_halt_is_told_of_and_each_kind_has_an_answer_of_its_own() -> None:
    text = "09:30..09:39 A =10 x100\n09:30..09:50 B =10 x100"
    engine, _ = scanned(tape_of(text), [HaltResume(**OFF)], minute("09:45"))
    halted, resumed = engine.why("A", minute("09:42"))
    assert (halted.kind, halted.fired, halted.halted) == ("halted", True, True)
    assert (resumed.kind, resumed.fired, resumed.speaks) == ("resumed", False, False)
    assert [answer.halted for answer in engine.why("A", minute("09:41"))] == [False, False]


@pytest.mark.parametrize("name", sorted(scanners.CLASSES))
def test_a_scanner_answers_for_one_of_many_symbols(name: str) -> None:
    [scanner] = scanners.roster([name])
    _, scans = scanned(tape_of("04:00 A =10 x100\n04:00 B =10 x100"), [scanner], 2)
    assert scanner.why(scans[-1].snapshot, "B")[0].value == "PRE"


def test_an_or_within_a_scanner_tells_what_keeps_it_from_holding() -> None:
    # A gapped up by 25 % and went on: neither up and back, nor down and back. Of the first half the gap holds.
    facts = {"A": {"prev_close": 64}}
    answer = why("09:30 A 80 88 80 88 x100", Reversals(**OFF), at="09:30", facts=facts)
    assert [(reason.what, reason.threshold, reason.holds) for reason in answer.reasons[1:]] == [
        ("gap_pct", 2.0, True),
        ("from_open_pct", -1.0, False),
        ("gap_pct", -2.0, False),
        ("from_open_pct", 1.0, True),
    ]
    assert why("09:30 A 80 80 60 60 x100", Reversals(**OFF), at="09:30", facts=facts).blocking == ()


def test_a_composite_tells_of_the_side_that_holds_or_of_both() -> None:
    # Left: below 5 $; right: at most 20 $ and up by 200 %.
    either = PmhBreak(**{**OFF, "max_price": 5}) | PmhBreak(**OFF, max_price=20, min_change_pct=200, name="other")
    answer = why(PMH, either.named("it"), at="09:30", facts={"A": {"prev_close": 10}})
    assert (answer.scanner, answer.selected, answer.speaks, answer.fired) == ("it", False, None, False)
    assert [(r.what, r.threshold) for r in answer.blocking[:2]] == [("last", 5), ("change_pct", 200)]
    assert [r.unknown for r in answer.blocking[2:]] == [
        "this side does not hold",
        "this side does not hold, or one before it does",
    ]
    answer = why(PMH, either.named("it"), at="09:30", facts={"A": {"prev_close": 3}})
    assert (answer.selected, answer.fired, answer.blocking) == (True, True, ())


def test_a_composite_in_cooldown_says_so() -> None:
    text = PMH + "09:31..09:39 A =9 x100\n09:40 A =11 x100"
    answer = why(text, (PmhBreak(**OFF) & Winners(**OFF)).named("it"), at="09:40", facts={"A": {"prev_close": 2}})
    assert answer.held_back == "in cooldown for 5 minutes more since it fired at 09:31"


def test_thresholds_are_those_that_were_in_force() -> None:
    text, events = PMH + "09:31..09:40 A 11 12 11 12 x100", "09:35 set pmh_break max_price 5"
    before = why(text, PmhBreak(**OFF), at="09:34", until="09:40", events=events)
    after = why(text, PmhBreak(**OFF), at="09:35", until="09:40", events=events)
    assert (before.selected, after.selected, after.blocking[0].threshold) == (True, False, 5)
    assert "has held" in before.held_back


def test_what_fired_while_a_minute_formed_is_remembered() -> None:
    # 09:30 fires 20 seconds in, but closes below the level. At 09:35 it breaks again: in cooldown for ten minutes.
    tape = tape_of("09:00 A =10 x100\n09:30..09:34 A =9 x100\n09:35 A =11 x100")
    engine = Engine(tape.universe, [PmhBreak(**OFF)], intrabar=True)
    for k in range(minute("09:36")):
        entry = tape.bars(k)
        if k == minute("09:30"):
            high = np.array([11.0])
            instant = dt.datetime(2025, 1, 27, 14, 30, 20, tzinfo=dt.UTC)
            engine.step(Bars(k, high, high, high, high, high, high, forming=True, instant=instant))
        engine.step(entry)
    [answer] = engine.why("A")
    assert [clock(trigger.k) for trigger in engine.triggers] == ["09:30"]
    assert answer.held_back == "in cooldown for 10 minutes more since it fired at 09:31"


BUSY = """
08:00..08:10 A 10 10.5 9.5 10 x500
08:00..08:10 B 20 21 19 20 x500
09:30..09:33 A 10 10.75 10 10.5 x5000
09:35 A 10.5 12 10 12 x9000
09:37 A 11 11 9 9 x9000
09:30..09:40 B 20 20.5 19.5 20 x3000
09:41 B 20 23 20 23 x9000
"""


def test_the_answer_for_a_minute_of_the_past_is_what_was_true_then() -> None:
    prices, plain = ("prev_close", "pdh", "pdl", "sma_20d", "high_20d"), {"usual_a_minute": 10, "avg_volume_30d": 5000}
    facts = {symbol: plain | dict.fromkeys(prices, price) for symbol, price in (("A", 9.5), ("B", 20))}
    roster = [scanners.CLASSES[name](**OFF) for name in scanners.CLASSES]
    roster.append((HodBreak(**OFF) | Winners(**OFF)).named("either"))
    engine, scans = scanned(tape_of(BUSY, facts), roster, minute("09:42"))
    for symbol, at in (("A", "09:29 09:31 09:35 09:36 09:37"), ("B", "08:05 09:41")):
        for k in map(minute, at.split()):
            _compare(engine, scans[k], symbol, k)


def _compare(engine: Engine, scan: Any, symbol: str, k: int) -> None:
    row = engine.universe.row(symbol)
    answers = engine.why(symbol, k)
    assert {answer.scanner for answer in answers} == {scanner.name for scanner in engine.judge.scanners}
    for scanner in engine.judge.scanners:
        verdict = scanner.verdict(scan.snapshot)
        for answer in (answer for answer in answers if answer.scanner == scanner.name):
            assert answer.selected is holds_at(verdict.selected, row), (scanner, k)
            fired = any((t.symbol, t.scanner, t.kind) == (symbol, scanner.name, answer.kind) for t in scan.triggers)
            assert answer.fired is fired, (scanner, k)
            if answer.kind:
                assert answer.speaks is holds_at(verdict.kinds[answer.kind].condition, row), (scanner, k)
                due = answer.selected and answer.speaks
                assert bool(answer.held_back) is bool(due and not fired), (scanner, k)
            speaks = answer.speaks is True or not answer.kind
            assert (answer.blocking == ()) is (answer.selected is True and speaks), (scanner, k)


def test_a_question_may_be_asked_by_the_time_of_the_steps_end_and_is_of_the_last_step_otherwise() -> None:
    engine, _ = scanned(tape_of(PMH), [PmhBreak(**OFF)], minute("09:35"))
    assert engine.why("A", dt.datetime(2025, 1, 27, 14, 31, tzinfo=dt.UTC)) == engine.why("A", minute("09:30"))
    assert engine.why("A")[0].k == minute("09:34")


def test_a_question_about_a_step_that_was_not_taken_is_refused() -> None:
    engine, _ = scanned(tape_of("04:00 A =10 x1"), [Hot(**OFF)], 3)
    for k in (-1, 3, 960):
        sentence = rf"^A question is about a step that was taken, k=0…2; found k={k}\. Give a time from 04:01"
        with pytest.raises(InvalidInput, match=sentence):
            engine.why("A", k)
    with pytest.raises(UnknownName, match="has no symbol 'B'"):
        engine.why("B")


def test_who_passes_but_is_cut_off_the_list_is_told_so() -> None:
    bars = "04:00 A =96 x100\n04:00 B =80 x100"
    tape = tape_of(bars, {symbol: {"prev_close": 64} for symbol in "AB"})
    engine, _ = scanned(tape, [scanners.GappersUp(**OFF, top=1)], 1)
    [first], [second] = engine.why("A"), engine.why("B")
    assert (first.selected, first.held_back) == (True, "")
    assert second.selected is True
    assert second.held_back == "passes with a score of 25, but is not among the 1 shown, of which the last has 50"


def test_whoever_is_not_hot_is_told_the_smoothed_score_of_its_own() -> None:
    bars = """
    09:30..09:34 A =10 x100
    09:30..09:33 B =10 x50
    09:34 B =10 x400
    """
    facts = {symbol: {"usual_a_minute": 10, "avg_volume_30d": 5000} for symbol in "AB"}
    engine, _ = scanned(tape_of(bars, facts), [Hot(top=1, **OFF)], minute("09:35"))
    own = engine._remembered.heats["hot"].s[engine.universe.row("B")]
    (why,) = (answer for answer in engine.why("B") if answer.scanner == "hot")
    assert f"passes with a score of {own:,.4g}, but is not among the 1 shown" in why.held_back


def test_seconds_are_refused() -> None:
    engine, _ = scanned(tape_of(PMH), [PmhBreak(**OFF)], minute("09:35"))
    with pytest.raises(InvalidInput, match="A step ends with a full minute"):
        engine.why("A", engine.universe.day.time(300) + dt.timedelta(seconds=30))


def test_what_would_hold_it_back_even_then_is_told_beside_what_blocks_it() -> None:
    static = why(PMH + "09:31 A =9 x100", PmhBreak(**OFF), at="09:31")
    assert static.even_then == (
        "the trigger's condition held up to now since it fired at 09:31, so it is no fresh rise; a break speaks again "
        "when its level has moved on by 1 %"
    )
    assert str(static).endswith(f"; and even then it would be held back: {static.even_then}")
    cooling = why(PMH + "09:31..09:34 A =9 x100", PmhBreak(**OFF), at="09:34")
    assert cooling.even_then == "in cooldown for 11 minutes more since it fired at 09:31"
    assert why(PMH + "09:31..09:59 A =9 x100", PmhBreak(**OFF), at="09:59").even_then == ""
    assert why("09:00 A =10 x100\n09:30 A =9 x100", PmhBreak(**OFF), at="09:30").even_then == ""


def test_a_level_that_has_moved_on_holds_nothing_back() -> None:
    text = "09:30 A =10 x100\n09:31 A =11 x100\n09:32 A =12 x100\n09:33 A =11.5 x100"
    assert why(text, HodBreak(**OFF), at="09:33").even_then == ""
    assert "no fresh rise" in why(text, HodBreak(**OFF, rearm_pct=50), at="09:33").even_then

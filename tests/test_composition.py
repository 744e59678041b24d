"""Composition, sentence by sentence: what `&`, `|` and `~` make of small days worked out by hand."""

from typing import Any

import param
import pytest
from notation import OFF, clock, minute, scanned, tape_of

from scanner_kit import metrics as m
from scanner_kit.bars import SettingsChange, Tape
from scanner_kit.columns import Column
from scanner_kit.composition import AnyScanner, Composite, sides_of
from scanner_kit.conditions import Condition
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.scanner import EVERY_SESSION, Scanner
from scanner_kit.scanners import GappersDown, GappersUp, HodBreak, Hot, LodBreak, PmhBreak, Winners
from scanner_kit.snapshot import Snapshot
from scanner_kit.triggers import Trigger

# prev_close 64 for all. The change of the day: A 50 %, B 25 %, C 12.5 %, D −25 %; rvol_tod: A 1, B 2, C 3, D 4.
BARS = "04:00 A =96 x1000\n04:00 B =80 x2000\n04:00 C =72 x3000\n04:00 D =48 x4000"
TAPE = tape_of(BARS, {s: {"prev_close": 64, "usual": 1000} for s in "ABCD"})


def winners(least: float = 0, name: str = "winners", **gates: Any) -> Winners:
    return Winners(**{**OFF, "min_change_pct": least, "name": name, **gates})


class Heavy(Scanner):
    """By relative volume, of which it wants a minimum of its own."""

    sessions = EVERY_SESSION
    least = param.Number(3.0, doc="Relative volume at least.")
    rvol_now = m.RelativeVolume()

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.rvol_now] >= self.least]

    def rank(self, now: Snapshot) -> Column:
        return now[self.rvol_now]


def heavy(**gates: Any) -> Heavy:
    return Heavy(**{**OFF, **gates})


def rows(scanner: Any, tape: Tape = TAPE, at: str = "04:00") -> dict[str, float]:
    """The list of a composite: symbols in order with their scores."""
    _, scans = scanned(tape, [Composite(sides_of(scanner), "it")], minute(at) + 1)
    ranking = scans[-1].lists["it"]
    return dict(zip(ranking.symbols, ranking.scores, strict=True))


def fired(roster: list[AnyScanner], tape: Tape, until: str) -> list[str]:
    engine, _ = scanned(tape, roster, minute(until) + 1)
    return [f"{clock(t.k)} {t.symbol} {t.level:g}" for t in engine.triggers]


def test_and_ranks_as_the_left_does_and_the_right_only_selects() -> None:
    assert rows(winners() & heavy()) == {"C": 12.5}
    assert rows(heavy() & winners()) == {"C": 3.0}
    assert list(rows(heavy(min_price=None) & winners(-100))) == ["D", "C"]


def test_and_asks_for_the_stricter_of_each_gate() -> None:
    a, b = winners(max_price=80, top=5, cooldown=2), winners(20, "others", min_rvol=1, top=3, cooldown=7, rearm_pct=0)
    gates = (a & b).sides[0].gates
    assert (gates.max_price, gates.min_change_pct, gates.min_rvol) == (80, 20, 1)
    assert (gates.top, gates.cooldown, gates.rearm_pct) == (3, 7, 0)
    assert rows(a & b) == {"B": 25.0} == rows(b & a)
    assert (a & b).top == 3


def test_a_composite_without_a_common_session_is_never_on() -> None:
    assert rows(winners(sessions=["PRE"]) & heavy(sessions=["REGULAR"])) == {}


def test_and_triggers_as_the_left_does() -> None:
    tape = tape_of("09:00 A =10 x100\n09:30 A 10 11 10 11 x100\n09:31 A 11 13 11 13 x100", {"A": {"prev_close": 5}})
    pmh, hod = PmhBreak(**OFF), HodBreak(**OFF)
    assert fired([pmh & winners()], tape, "09:40") == ["09:30 A 10"]
    # The level of hod moves from 10 to 11: that is more than 1 %, so it speaks twice.
    assert fired([hod & pmh], tape, "09:40") == ["09:30 A 10", "09:31 A 11"]
    assert fired([hod & winners(200)], tape, "09:40") == []
    assert (winners() & hod).triggers is False


def test_or_keeps_the_gates_of_each_side() -> None:
    # A is above 90 and passes the left alone; C and D have rvol ≥ 3 and pass the right alone.
    sides = winners(min_price=90) | heavy(max_price=75)
    assert rows(sides) == {"A": 50.0, "D": 4.0, "C": 3.0}


def test_where_both_hold_the_left_scores_and_the_right_does_not_speak() -> None:
    # C holds for both: its score is the left's change, 12.5, not its rvol_tod of 3.
    assert rows(winners() | heavy()) == {"A": 50.0, "B": 25.0, "C": 12.5, "D": 4.0}
    assert rows(heavy() | winners()) == {"A": 50.0, "B": 25.0, "D": 4.0, "C": 3.0}
    # At 09:30 both sides hold for A. The left breaks nothing (its close is not above), and the right keeps still.
    tape = tape_of("09:00 A =10 x100\n09:30 A 10 11 10 10 x100")
    left, right = PmhBreak(**OFF, breakout="close"), HodBreak(**OFF)
    assert fired([left | right], tape, "09:40") == []
    assert fired([right | left], tape, "09:40") == ["09:30 A 10"]


def test_or_speaks_with_the_kind_level_cooldown_and_rearm_of_the_side_that_holds() -> None:
    # Below 50 $ the left holds: longs through the hod. Above, the right: shorts through the lod. Both have bars
    # every minute; A makes highs of 1 % and more, B lows of 1 % and more, C is A with B's price.
    bars = """
    09:30 A =10 x100
    09:31 A 10 11 10 11 x100
    09:32 A 11 12 11 12 x100
    09:30 B =100 x100
    09:31 B 100 100 90 90 x100
    09:32 B 90 90 80 80 x100
    """
    low = HodBreak(**{**OFF, "max_price": 50, "rearm_pct": 0})
    high = LodBreak(**{**OFF, "min_price": 50})
    engine, _ = scanned(tape_of(bars), [(low | high).named("it")], minute("09:40"))
    told = [(clock(t.k), t.symbol, t.side, t.level) for t in engine.triggers]
    assert told == [("09:31", "A", 1, 10), ("09:31", "B", -1, 100), ("09:32", "B", -1, 90)]
    assert {t.scanner for t in engine.triggers} == {"it"}


def test_where_neither_side_holds_the_condition_is_unknown_and_the_memory_stays() -> None:
    # pmh 10. 09:30 breaks it and fires. At 09:31 the price of 30 passes neither side: unknown, though the bar breaks.
    # 09:46 breaks it again at a price that passes; the memory still says true, so it is no rise.
    # B is at 9 in between, which passes and is known false: 09:46 is a rise after more than 15 minutes.
    bars = """
    09:00 A =10 x100
    09:30 A 10 11 10 11 x100
    09:31..09:45 A =30 x100
    09:46 A =11 x100
    09:00 B =10 x100
    09:30 B 10 11 10 11 x100
    09:31..09:45 B =9 x100
    09:46 B =11 x100
    """
    either = PmhBreak(**{**OFF, "max_price": 12}) | PmhBreak(**{**OFF, "min_price": 50, "name": "dear"})
    assert fired([either], tape_of(bars), "09:50") == ["09:30 A 10", "09:30 B 10", "09:46 B 10"]


def test_a_side_that_only_ranks_says_nothing() -> None:
    tape = tape_of("09:00 A =10 x100\n09:30 A 10 11 10 11 x100", {"A": {"prev_close": 5}})
    assert fired([winners() | PmhBreak(**OFF)], tape, "09:40") == []
    assert fired([winners(200) | PmhBreak(**OFF)], tape, "09:40") == ["09:30 A 10"]


class ByDollars(Scanner):
    """By the dollars of the day."""

    dollars = m.DayDollarVolume()

    def rank(self, now: Snapshot) -> Column:
        return now[self.dollars]


def test_in_severity_a_symbol_that_neither_side_holds_has_the_score_of_the_left() -> None:
    # Twenty liquid symbols with rvol_tod 1, S05 with 50. Only S05 passes a side, the right: its score is its rvol, 50;
    # all others' is the left's, 100,000 dollars and more. S05 alone scores no more than itself: 1 of 20.
    names = [f"S{i:02}" for i in range(1, 21)]
    bars = "\n".join(f"09:30 {name} =100 x{50_000 if name == 'S05' else 1000}" for name in names)
    facts = {name: {"prev_close": 100, "avg_volume_30d": 1_000_000, "usual": 1000} for name in names}
    tape = tape_of(f"{bars}\n09:31 S05 100 106 100 100 x0", facts)
    either = ByDollars(**{**OFF, "min_price": 1000}) | HodBreak(**{**OFF, "min_rvol": 3})
    engine, _ = scanned(tape, [either], minute("09:32"))
    assert [(t.symbol, t.score, t.severity) for t in engine.triggers] == [("S05", 50.0, 5.0)]


def test_not_negates_conditions_and_gates_as_one() -> None:
    # Heavy with max_rvol 3 holds for C alone, by its condition and that gate; its negation for all others.
    assert list(rows(winners(-100) & ~heavy(max_rvol=3))) == ["A", "B", "D"]
    assert list(rows(winners(-100) & ~winners(20, "risen"))) == ["C", "D"]


def test_not_leaves_out_sessions_price_and_dollar_volume() -> None:
    # Were they negated as well, everybody would fail the negated scanner and so be on the list.
    never = heavy(sessions=["POST"], min_price=1000, min_dollar_volume=1e12)
    assert list(rows(winners(-100) & ~never)) == ["A", "B"]
    assert list(rows(winners(-100) & ~heavy(max_price=1))) == ["A", "B"]


def test_the_unknown_is_not_excluded_nor_selected() -> None:
    # A has no usual volume: whether it is heavy is unknown, and so is whether it is not.
    tape = tape_of(BARS, {"A": {"prev_close": 64}, "B": {"prev_close": 64, "usual": 1000}})
    assert list(rows(winners(-100) & ~heavy(), tape)) == ["B"]
    assert list(rows(winners(-100) & heavy(), tape)) == []


def test_and_distributes_over_or() -> None:
    a, b, c = winners(-100), heavy(least=4), winners(20, "risen")
    assert rows(a & (b | c)) == rows((a & b) | (a & c)) == {"A": 50.0, "B": 25.0, "D": -25.0}
    assert rows((b | c) & a) == rows((b & a) | (c & a)) == {"A": 50.0, "B": 25.0, "D": 4.0}


def test_not_of_either_is_neither() -> None:
    a, b, c = winners(-100), heavy(least=4), winners(40, "risen")
    assert rows(a & ~(b | c)) == rows(a & ~b & ~c) == {"B": 25.0, "C": 12.5}


def test_not_of_both_is_not_both() -> None:
    a, b, c = winners(-100), heavy(least=2), winners(20, "risen")
    assert list(rows(a & ~(b & c))) == ["A", "C", "D"]  # B alone is heavy and risen


def test_not_of_what_excludes_comes_back() -> None:
    a, b, c = winners(-100), heavy(least=2), winners(20, "risen")
    # b & ~c: C and D. Its negation: A and B.
    assert list(rows(a & ~(b & ~c))) == ["A", "B"]


def test_not_may_stand_on_either_side_of_and() -> None:
    a, b = winners(), heavy()
    assert rows(~b & a) == rows(a & ~b) == {"A": 50.0, "B": 25.0}


WRONG: list[tuple[Any, str]] = [
    (
        lambda a, b: ~a & ~b,
        r"^~a & ~b selects but has no ranking. Write it beside a scanner that ranks: `c & ~a & ~b`\.$",
    ),
    (
        lambda a, b: a | ~b,
        r"^~ stands only beside &: a scanner that is only what another is not has no ranking\. Write `a & ~b`\.$",
    ),
    (lambda a, b: ~b | a, r"^~ stands only beside &"),
    (lambda a, b: (a & b) | ~b, r"^~ stands only beside &"),
    (lambda a, b: ~~b, r"^~~ says nothing more than the scanner itself\. Write it without ~\.$"),
    (lambda a, b: a & 3, r"^&, \| and ~ combine scanners; found 3\. Give an instance, such as HodBreak\(\)\.$"),
    (lambda a, b: a & type(b), r"^&, \| and ~ combine scanners; found <class '.*Heavy'>"),
    (lambda a, b: a | "hod_break", r"^&, \| and ~ combine scanners; found 'hod_break'"),
    (lambda a, b: ~b & 3, r"^&, \| and ~ combine scanners; found 3"),
    (
        lambda a, b: a & winners(20),
        r"^Two variants of one class have two names; found 'winners' twice, with other "
        r"thresholds\. Name one: Winners\(name='…'\)\.$",
    ),
    (lambda a, b: a & ~winners(20), r"^Two variants of one class have two names"),
]


@pytest.mark.parametrize(("wrong", "sentence"), WRONG)
def test_what_cannot_be_combined_says_why(wrong: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        wrong(winners(), heavy())


def test_a_negation_alone_is_no_scanner_of_a_roster() -> None:
    with pytest.raises(InvalidInput, match=r"^~ stands only beside &"):
        scanned(TAPE, [~heavy()], 1)


def test_the_same_scanner_may_stand_twice() -> None:
    a = winners()
    assert rows((a & heavy()) | a) == rows(a)


def test_a_composite_is_called_what_it_is_written_as_or_named() -> None:
    both = HodBreak() & Winners() | GappersUp() & ~GappersDown()
    assert both.name == "hod_break & winners | gappers_up & ~gappers_down"
    assert both.named("mine").name == "mine"
    assert repr(both.named("mine")) == "<Composite mine>"


def test_thresholds_of_a_composite_are_named_by_their_scanner() -> None:
    both = (HodBreak() & Winners()).named("mine")
    changed = both.with_settings(**{"winners.min_change_pct": 9})
    assert (changed.settings()["winners.min_change_pct"], both.settings()["winners.min_change_pct"]) == (9, 5)
    assert changed.settings_id != both.settings_id == both.with_settings().settings_id
    assert changed.name == "mine"
    with pytest.raises(
        UnknownName, match=r"^mine has no threshold 'winers.min_change_pct'. Did you mean 'winners.min_change_pct'\?$"
    ):
        both.with_settings(**{"winers.min_change_pct": 9})
    with pytest.raises(UnknownName, match="Winners has no parameter 'min_chang_pct'"):
        both.with_settings(**{"winners.min_chang_pct": 9})


def test_a_composite_is_what_it_was_when_the_engine_took_it() -> None:
    own = winners()
    both = (own & winners(-100, "all")).named("it")
    engine, _ = scanned(TAPE, [both], 1)
    own.min_change_pct = 1000
    assert engine.step(TAPE.bars(1)).lists["it"].symbols == ("A", "B", "C")


def test_the_settings_of_a_composite_change_during_the_day() -> None:
    both = (winners() & winners(-100, "all")).named("it")
    change = SettingsChange.of(it={"winners.min_change_pct": 20})
    tape = tape_of(BARS, {s: {"prev_close": 64} for s in "ABCD"})
    tape.events[2] = (change,)
    _, scans = scanned(tape, [both], 3)
    assert [scan.lists["it"].symbols for scan in scans[-2:]] == [("A", "B", "C"), ("A", "B")]


def test_a_trigger_of_a_composite_carries_the_metrics_of_all_its_scanners() -> None:
    tape = tape_of("09:30 A =10 x100\n09:31 A 10 11 10 11 x100", {"A": {"prev_close": 5}})
    engine, _ = scanned(tape, [HodBreak(**OFF) & winners()], minute("09:32"))
    trigger: Trigger = engine.triggers[0]
    assert (trigger.metrics["change_pct"], trigger.metrics["hod"]) == (120.00000000000001, 11.0)
    assert trigger.settings == (HodBreak(**OFF) & winners()).settings_id


def test_why_tells_of_every_side() -> None:
    _, scans = scanned(TAPE, [winners() | heavy()], 1)
    told = [(reason.what, reason.holds) for reason in (winners() | heavy()).why(scans[-1].snapshot, "D")]
    assert told == [("session", True), ("change_pct", False), ("session", True), ("rvol_tod", True)]


def test_sides_that_run_in_different_directions_are_ordered_by_the_size_of_the_move() -> None:
    # Changes: A +50, B +25, C +12.5, D −25. D is level with B by size and comes after it by symbol.
    either = (GappersUp(**OFF) | GappersDown(**OFF)).named("either")
    _, scans = scanned(TAPE, [either], 1)
    assert scans[0].lists["either"].symbols == ("A", "B", "D", "C")


def test_the_hot_list_beside_a_scanner_stays_smoothed_and_sticky() -> None:
    everything = winners(-100)
    roster = [Hot(**OFF, top=2), (Hot(**OFF, top=2) & everything).named("both")]
    bars = "\n".join(
        f"04:0{k} {symbol} =64 x{1 + (k * (i + 3)) % 7}000" for k in range(8) for i, symbol in enumerate("ABCD")
    )
    tape = tape_of(bars, {s: {"prev_close": 64, "usual": 1000} for s in "ABCD"})
    _, scans = scanned(tape, roster, 12)
    assert [scan.lists["both"].symbols for scan in scans] == [scan.lists["hot"].symbols for scan in scans]
    assert [scan.lists["both"].scores for scan in scans] == [scan.lists["hot"].scores for scan in scans]

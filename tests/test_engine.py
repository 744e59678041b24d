"""The engine: entries of the tape in, scans out; minutes so far, late bars, changes of thresholds, wrong entries."""

import datetime as dt
import math
from typing import Any

import numpy as np
import param
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notation import OFF, clock, minute, scanned, tape_of

from scanner_kit import metrics as m
from scanner_kit import scanners
from scanner_kit.bars import FIELDS, Bars, LateBars, SettingsChange, Tape, VendorHalt
from scanner_kit.columns import Column
from scanner_kit.conditions import Condition
from scanner_kit.engine import Engine, Scan
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.meter import measure_day
from scanner_kit.scanner import Scanner
from scanner_kit.scanners import HodBreak, Hot, Momentum, OrbBreakUp, PmhBreak, VwapReclaim, Winners
from scanner_kit.snapshot import Snapshot
from scanner_kit.whole_day import judge_day

NAN = float("nan")
OPEN = minute("09:30")


def bars(k: int, *rows: tuple[float, ...], **more: Any) -> Bars:
    """An entry: (open, high, low, close, volume) of each symbol in order; nothing for who has no bar."""
    table = np.array([[*row, NAN] if row else [NAN, NAN, NAN, NAN, 0, NAN] for row in rows], dtype=np.float64)
    return Bars(k, *table.T, **more)


def so_far(k: int, *rows: tuple[float, ...], second: int = 30, **more: Any) -> Bars:
    """The minute so far, as of a second in it."""
    instant = dt.datetime(2025, 1, 27, 9, tzinfo=dt.UTC) + dt.timedelta(minutes=k, seconds=second)
    return bars(k, *rows, forming=True, instant=instant, **more)


def late(*rows: tuple[float, ...]) -> LateBars:
    """Late bars: (k, row, open, high, low, close, volume)."""
    table = np.array([[*row, NAN] for row in rows]).T
    return LateBars(table[0].astype(int), table[1].astype(int), *table[2:])


def engine_at(
    until: str, text: str, *roster: Scanner, intrabar: bool = False, metrics: Any = (), facts: Any = None
) -> Engine:
    """An engine that has taken a small day up to a minute, that one not included."""
    tape = tape_of(text, facts)
    engine = Engine(tape.universe, roster, metrics, intrabar=intrabar)
    for k in range(minute(until)):
        engine.step(tape.bars(k))
    return engine


def value(scan: Scan, metric: m.Metric, row: int = 0) -> float:
    return float(scan.snapshot[metric].values[row])


# Forming steps. hod is 10 before 09:30.

BREAKING, QUIET = (10.0, 11.0, 10.0, 11.0, 100.0), (10.0, 10.0, 10.0, 10.0, 100.0)


def test_without_intrabar_a_forming_step_is_shown_and_fires_nothing() -> None:
    engine = engine_at("09:30", "09:00 A =10 x100", HodBreak(**OFF), Winners(**OFF), facts={"A": {"prev_close": 8}})
    scan = engine.step(so_far(OPEN, BREAKING))
    assert (scan.forming, scan.triggers, engine.triggers, engine.k) == (True, (), [], OPEN - 1)
    assert (scan.lists["winners"].symbols, scan.lists["winners"].scores) == (("A",), (37.5,))
    assert scan.time == dt.datetime(2025, 1, 27, 14, 30, 30, tzinfo=dt.UTC)
    scan = engine.step(bars(OPEN, QUIET))
    assert (scan.lists["winners"].scores, value(scan, m.HighOfDay()), engine.triggers) == ((25.0,), 10.0, [])


def test_with_intrabar_a_trigger_fires_at_the_entrys_own_instant_and_says_so() -> None:
    engine = engine_at("09:30", "09:00 A =10 x100", HodBreak(**OFF), intrabar=True)
    [trigger] = engine.step(so_far(OPEN, BREAKING, second=12)).triggers
    assert (trigger.intrabar, trigger.k, trigger.level) == (True, OPEN, 10.0)
    assert trigger.time == dt.datetime(2025, 1, 27, 14, 30, 12, tzinfo=dt.UTC)
    assert engine.step(bars(OPEN, BREAKING)).triggers == ()


def test_the_level_before_this_bar_is_that_of_the_last_closed_minute_in_every_forming_step() -> None:
    # The second entry's high is 12; the level stays 10, not the 11 of the entry before, so re-arm has nothing to say.
    engine = engine_at("09:30", "09:00 A =10 x100", HodBreak(**OFF), intrabar=True)
    for second, high in ((10, 11.0), (20, 12.0), (30, 13.0)):
        engine.step(so_far(OPEN, (10.0, high, 10.0, high, 100.0), second=second))
    assert [(trigger.level, trigger.time.second) for trigger in engine.triggers] == [(10.0, 10)]


def test_what_needs_the_bars_close_is_unknown_while_it_forms() -> None:
    roster = [PmhBreak(**OFF, breakout="close"), VwapReclaim(**OFF), PmhBreak(**OFF, name="wick")]
    text = "09:00 A =10 x100\n09:20 A =9 x0"
    engine = engine_at("09:30", text, *roster, intrabar=True)
    scan = engine.step(so_far(OPEN, BREAKING))
    assert [trigger.scanner for trigger in scan.triggers] == ["wick"]
    assert math.isnan(scan.snapshot.bar_close.values[0])
    assert value(scan, m.Last()) == 11.0
    scan = engine.step(bars(OPEN, BREAKING))
    assert [trigger.scanner for trigger in scan.triggers] == ["pmh_break", "vwap_reclaim"]
    assert not any(trigger.intrabar for trigger in scan.triggers)


def test_a_false_condition_lowers_the_memory_only_when_the_minute_closes() -> None:
    # 09:30 fires. 09:46: quiet so far, then breaking: the memory still says true. 09:47 closes quiet; 09:48 is a rise.
    engine = engine_at("09:30", "09:00 A =10 x100", PmhBreak(**OFF), intrabar=True)
    for k in range(OPEN, OPEN + 16):
        engine.step(bars(k, BREAKING))
    engine.step(so_far(OPEN + 16, QUIET, second=10))
    engine.step(so_far(OPEN + 16, BREAKING, second=20))
    engine.step(bars(OPEN + 16, BREAKING))
    engine.step(bars(OPEN + 17, QUIET))
    engine.step(so_far(OPEN + 18, BREAKING))
    assert [(clock(trigger.k), trigger.intrabar) for trigger in engine.triggers] == [("09:30", False), ("09:48", True)]


def test_a_forming_step_moves_neither_smoothing_nor_stickiness() -> None:
    # Half-life 1: a volume of 3,000 in the minute would bring B's score from 1 to 2.5 and, twice, B into the list.
    hot = Hot(**OFF, top=1, half_life=1, margin=0, steps=2)
    facts = {"A": {"usual": 1000}, "B": {"usual": 1000}}
    for intrabar in (False, True):
        engine = engine_at("04:01", "04:00 A =10 x1000\n04:00 B =10 x100", hot, intrabar=intrabar, facts=facts)
        for second in (10, 20, 30):
            engine.step(so_far(1, (), (10, 10, 10, 10, 30_000), second=second))
        ranking = engine.step(bars(1, (), ())).lists["hot"]
        assert (ranking.symbols, ranking.scores) == (("A",), (10.0,))


prices = st.sampled_from([9.0, 10.0, 10.5, 11.0, 12.0])
rows = st.one_of(st.just(()), st.tuples(prices, prices, prices, prices, st.sampled_from([0.0, 100.0, 5000.0])))


def whole(row: tuple[float, ...]) -> tuple[float, ...]:
    return (row[0], max(row[:4]), min(row[:4]), row[3], row[4]) if row else ()


@settings(max_examples=12)
@given(st.lists(st.tuples(rows, rows, st.lists(st.tuples(rows, rows), max_size=2)), min_size=1, max_size=12))
def test_without_intrabar_forming_steps_leave_no_trace(minutes: list[Any]) -> None:
    universe = tape_of(
        "04:00 A =10\n04:00 B =10", {"A": {"usual": 1000, "prev_close": 10}, "B": {"prev_close": 9}}
    ).universe
    gates = {**OFF, "sessions": ["PRE"]}
    roster = [
        HodBreak(**gates),
        VwapReclaim(**gates, minutes=1),
        Winners(**OFF, min_change_pct=-100),
        Hot(**OFF, half_life=1),
    ]
    plain, shown = Engine(universe, roster, m.ALL), Engine(universe, roster, m.ALL)
    for k, (a, b, before) in enumerate(minutes):
        for so in before:
            shown.step(so_far(k, *map(whole, so)))
        one, other = (engine.step(bars(k, whole(a), whole(b))) for engine in (plain, shown))
        assert (one.lists, _told(one)) == (other.lists, _told(other))
        for metric in m.ALL:
            np.testing.assert_array_equal(one.snapshot[metric].values, other.snapshot[metric].values)


def _told(scan: Scan) -> list[str]:
    return [repr(trigger) for trigger in scan.triggers]


# Late bars


def test_a_late_bar_counts_in_its_own_minute_and_what_was_said_stays() -> None:
    # 09:31 breaks the 10 of 09:30 and fires. With 09:33 comes a late bar of 09:30 with a high of 12.
    text = "09:30 A =10 x100\n09:31 A 10 11 10 11 x100\n09:32 A =10 x100"
    engine = engine_at("09:33", text, HodBreak(**OFF), metrics=[m.DayVolume(), m.MinutesSinceHod(), m.RthOpen()])
    said = list(engine.triggers)
    scan = engine.step(
        bars(OPEN + 3, (11.0, 11.5, 11.0, 11.0, 100.0), late=late((OPEN, 0, 9.0, 12.0, 9.0, 10.0, 500.0)))
    )
    assert value(scan, m.HighOfDay()) == 12.0
    assert value(scan, m.MinutesSinceHod()) == 3.0
    assert value(scan, m.RthOpen()) == 9.0
    assert value(scan, m.DayVolume()) == 500 + 100 + 100 + 100  # it replaced the bar of 09:30
    assert (scan.triggers, engine.triggers, [clock(t.k) for t in said]) == ((), said, ["09:31"])


def test_a_late_bar_that_comes_while_the_minute_forms_counts_when_it_closes() -> None:
    engine = engine_at("09:31", "09:29 A =10 x100\n09:30 B =10 x100", metrics=[m.DayVolume()])
    shown = engine.step(so_far(OPEN + 1, (), QUIET, late=late((OPEN, 0, 10, 10, 10, 10, 40.0))))
    closed = engine.step(bars(OPEN + 1, (), QUIET, late=late((OPEN - 1, 1, 10, 10, 10, 10, 7.0))))
    assert value(shown, m.DayVolume()) in (100.0, 140.0)
    assert [value(closed, m.DayVolume(), row) for row in (0, 1)] == [140.0, 207.0]


@settings(max_examples=12)
@given(st.lists(st.tuples(rows, rows), min_size=4, max_size=14), st.data())
def test_late_bars_give_the_metrics_of_a_day_in_which_they_came_in_time(
    minutes: list[Any], data: st.DataObject
) -> None:
    universe = tape_of("04:00 A =10\n04:00 B =10", {"A": {"usual": 1000, "prev_close": 10}}).universe
    minutes = [tuple(map(whole, pair)) for pair in minutes]
    some = [(k, row) for k, pair in enumerate(minutes[:-1]) for row in (0, 1) if pair[row]]
    behind = set(data.draw(st.lists(st.sampled_from(some), unique=True, max_size=4))) if some else set()
    intime, engine = Engine(universe, [], m.ALL), Engine(universe, [], m.ALL)
    for k, pair in enumerate(minutes):
        expected = intime.step(bars(k, *pair))
        came = [() if (k, row) in behind else bar for row, bar in enumerate(pair)]
        held = (
            late(*((at, row, *minutes[at][row]) for at, row in sorted(behind)))
            if k == len(minutes) - 1 and behind
            else None
        )
        scan = engine.step(bars(k, *came, late=held))
    for metric in m.ALL:
        np.testing.assert_array_equal(scan.snapshot[metric].values, expected.snapshot[metric].values, metric.name)


# Changes of thresholds


def test_a_change_is_in_force_from_its_own_step_on_and_stamped_by_its_id() -> None:
    engine = engine_at("09:31", "09:30 A =10 x100\n09:30 B =10 x100", HodBreak(**{**OFF, "max_price": 20}))
    first = engine.step(bars(OPEN + 1, BREAKING, QUIET)).triggers[0]
    change = engine.change({"hod_break": {"max_price": 5}})
    assert change == SettingsChange.of(hod_break={"max_price": 5})
    assert engine.judge.scanners[0].settings()["max_price"] == 20
    assert engine.step(bars(OPEN + 2, QUIET, BREAKING, events=(change,))).triggers == ()
    back = engine.change({"hod_break": {"max_price": 30}})
    second = engine.step(bars(OPEN + 3, QUIET, (11, 12, 11, 12, 1), events=(back,))).triggers[0]
    ids = [HodBreak(**{**OFF, "max_price": limit}).settings_id for limit in (20, 30)]
    assert [first.settings, second.settings] == ids
    assert ids[0] != ids[1]


def test_a_change_keeps_the_memory() -> None:
    # The condition has held since 09:30; who changes a threshold hears nothing again.
    engine = engine_at("09:30", "09:00 A =10 x100", PmhBreak(**OFF))
    for k in range(OPEN, OPEN + 30):
        events = (engine.change({"pmh_break": {"cooldown": k % 7}}),)
        engine.step(bars(k, BREAKING, events=events))
    assert [clock(trigger.k) for trigger in engine.triggers] == ["09:30"]


def test_a_threshold_that_chooses_a_metric_is_measured_anew() -> None:
    # The first five minutes have a high of 10.5, the first fifteen 12. At 09:50 the scanner turns to five.
    text = "09:30..09:34 A 10 10.5 10 10 x100\n09:35..09:44 A 10 12 10 10 x100\n09:45..09:49 A =10.25 x100"
    engine = engine_at("09:50", text, OrbBreakUp(**OFF))
    change = engine.change({"orb_break_up": {"minutes": 5}})
    scan = engine.step(bars(OPEN + 20, (10.25, 10.75, 10.25, 10.75, 100), events=(change,)))
    assert [(trigger.level, trigger.price) for trigger in scan.triggers] == [(10.5, 10.75)]
    assert value(scan, m.OpeningRangeHigh(minutes=5)) == 10.5


def test_a_change_that_is_not_allowed_changes_nothing() -> None:
    engine = engine_at("09:30", "09:00 A =10 x100", HodBreak(), Winners())
    for wrong in ({"hod_break": {"min_rvol": -1}}, {"hod_break": {"top": 5}, "winners": {"top": 0}}):
        with pytest.raises(InvalidInput):
            engine.change(wrong)
    with pytest.raises(UnknownName, match=r"^There is no scanner 'hod_brake'\. Did you mean 'hod_break'\?$"):
        engine.change({"hod_brake": {"top": 5}})
    with pytest.raises(UnknownName, match=r"^HodBreak has no parameter 'min_rvl'\. Did you mean 'min_rvol'\?$"):
        engine.change({"hod_break": {"min_rvl": 5}})
    assert [scanner.settings() for scanner in engine.judge.scanners] == [HodBreak().settings(), Winners().settings()]


def test_the_engine_has_its_own_scanners() -> None:
    own = HodBreak(**OFF)
    engine = engine_at("09:30", "09:00 A =10 x100", own)
    own.max_price = 1
    assert len(engine.step(bars(OPEN, BREAKING)).triggers) == 1


# Vendors' halts


def test_a_vendors_halt_of_a_forming_minute_stands() -> None:
    engine = engine_at("09:31", "09:30 A =10 x100", metrics=[m.Halt()])
    shown = engine.step(so_far(OPEN + 1, QUIET, events=(VendorHalt("A", True),)))
    closed = engine.step(bars(OPEN + 1, QUIET))
    assert [value(scan, m.Halt()) for scan in (shown, closed)] == [1.0, 1.0]
    lifted = engine.step(bars(OPEN + 2, QUIET, events=(VendorHalt("A", False),)))
    assert value(lifted, m.Halt()) == 2.0


def test_an_unknown_symbol_cannot_be_halted() -> None:
    engine = engine_at("04:01", "04:00 AAPL =10 x100")
    with pytest.raises(UnknownName, match=r"^The universe of 2025-01-27 has no symbol 'APPL'\. Did you mean 'AAPL'\?$"):
        engine.step(bars(1, (), events=(VendorHalt("APPL", True),)))


# Wrong entries


@pytest.mark.parametrize("k", [0, 2, 5, -1])
def test_minutes_come_one_after_the_other(k: int) -> None:
    engine = engine_at("04:01", "04:00 A =10 x100")
    for entry in (bars(k, QUIET), so_far(k, QUIET)):
        with pytest.raises(InvalidInput, match=f"expected k=1; found {k}. Give Bars.empty for a silent minute"):
            engine.step(entry)
    assert engine.step(bars(1, QUIET)).k == 1


def test_an_entry_has_a_row_for_each_symbol() -> None:
    engine = engine_at("04:01", "04:00 A =10 x100")
    with pytest.raises(
        InvalidInput, match=r"Bars have a row for each symbol of the universe \(1\); found open of shape \(2,\)"
    ):
        engine.step(bars(1, QUIET, QUIET))


def test_a_tape_has_a_row_for_each_minute() -> None:
    universe = tape_of("04:00 A =10").universe
    columns: dict[str, Any] = dict.fromkeys(FIELDS, np.zeros((959, 1)))
    with pytest.raises(
        InvalidInput,
        match=r"^Tape\.open is \(minutes, symbols\) = \(960, 1\); found \(959, 1\)\. Give one row a minute",
    ):
        Tape(universe, **columns)


class Stumbles(Scanner):
    """Fails when it is told to."""

    stumbling = param.Boolean(False)

    def select(self, now: Snapshot) -> list[Condition]:
        if self.stumbling:
            raise RuntimeError("stumbled")
        return []


@pytest.mark.parametrize("forming", [True, False])
@pytest.mark.parametrize(
    "fault",
    [VendorHalt("Z", halted=True), SettingsChange.of(winner={}), SettingsChange.of(stumbles={"stumbling": True})],
)
def test_an_entry_that_cannot_be_taken_leaves_the_engine_as_it_was(fault: Any, forming: bool) -> None:
    text = "04:00..04:04 A =10 x100"
    engine, other = (engine_at("04:02", text, Winners(), Stumbles(), metrics=[m.Halt()]) for _ in range(2))
    good = SettingsChange.of(winners={"min_change_pct": 9}), VendorHalt("A", halted=True)
    before, entry = engine.judge, so_far if forming else bars
    with pytest.raises((InvalidInput, RuntimeError)):
        engine.step(entry(2, QUIET, events=(*good, fault)))
    assert (engine.k, engine.judge) == (1, before)
    ours, theirs = ([e.step(tape_of(text).bars(k)) for k in (2, 3)][-1] for e in (engine, other))
    assert np.isnan([value(scan, m.Halt()) for scan in (ours, theirs)]).all()  # nobody said anything, before the open
    assert repr(engine.why("A")) == repr(other.why("A"))


# What a scan is


def test_a_scan_stays_what_it_was() -> None:
    tape = tape_of("04:00 A =10 x100\n04:01 A =12 x900")
    engine = Engine(tape.universe, [], m.ALL)
    first = engine.step(tape.bars(0))
    before = {metric: first.snapshot[metric].values.copy() for metric in m.ALL}
    for k in range(1, 5):
        engine.step(tape.bars(k))
    for metric in m.ALL:
        np.testing.assert_array_equal(first.snapshot[metric].values, before[metric], metric.name)
        assert not first.snapshot[metric].values.flags.writeable, metric.name


def test_every_step_has_its_session_and_its_end() -> None:
    tape = tape_of("04:00 A =10 x100", day="2024-11-29")
    _, scans = scanned(tape, [], 780)
    found = {scan.session: scan for scan in scans}
    assert [(name, scan.k, f"{scan.time:%H:%M}") for name, scan in found.items()] == [
        ("PRE", 329, "14:30"),
        ("REGULAR", 539, "18:00"),
        ("POST", 779, "22:00"),
    ]
    assert scans[0].day == dt.date(2024, 11, 29)


def test_a_silent_day_has_every_list_and_no_trigger() -> None:
    tape = tape_of("04:00 A =10 x0", {"A": {}})
    engine, scans = scanned(tape, scanners.roster(), OPEN + 6)
    assert set(scans[-1].lists) == {
        "hot",
        *(name for name, cls in scanners.CLASSES.items() if cls in scanners.CATEGORIES),
    }
    assert not any(len(ranking) for ranking in scans[-1].lists.values())
    assert engine.triggers == []


def test_momentum_is_on_the_tape_with_every_metric_it_used() -> None:
    text = "09:16..09:33 A =100 x1\n09:34 A =101 x1\n09:35 A =102 x1"
    engine, _ = scanned(tape_of(text, {"A": {"sma_20d": 50}}), [Momentum(**OFF)], minute("09:36"))
    [trigger] = engine.triggers
    assert set(trigger.metrics) == {"rsi_14", "last", "change_5m_pct", "low_5m", "sma_20d", "rvol_tod"}
    assert (trigger.metrics["low_5m"], trigger.level) == (100.0, 100.0)


def test_a_window_of_fractional_shares_is_summed_afresh() -> None:
    # A hundred million shares, then minutes of a third of a share: a difference of running sums would lose them.
    tape = tape_of("04:00 A =10 x100000000.1\n04:01..04:10 A =10 x0.3", {"A": {"prev_close": 10}})
    _, scans = scanned(tape, [], 11, [m.Volume(minutes=5), m.Volume(minutes=1)])
    assert scans[-1].snapshot[m.Volume(minutes=5)].values[0] == 0.0 + 0.3 + 0.3 + 0.3 + 0.3 + 0.3
    assert scans[-1].snapshot[m.Volume(minutes=1)].values[0] == 0.3


def test_a_trigger_whose_side_is_not_known_is_not_told_and_the_reason_is() -> None:
    class Either(scanners.HodBreak):
        """Long above yesterday's close, short below."""

        change = m.ChangePct()

        def side(self, now: Snapshot) -> Column:
            return now.choose(now[self.change] < 0, -1, 1)

    bars = "09:30 A 10 11 10 11 x100\n09:31 A 11 12 11 12 x100\n09:30 B 10 11 10 11 x100\n09:31 B 11 12 11 12 x100"
    tape = tape_of(bars, {"A": {"prev_close": 20}})
    engine, _ = scanned(tape, [Either(**OFF)], minute("09:32"))
    assert [(t.symbol, t.side) for t in engine.triggers] == [("A", -1)]
    day = measure_day(tape, [metric for scanner in engine.judge.scanners for metric in scanner.metrics()])
    assert list(map(repr, judge_day(day, [Either(**OFF)]))) == list(map(repr, engine.triggers))
    [why] = engine.why("B", minute("09:31"))
    assert (why.fired, why.speaks, why.blocking[0].unknown) == (False, None, "its side is not known")

import datetime as dt
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanner_kit.bars import Bars, Event, Tape, VendorHalt, event_of, told
from scanner_kit.calendar import NEW_YORK, TradingDay
from scanner_kit.engine import Engine
from scanner_kit.errors import InvalidInput
from scanner_kit.isolation import IsolatingEngine
from scanner_kit.meter import measure_day
from scanner_kit.results import Found, Result
from scanner_kit.scanners import HodBreak, Hot
from scanner_kit.schedule import Schedule
from scanner_kit.scheduled import Context, ScanResult, ScheduledScanner, scheduled_in
from scanner_kit.testing import check_scanner
from scanner_kit.triggers import Trigger
from scanner_kit.universe import Universe
from scanner_kit.whole_day import judge_day

FULL, HALF = TradingDay.of("2025-01-27"), TradingDay.of("2024-11-29")
WINTER, SUMMER = TradingDay.of("2025-03-07"), TradingDay.of("2025-03-10")
"""The Friday before the clocks change, and the Monday after it."""
TEXT: Any = "NVDA"


class News(ScheduledScanner):
    """Reports of this morning."""

    min_price = None
    min_dollar_volume = None
    cooldown = 5
    figures = ("age",)


def clock(times: Sequence[dt.datetime]) -> list[str]:
    return [f"{time.astimezone(NEW_YORK):%H:%M}" for time in times]


def trading(symbols: Sequence[str] = ("AAPL", "MSFT", "NVDA")) -> Tape:
    """A day on which everybody trades in every minute."""
    tape = Tape.empty(Universe.of(FULL, symbols))
    prices = np.full(tape.close.shape, 10.0)
    return replace(tape, open=prices, high=prices, low=prices, close=prices, volume=np.full(prices.shape, 1e4))


def with_results(tape: Tape, results: Mapping[int, Sequence[Found]]) -> Tape:
    events: dict[int, tuple[Event, ...]] = {
        k: (Result("news", FULL.time(k - 1), tuple(found)),) for k, found in results.items()
    }
    return replace(tape, events=events)


def said(engine: Engine) -> list[tuple[int, str]]:
    return [(trigger.k, trigger.symbol) for trigger in engine.triggers if trigger.scanner == "news"]


def plain(triggers: Sequence[Trigger]) -> list[str]:
    """Triggers so that what is unknown equals itself."""
    return [repr(replace(trigger, note="")) for trigger in triggers]


def taken(engine: Engine, entries: Sequence[Bars]) -> Engine:
    for bars in entries:
        engine.step(bars)
    return engine


# The schedule


@pytest.mark.parametrize(
    ("schedule", "day", "times"),
    [
        (Schedule(every=120), FULL, ["09:30", "11:30", "13:30", "15:30"]),
        (Schedule(every=120), HALF, ["09:30", "11:30"]),
        (Schedule(every=60, start="12:00", end="15:00"), HALF, ["12:00", "13:00", "14:00", "15:00"]),
        (Schedule(every=180, start="08:00", end="19:59"), FULL, ["08:00", "11:00", "14:00", "17:00"]),
        (Schedule(every=180, start="08:00", end="19:59"), HALF, ["08:00", "11:00", "14:00"]),
        (Schedule(every=0, before_open=(10, 30)), FULL, ["09:00", "09:20", "09:30"]),
        (Schedule(every=0, start="04:00"), FULL, ["04:00"]),
        (Schedule(every=60, start="15:00", end="12:00", before_open=(5,)), FULL, ["09:25"]),
        (Schedule(every=120, weekdays=("tue", "fri")), FULL, []),
        (Schedule(every=120, weekdays=("mon", "fri")), FULL, ["09:30", "11:30", "13:30", "15:30"]),
    ],
)
def test_a_schedule_says_when_a_scan_is_due(schedule: Schedule, day: TradingDay, times: list[str]) -> None:
    assert clock(schedule.times(day)) == times
    assert [(60 * int(time[:2]) + int(time[3:]) - 240) for time in times] == list(schedule.minutes(day))


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        (Schedule(every=60), "2025-01-27T14:29:59", "2025-01-27T14:30"),  # Monday, before the open
        (Schedule(every=60), "2025-01-27T14:30", "2025-01-27T15:30"),
        (Schedule(every=60), "2025-01-31T21:00", "2025-02-03T14:30"),  # over the weekend
        (Schedule(every=60), "2024-11-27T21:00", "2024-11-29T14:30"),  # over Thanksgiving
        (Schedule(every=60), "2024-11-29T17:45", "2024-12-02T14:30"),  # the half day is over at 13:00
        (Schedule(every=0, before_open=(5,), weekdays=("wed",)), "2025-01-29T14:30", "2025-02-05T14:25"),
        (Schedule(every=0, before_open=(5,)), "2025-03-07T15:00", "2025-03-10T13:25"),  # the clocks have changed
        (Schedule(every=0, start="15:00", end="14:00"), "2025-01-27T15:00", None),
    ],
)
def test_the_next_scan_is_found_over_weekends_holidays_and_clock_changes(
    schedule: Schedule, after: str, due: str | None
) -> None:
    found = schedule.next_after(dt.datetime.fromisoformat(after).replace(tzinfo=dt.UTC))
    assert found == (None if due is None else dt.datetime.fromisoformat(due).replace(tzinfo=dt.UTC))


def test_a_schedule_is_new_yorks_time_in_winter_and_summer() -> None:
    times = [Schedule(every=0, start="09:45").times(day)[0] for day in (WINTER, SUMMER)]
    assert [(time.hour, time.minute) for time in times] == [(14, 45), (13, 45)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"every": -1}, "A schedule's every is minutes, 0 to 960; found -1. Write every=5."),
        ({"start": "03:59"}, "A schedule's start is a time from 04:00 to 19:59; found '03:59'. Write '09:45'."),
        ({"end": "noon"}, "A schedule's end is a time from 04:00 to 19:59; found 'noon'. Write '09:45'."),
        ({"weekdays": ("sun",)}, "Weekdays are some of mon, tue, wed, thu, fri; found ('sun',). Write ('mon',)."),
        ({"before_open": (0,)}, "before_open is minutes from 04:00 to the open, 1 to 329; found (0,). Write (10,)."),
    ],
)
def test_a_schedule_that_is_none_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput) as told_so:
        Schedule(**wrong)  # type: ignore[arg-type]
    assert str(told_so.value) == said


# Results


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: Found("NVDA", math.inf), "The score of NVDA is a known number; found inf. Leave the symbol out."),
        (lambda: Found("NVDA", True), "The score of NVDA is a known number; found True. Leave the symbol out."),
        (lambda: Found("", 1.0), "What is found is a symbol; found ''. Write, say, Found('NVDA', 3.0)."),
        (lambda: Found("NVDA", 1.0, fires=1), "NVDA fires or does not; found fires=1. Give True or False."),  # type: ignore[arg-type]
        (
            lambda: Found("NVDA", 1.0, figures={"age": math.nan}),
            "The age of NVDA is a known number; found nan. Leave the symbol out.",
        ),
        (
            lambda: ScanResult([Found("NVDA", 1.0), Found("NVDA", 2.0)]),
            "A symbol stands in a result once; found NVDA twice. Keep one of them.",
        ),
        (lambda: ScanResult(TEXT), "A result lists what was found; found 'NVDA'. Write [Found('NVDA', 3.0)]."),
        (lambda: ScanResult([TEXT]), "A result lists Found; found 'NVDA'. Write Found('NVDA', 3.0)."),
        (lambda: ScanResult(adds="NVDA"), "A result adds symbols; found 'NVDA'. Write adds=['NVDA']."),
        (
            lambda: ScanResult(adds=[{"name": "x"}]),
            "A result adds symbols; found [{'name': 'x'}]. Write adds=['NVDA'].",
        ),
        (
            lambda: Result("news", dt.datetime(2025, 1, 27)),
            "A result is of an instant; found datetime.datetime(2025, 1, 27, 0, 0). Give a datetime with its zone.",
        ),
    ],
)
def test_a_result_that_is_none_is_refused(made: Callable[[], Any], said: str) -> None:
    with pytest.raises(InvalidInput) as told_so:
        made()
    assert str(told_so.value) == said


def test_what_a_scan_gives_is_checked_against_its_scanner_and_the_universe() -> None:
    known, time = trading().universe.rows, FULL.time(339)
    found = [Found("NVDA", 1, figures={"age": np.float64(3.0)})]
    assert News().result(ScanResult(found), time, known) == Result("news", time, tuple(found))
    with pytest.raises(InvalidInput, match=r"News\.scan gives a ScanResult; found None\. Return one\."):
        News().result(None, time, known)
    with pytest.raises(InvalidInput, match=r"News\.figures do not name 'aeg'\. Did you mean 'age'\?"):
        News().result(ScanResult([Found("NVDA", 1, figures={"aeg": 1})]), time, known)
    with pytest.raises(
        InvalidInput, match=r"A result is of symbols that are scanned today, or that it adds; found \['GME'\]\."
    ):
        News().result(ScanResult([Found("GME", 1)]), time, known)
    added = ScanResult([Found("GME", 1)], adds=["AMC", {"symbol": "GME", "prev_close": 20.0}])
    assert News().result(added, time, known).found == (Found("GME", 1.0),)


def test_a_result_is_the_same_after_it_was_json() -> None:
    result = Result("news", FULL.time(3), (Found("NVDA", 1 / 3, True, "Raised", {"age": 0.1}), Found("AAPL", -2)))
    assert event_of(told(result)) == result


# In the engine


def test_the_list_of_a_scheduled_scanner_is_its_last_result() -> None:
    tape = with_results(
        trading(),
        {340: [Found("NVDA", 1.0, figures={"age": 7.0}), Found("AAPL", 2.0)], 350: [Found("MSFT", 0.0)], 360: []},
    )
    engine, shown = Engine(tape.universe, [News(), Hot()]), {}
    for bars in tape:
        shown[bars.k] = engine.step(bars)
    found = {k: shown[k].lists["news"].symbols for k in (339, 340, 349, 350, 359, 360, 959)}
    assert found == {
        339: (),
        340: ("AAPL", "NVDA"),
        349: ("AAPL", "NVDA"),
        350: ("MSFT",),
        359: ("MSFT",),
        360: (),
        959: (),
    }
    figures = [row.figures["news_age"] for row in shown[345].rows("news")]
    assert math.isnan(figures[0])
    assert figures[1] == 7.0


def test_it_fires_on_the_rising_edge_and_after_the_cooldown_with_its_note() -> None:
    fires, quiet = [Found("NVDA", 1.0, fires=True, note="Raised")], [Found("NVDA", 1.0)]
    tape = with_results(trading(), {340: fires, 342: fires, 343: quiet, 344: fires, 346: quiet, 350: fires, 360: []})
    engine = taken(Engine(tape.universe, [News()]), list(tape))
    assert said(engine) == [(340, "NVDA"), (350, "NVDA")]  # at 344 in cooldown, and no fresh rise at 345
    first = engine.triggers[0]
    assert (first.note, first.score, first.rank, first.price) == ("Raised", 1.0, 1, 10.0)
    assert math.isnan(first.severity)  # fewer than twenty to compare with
    assert first.worth_showing


def test_its_severity_is_among_the_liquid_symbols_of_the_result() -> None:
    names = [f"S{i:02}" for i in range(40)]
    liquid = {"avg_volume_30d": np.full(40, 1e7), "prev_close": np.full(40, 10.0)}
    blank = trading(names)
    tape = replace(blank, universe=Universe.of(FULL, names, liquid))
    found = [Found(name, float(i), fires=i == 29) for i, name in enumerate(names[:30])]
    engine = taken(Engine(tape.universe, [News()]), list(with_results(tape, {340: found})))
    assert [(trigger.symbol, trigger.severity) for trigger in engine.triggers] == [("S29", 100.0)]


def test_its_gates_hold_as_for_every_scanner_and_why_says_so() -> None:
    tape = with_results(trading(), {340: [Found("NVDA", 1.0, fires=True), Found("AAPL", 2.0)]})
    engine = taken(Engine(tape.universe, [News(min_price=11)]), list(tape)[:350])
    assert said(engine) == []
    listed, spoken = engine.why("NVDA")
    assert (listed.kind, spoken.kind) == ("", "fired")
    assert [str(reason) for reason in listed.blocking] == ["last 10 >= 11: no, margin -1"]
    free = taken(Engine(tape.universe, [News()]), list(tape)[:350])
    assert [str(why) for why in free.why("NVDA", 340)] == ["news: yes", "news: fired"]
    assert [str(why) for why in free.why("MSFT", 340)] == [
        "news: no, because news_found 0 == 1: no, margin -1",
        "news: no, because news_found 0 == 1: no, margin -1; news_fires 0 == 1: no, margin -1",
    ]


def test_without_it_are_those_who_were_not_found() -> None:
    quiet = HodBreak(min_rvol=None, min_dollar_volume=None, name="quiet") & ~News()
    tape = with_results(trading(), {340: [Found("NVDA", 1.0)]})
    day = measure_day(tape, Engine(tape.universe, [quiet]).meter.metrics)
    selected = quiet.verdict(day).selected.true
    assert [selected[k].tolist() for k in (339, 340)] == [[False, False, False], [True, True, False]]


def test_a_threshold_on_a_figure_of_its_own_selects() -> None:
    class Fresh(News):
        """Reports of the last minutes."""

        def select(self, now: object) -> list[object]:  # type: ignore[override]
            return [*super().select(now), now[self.figure("age")] <= 5]  # type: ignore[arg-type,index]

    found = [Found("NVDA", 1.0, figures={"age": 3}), Found("AAPL", 2.0, figures={"age": 9}), Found("MSFT", 3.0)]
    tape = with_results(trading(), {340: found})
    engine = taken(Engine(tape.universe, [Fresh(name="news")]), list(tape)[:350])
    assert engine.scan is not None
    assert engine.scan.lists["news"].symbols == ("NVDA",)


def test_it_stands_in_a_composite_like_any_scanner() -> None:
    tape = with_results(trading(), {340: [Found("NVDA", 1.0, fires=True), Found("AAPL", 2.0)]})
    both = (News() & HodBreak(min_rvol=None, min_dollar_volume=None)).named("both")
    assert sorted(scheduled_in([both, Hot(), HodBreak()])) == ["news"]
    engine = taken(Engine(tape.universe, [both]), list(tape)[:350])
    assert engine.scan is not None
    assert engine.scan.lists["both"].symbols == ("AAPL", "NVDA")
    assert [(trigger.k, trigger.symbol) for trigger in engine.triggers] == [(340, "NVDA")]


def test_the_example_of_the_page_reads_its_file_and_fires_on_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parent.parent / "docs" / "scheduled.md").read_text(encoding="utf-8")
    scope: dict[str, Any] = {"__name__": "page"}
    exec(page.split("```python\n")[1].partition("```")[0], scope)
    scanner, universe, file = scope["CsvNews"](), trading().universe, tmp_path / "news.csv"
    monkeypatch.setenv("NEWS_CSV", str(file))
    context = Context(FULL, FULL.time(300), universe.symbols, universe.facts, log=logging.getLogger("test"))
    file.write_text("symbol,impact,headline\nNVDA,3,Raised\nGME,9,Not scanned\n")
    first = scanner.result(scanner.scan(context), context.now, universe.rows)
    assert first.found == (Found("NVDA", 3.0, True, "Raised", {"impact": 3.0}),)
    file.write_text("symbol,impact,headline\nNVDA,3,Raised\nAAPL,1,Sued\n")
    later = replace(context, now=FULL.time(310), state=json.loads(json.dumps(context.state)))
    again = scanner.scan(later)
    assert [(found.symbol, found.fires) for found in again.found] == [("NVDA", False), ("AAPL", True)]


RESULTS = {
    300: [Found("NVDA", 1.0, fires=True)],
    340: [Found("NVDA", 1.0, fires=True, note="Raised"), Found("AAPL", 2.0)],
    371: [Found("AAPL", 5.0, fires=True)],
    500: [Found("NVDA", 1.0, fires=True)],
    940: [],
}


def test_steps_and_whole_days_say_the_same_of_results() -> None:
    tape = with_results(trading(), RESULTS)
    engine = taken(Engine(tape.universe, [News()]), list(tape))
    assert len(engine.triggers) == 3
    assert plain(judge_day(measure_day(tape, engine.meter.metrics), [News()])) == plain(engine.triggers)


@pytest.mark.parametrize("k", [1, 340, 341, 400, 950])
def test_a_restart_in_the_middle_changes_nothing(k: int) -> None:
    tape = with_results(trading(), RESULTS)
    whole = Engine(tape.universe, [News()])
    lists = [whole.step(bars).lists["news"] for bars in tape]
    again = taken(Engine(tape.universe, [News()]), [tape.bars(i) for i in range(k)])
    assert [again.step(tape.bars(i)).lists["news"] for i in range(k, 960)] == lists[k:]
    assert repr(again.triggers) == repr(whole.triggers)


def test_a_result_that_came_with_a_forming_minute_is_in_force_from_it_on() -> None:
    tape = trading()
    result = Result("news", FULL.time(339), (Found("NVDA", 1.0, fires=True),))
    engine = taken(Engine(tape.universe, [News()]), [tape.bars(k) for k in range(340)])
    before = replace(tape.bars(340), forming=True, events=(result,), instant=FULL.time(339))
    assert engine.step(before).lists["news"].symbols == ("NVDA",)
    assert engine.triggers == []
    engine.step(tape.bars(340))
    assert said(engine) == [(340, "NVDA")]
    passing = taken(Engine(tape.universe, [News()]), [tape.bars(k) for k in range(340)])
    passing.pass_over(before)
    passing.step(tape.bars(340))
    assert repr(passing.triggers) == repr(engine.triggers)


def test_an_entry_that_is_not_taken_leaves_no_result_behind() -> None:
    tape = trading()
    engine = taken(Engine(tape.universe, [News()]), [tape.bars(k) for k in range(340)])
    result = Result("news", FULL.time(339), (Found("NVDA", 1.0, fires=True),))
    with pytest.raises(InvalidInput):
        engine.step(replace(tape.bars(340), events=(result, VendorHalt("GME", halted=True))))
    engine.step(tape.bars(340))
    assert said(engine) == []


def test_who_is_not_scanned_and_a_scanner_that_is_none_change_nothing() -> None:
    tape = trading()
    events: dict[int, tuple[Event, ...]] = {
        340: (Result("news", FULL.time(339), (Found("GME", 1.0, fires=True), Found("NVDA", 2.0))),),
        341: (Result("nobody", FULL.time(340), (Found("NVDA", 9.0, fires=True),)),),
    }
    engine = IsolatingEngine(tape.universe, [News()])
    taken(engine, list(replace(tape, events=events))[:350])
    assert engine.scan is not None
    assert engine.scan.lists["news"].symbols == ("NVDA",)
    assert (engine.triggers, engine.off) == ([], {})


def test_a_scheduled_scanner_keeps_every_law() -> None:
    report = check_scanner(News)
    assert report.fired > 0
    assert report.remark == ""


def test_its_own_code_may_ask_the_outside_and_its_judging_may_not() -> None:
    class Outside(News):
        """Asks a file."""

        def scan(self, context: Context) -> ScanResult:
            return ScanResult([Found("NVDA", float(open("nowhere").read()))])  # noqa: PTH123

    assert check_scanner(Outside).fired > 0

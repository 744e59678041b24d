"""Health: every state as data, its limits to the second, the worst first, and quiet told from broken."""

import datetime as dt
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from scanner_kit import scanners
from scanner_kit.bars import Bars
from scanner_kit.calendar import Session, TradingDay
from scanner_kit.day import Day
from scanner_kit.health import (
    Fault,
    Feed,
    Health,
    Listed,
    Process,
    Quote,
    State,
    Warmth,
    assess,
    clock_fault,
    volume_suspects,
    warmth_of,
)
from scanner_kit.universe import Universe

NOW = dt.datetime(2025, 1, 27, 15, 0, tzinfo=dt.UTC)
PRE, REGULAR, POST, CLOSED = Session.PRE, Session.REGULAR, Session.POST, Session.CLOSED
COLOURS = {
    "green": {State.LIVE, State.QUIET, State.CLOSED},
    "amber": {State.WARMING, State.DELAYED, State.HALTED},
    "red": {State.DOWN, State.STUCK, State.FAULT, State.STALE},
}


def ago(seconds: float) -> dt.datetime:
    return NOW - dt.timedelta(seconds=seconds)


def feed(silent: float = 0.0, bar: float | None = 20.0, **signs: Any) -> Feed:
    return Feed("ibkr", ago(silent), None if bar is None else ago(bar), **signs)


def process(silent: float = 0.0, tape: float | None = 20.0, step: float | None = 20.0, **signs: Any) -> Process:
    seen = (None if then is None else ago(then) for then in (tape, step))
    return Process("engine", ago(silent), *seen, **signs)


def one(session: Session, **watched: Any) -> Health:
    (row,) = assess(NOW, session, **{name: [sign] for name, sign in watched.items()})
    return row


# signs, session → state, reason, seconds since


FEEDS: list[tuple[Feed, Session, State, str, float | None]] = [
    (feed(), REGULAR, State.LIVE, "a bar 20 s ago", None),
    (feed(5.9), REGULAR, State.LIVE, "a bar 20 s ago", None),
    (feed(6.0), REGULAR, State.DOWN, "no heartbeat for 6 s", 6),
    (feed(6.0, 500), CLOSED, State.DOWN, "no heartbeat for 6 s", 6),
    (feed(0, 500), CLOSED, State.CLOSED, "the market is closed", None),
    (feed(0, 179.9), REGULAR, State.LIVE, "a bar 180 s ago", None),
    (feed(0, 180), REGULAR, State.STALE, "no bar of any symbol for 180 s", 180),
    (feed(0, 180, liquid=49), PRE, State.LIVE, "a bar 180 s ago", None),
    (feed(0, 180, liquid=50), PRE, State.STALE, "no bar of any symbol for 180 s", 180),
    (feed(0, 180, liquid=49), POST, State.LIVE, "a bar 180 s ago", None),
    (feed(0, 180, liquid=50), POST, State.STALE, "no bar of any symbol for 180 s", 180),
    (feed(0, None, began=ago(179)), REGULAR, State.LIVE, "waiting for the first bar", None),
    (feed(0, None, began=ago(180)), REGULAR, State.STALE, "no bar of any symbol yet", 180),
    (feed(0, None), PRE, State.LIVE, "waiting for the first bar", None),
    (feed(delays=[10.0] * 5), REGULAR, State.LIVE, "a bar 20 s ago", None),
    (feed(delays=[10.1] * 5), REGULAR, State.DELAYED, "bars come 10 s after their minute's end", 20),
    (feed(delays=[90, 1, 1, 1, 90, 90]), REGULAR, State.LIVE, "a bar 20 s ago", None),
    (feed(delays=[1, 90, 1, 1, 90, 90]), REGULAR, State.DELAYED, "bars come 90 s after their minute's end", 20),
    (feed(vendor_delayed=True), PRE, State.DELAYED, "the vendor says that its data is delayed", 20),
    (feed(0, 180, vendor_delayed=True), REGULAR, State.STALE, "no bar of any symbol for 180 s", 180),
]  # fmt: skip
PROCESSES: list[tuple[Process, Session, State, str, float | None]] = [
    (process(), REGULAR, State.LIVE, "a step 20 s ago", None),
    (process(6.0), REGULAR, State.DOWN, "no heartbeat for 6 s", 6),
    (process(6.0, 1, 100), REGULAR, State.DOWN, "no heartbeat for 6 s", 6),
    (process(0, 1, 89.9), REGULAR, State.LIVE, "a step 90 s ago", None),
    (process(0, 1, 90), REGULAR, State.STUCK, "the tape moves, but no step for 90 s", 90),
    (process(0, 500, 500), REGULAR, State.LIVE, "a step 500 s ago", None),  # nothing came: the feed's row says so
    (process(0, 1, None, began=ago(89)), REGULAR, State.LIVE, "no step yet", None),
    (process(0, 1, None, began=ago(90)), REGULAR, State.STUCK, "the tape moves, but no step yet", 90),
    (process(0, None, None), PRE, State.LIVE, "no step yet", None),
    (process(0, 1, 90), CLOSED, State.STUCK, "the tape moves, but no step for 90 s", 90),
    (process(0, 500, 500), CLOSED, State.CLOSED, "the market is closed", None),
]  # fmt: skip


@pytest.mark.parametrize(("signs", "session", "state", "reason", "since"), FEEDS)
def test_what_is_said_of_a_feed(signs: Feed, session: Session, state: State, reason: str, since: float | None) -> None:
    row = one(session, feeds=signs)
    assert (row.subject, row.state, row.reason) == ("feed ibkr", state, reason)
    assert row.since == (None if since is None else ago(since))


@pytest.mark.parametrize(("signs", "session", "state", "reason", "since"), PROCESSES)
def test_what_is_said_of_a_process(
    signs: Process, session: Session, state: State, reason: str, since: float | None
) -> None:
    row = one(session, processes=signs)
    assert (row.subject, row.state, row.reason) == ("engine", state, reason)
    assert row.since == (None if since is None else ago(since))


def test_a_fault_names_its_resource() -> None:
    row = one(CLOSED, faults=Fault("Redis", "it is full", ago(50)))
    assert (row.subject, row.state, row.reason, row.since) == ("Redis", State.FAULT, "it is full", ago(50))


@pytest.mark.parametrize(("offset", "told"), [(2.0, None), (-2.0, None), (2.1, "+2.1 s"), (-2.1, "-2.1 s")])
def test_a_clock_may_be_off_by_two_seconds(offset: float, told: str | None) -> None:
    fault = clock_fault(offset, ago(9))
    assert fault == (None if told is None else Fault("clock", f"the clock is off by {told}", ago(9)))


def test_a_halted_symbol_is_halted_since_then() -> None:
    row = one(
        REGULAR, symbols=Quote("NVDA", halted_since=ago(300), silent_minutes=5, usual_shares=9e5, newer_bars=True)
    )
    assert (row.subject, row.state, row.since) == ("NVDA", State.HALTED, ago(300))


def test_a_symbol_is_stale_only_where_the_vendor_has_newer_bars() -> None:
    silent = Quote("NVDA", silent_minutes=7, usual_shares=90_000, newer_bars=True, last_bar=ago(420))
    row = one(REGULAR, symbols=silent)
    assert (row.subject, row.state, row.since) == ("NVDA", State.STALE, ago(420))
    assert row.reason == "silent for 7 min, 90,000 shares are usual, and the vendor has newer bars"
    assert assess(NOW, REGULAR, symbols=[Quote("NVDA", silent_minutes=7, usual_shares=90_000)]) == ()
    assert assess(NOW, REGULAR, symbols=[Quote("NVDA", silent_minutes=7, newer_bars=True)]) == ()


@pytest.mark.parametrize(
    ("unknown", "symbols", "warming"), [(0, 0, False), (5, 10, False), (6, 10, True), (1, 1, True)]
)
def test_warming_is_more_than_half_unknown(unknown: int, symbols: int, warming: bool) -> None:
    rows = assess(NOW, REGULAR, warmth=[Warmth("atr_14d", unknown, symbols)])
    assert [row.state for row in rows] == [State.WARMING] * warming
    if warming:
        percent = round(100 * unknown / symbols)
        assert rows[0].reason == f"atr_14d is unknown for {percent} % of the {symbols} symbols with a bar today"


def test_an_empty_list_is_quiet_where_all_works() -> None:
    rows = assess(
        NOW, REGULAR, feeds=[feed()], processes=[process()], lists=[Listed("winners", 0), Listed("losers", 3)]
    )
    quiet, *_, live = rows
    assert (quiet.subject, quiet.state, quiet.colour) == ("list winners", State.QUIET, "green")
    assert quiet.reason == "all works and nothing qualifies"
    assert (live.subject, live.state, live.reason, live.figures) == ("list losers", State.LIVE, "3 on it", {"rows": 3})


BROKEN: list[tuple[dict[str, Any], State, str]] = [
    ({"feeds": [feed(9)]}, State.DOWN, "it rests on feed ibkr: no heartbeat for 9 s"),
    ({"feeds": [feed(0, 200)]}, State.STALE, "it rests on feed ibkr: no bar of any symbol for 200 s"),
    ({"processes": [process(0, 1, 95)]}, State.STUCK, "it rests on engine: the tape moves, but no step for 95 s"),
    ({"faults": [Fault("disk", "it is full")]}, State.FAULT, "it rests on disk: it is full"),
    ({"feeds": [feed(0, 200)], "processes": [process(7)]}, State.DOWN, "it rests on engine: no heartbeat for 7 s"),
]


@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize(("signs", "state", "reason"), BROKEN)
def test_a_list_on_something_broken_is_neither_quiet_nor_live(
    signs: dict[str, Any], state: State, reason: str, rows: int
) -> None:
    row = next(
        row for row in assess(NOW, REGULAR, lists=[Listed("winners", rows)], **signs) if row.subject == "list winners"
    )
    assert (row.state, row.reason, row.colour) == (state, reason, "red")


@pytest.mark.parametrize(
    "signs",
    [
        {"symbols": [Quote("NVDA", silent_minutes=7, usual_shares=9e4, newer_bars=True)]},
        {"symbols": [Quote("NVDA", halted_since=NOW)]},
        {"warmth": [Warmth("atr_14d", 9, 10)]},
        {"feeds": [feed(vendor_delayed=True)]},
    ],
)
def test_one_symbol_or_something_amber_breaks_no_list(signs: Mapping[str, Any]) -> None:
    rows = assess(NOW, REGULAR, lists=[Listed("winners", 0)], **signs)
    assert {row.subject: row.state for row in rows}["list winners"] is State.QUIET


def test_lists_of_a_closed_market_are_closed() -> None:
    assert one(CLOSED, lists=Listed("winners", 0)).state is State.CLOSED


def test_colours_are_those_of_the_definition() -> None:
    assert {state: Health("x", state, "").colour for state in State} == {
        state: colour for colour, states in COLOURS.items() for state in states
    }


def test_the_worst_comes_first_and_equals_by_subject() -> None:
    rows = assess(
        NOW,
        REGULAR,
        feeds=[feed(0, 200), Feed("backup", ago(9)), Feed("slow", NOW, NOW, vendor_delayed=True)],
        processes=[Process("b", NOW, NOW, ago(99)), Process("a", NOW, NOW, ago(99))],
        faults=[Fault("disk", "it is full")],
        symbols=[Quote("HALT", halted_since=NOW)],
        warmth=[Warmth("atr_14d", 9, 10)],
    )
    told = ["feed backup", "a", "b", "disk", "feed ibkr", "feed slow", "HALT", "fact atr_14d"]
    assert [row.subject for row in rows] == told
    assert [row.state for row in rows] == [
        State.DOWN, State.STUCK, State.STUCK, State.FAULT, State.STALE, State.DELAYED, State.HALTED, State.WARMING,
    ]  # fmt: skip


def test_the_order_of_what_is_watched_makes_no_difference() -> None:
    feeds = [feed(), feed(9), Feed("other", NOW, NOW)]
    assert len({assess(NOW, REGULAR, feeds=order) for order in itertools.permutations(feeds)}) == 1


def test_figures_are_numbers_that_can_be_written_down() -> None:
    rows = assess(NOW, REGULAR, feeds=[feed(0, None)], processes=[process(0, None, None)])
    assert all(np.isfinite(list(row.figures.values())).all() for row in rows)


# Of a day


def day_with(volume: float, k: int, average: float = 1_000.0) -> Day:
    """A day of two symbols, of which A has one bar."""
    universe = Universe.of(TradingDay.of("2025-01-27"), ["A", "B"], {"avg_volume_30d": [average, np.nan]})
    day, price = Day(universe), np.array([10.0, np.nan])
    for before in range(k):
        day.write(Bars.empty(before, 2))
    day.write(Bars(k, price, price, price, price, np.array([volume, 0.0]), price))
    return day


@pytest.mark.parametrize(
    ("k", "volume", "suspect"),
    [
        (400, 100.0, ()),  # ten percent is not more than ten percent
        (400, 101.0, ("A",)),
        (10, 101.0, ("A",)),
        (330, 999.0, ()),  # 09:30
        (331, 999.0, ("A",)),
        (718, 999.0, ("A",)),
        (719, 999.0, ()),  # 15:59
        (720, 999.0, ()),  # 16:00 has the closing auction
        (721, 999.0, ("A",)),
    ],
)
def test_a_bar_of_more_than_a_tenth_of_a_day_is_suspect(k: int, volume: float, suspect: tuple[str, ...]) -> None:
    assert volume_suspects(day_with(volume, k), k) == suspect


def test_nobody_is_suspect_whose_usual_volume_is_unknown() -> None:
    assert volume_suspects(day_with(1e9, 400, average=np.nan), 400) == ()


def test_suspects_are_said_and_break_nothing() -> None:
    (row,) = assess(NOW, REGULAR, suspects=[f"S{i}" for i in range(10)])
    assert (row.subject, row.colour, row.figures) == ("volume_suspect", "green", {"symbols": 10})
    assert row.reason == "in a minute more than 10 % of a usual day's volume: S0, S1, S2, S3, S4, S5, S6, S7 and 2 more"


def test_warmth_counts_symbols_with_a_bar_and_facts_in_use() -> None:
    day, roster = day_with(100.0, 3), scanners.roster(["winners", "hod_break"])
    found = {warmth.fact: (warmth.unknown, warmth.symbols) for warmth in warmth_of(day, 3, roster)}
    assert found["prev_close"] == found["usual_volume"] == (1, 1)
    assert "float_shares" not in found
    assert {warmth.symbols for warmth in warmth_of(day, 2, roster)} == {0}

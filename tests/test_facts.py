"""The facts, worked out by hand on small tables, and against plain loops on random and on real bars."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_metrics import Source

from scanner_kit.calendar import TradingDay
from scanner_kit.entry import Admitted, Rows, admit
from scanner_kit.facts import DAILY, DatedRows, Past, SessionVolume, daily_rows_of, usual_volume_of
from scanner_kit.sources.tape import TapeSource
from scanner_kit.universe import FACTS, WORDS, Facts

# The loops ask exchange_calendars themselves, which warns of the pandas that it is used with.
with_loops = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

DAY = TradingDay.of("2025-01-27")
NAN, INF = float("nan"), float("inf")
SESSIONS = [day.date.isoformat() for day in TradingDay.before(DAY.date, 130)]  # oldest first; -1 is Friday 2025-01-24


def daily(closes: list[float], dates: list[str] | None = None, symbol: str = "A", **columns: list[float]) -> DatedRows:
    """Daily rows up to the day before, of which only what matters is given; high and low are a dollar away."""
    dates = SESSIONS[-len(closes) :] if dates is None else dates
    plain = {"open": closes, "high": [c + 1 for c in closes], "low": [c - 1 for c in closes], "close": closes}
    return DatedRows.of([symbol] * len(closes), dates, **(plain | {"volume": [100.0] * len(closes)} | columns))


def bars(*rows: tuple[Any, ...]) -> Admitted:
    """Minute bars from (symbol, date, k, open, high, low, close, volume)."""
    minutes = [int(TradingDay.of(row[1]).start.astype("datetime64[m]").astype(int)) + row[2] for row in rows]
    columns = [list(column) for column in zip(*rows, strict=True)]
    return admit(Rows.of(columns[0], minutes, *columns[3:]))[0]


def volumes(symbol: str, by_date: dict[str, dict[int, float]]) -> Admitted:
    """Bars of which only the volume matters."""
    return bars(*((symbol, date, k, 5, 5, 5, 5, v) for date, own in by_date.items() for k, v in own.items()))


def fact(past: Past, name: str, day: TradingDay = DAY, symbol: str = "A") -> Any:
    return getattr(past.facts(day, (symbol,)), name)[0]


def same(found: float, expected: float) -> bool:
    return found == expected or (np.isnan(found) and np.isnan(expected))


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        ("prev_close", daily([10.0, 11.0]), 11.0),
        ("pdh", daily([10.0, 11.0]), 12.0),
        ("pdl", daily([10.0, 11.0]), 10.0),
        ("prev_close", daily([10.0, NAN]), NAN),  # the latest row, unknown as it is
        ("prev_close", daily([10.0, INF]), NAN),
        ("prev_close", daily([10.0], [SESSIONS[-5]]), 10.0),
        ("prev_close", daily([10.0], [SESSIONS[-6]]), NAN),  # six sessions old
        ("pdh", daily([10.0], [SESSIONS[-6]]), NAN),
        ("prev_close", daily([10.0], ["2025-01-25"]), NAN),  # a Saturday is no session
        ("prev_close", daily([10.0, 11.0], [SESSIONS[-1]] * 2), 11.0),  # of one date the later in the file
        (
            "prev_close",
            daily([11.0, 10.0], [SESSIONS[-1], SESSIONS[-2]]),
            11.0,
        ),  # the order of the file is no other matter
        ("prev_close", daily([10.0, 99.0, 99.0], [SESSIONS[-1], "2025-01-27", "2025-01-28"]), 10.0),  # never from today
        ("avg_volume_30d", daily([5.0] * 10, volume=[*range(9), 9.0]), 4.5),
        ("avg_volume_30d", daily([5.0] * 9), NAN),
        ("avg_volume_30d", daily([5.0] * 31, volume=[1e9, *[2.0] * 30]), 2.0),
        ("avg_volume_30d", daily([5.0] * 10, volume=[NAN, *[2.0] * 9]), NAN),
        ("avg_volume_30d", daily([5.0] * 31, volume=[NAN, *[2.0] * 30]), 2.0),
        ("avg_volume_10d", daily([5.0] * 5, volume=[1, 2, 3, 4, 6]), 3.2),
        ("avg_volume_10d", daily([5.0] * 4), NAN),
        ("avg_volume_10d", daily([5.0] * 11, volume=[1e9, *[7.0] * 10]), 7.0),
        ("sma_20d", daily([*range(1, 21)]), 10.5),
        ("sma_20d", daily([*range(21)]), 10.5),
        ("sma_20d", daily([5.0] * 19), NAN),
        ("high_20d", daily([99.0, 50.0, *[5.0] * 19]), 51.0),
        ("high_20d", daily([5.0] * 19), NAN),
        ("high_20d", daily([5.0] * 20, high=[NAN, *[6.0] * 19]), NAN),
        # closes flat, high − low is 2: every true range is 2
        ("atr_14d", daily([5.0] * 15), 2.0),
        ("atr_14d", daily([5.0] * 14), NAN),
        # 14 ranges of 2, then a gap from 5 to 9: max(10 − 8, |10 − 5|, |8 − 5|) = 5; (2·13 + 5)/14
        ("atr_14d", daily([*[5.0] * 15, 9.0]), 31.0 / 14),
        # a fall from 9 to 5 on the first true range: |4 − 9| = 5; (5 + 13·2)/14
        ("atr_14d", daily([9.0, *[5.0] * 14]), 31.0 / 14),
        ("atr_14d", daily([5.0] * 15, high=[NAN, *[6.0] * 14]), 2.0),  # the first row has no true range
        (
            "atr_14d",
            daily([NAN, *[5.0] * 14], high=[6.0] * 15, low=[4.0] * 15),
            NAN,
        ),  # but its close is in the second's
        # 101 rows: the first is not looked at, so the leap after it is none
        ("atr_14d", daily([500.0, *[5.0] * 100]), 2.0),
        ("atr_14d", daily([NAN, *[5.0] * 100]), 2.0),
    ],
)
def test_a_fact_of_daily_rows(name: str, rows: DatedRows, expected: float) -> None:
    assert same(fact(Past(daily=rows), name), expected)


def test_the_last_sessions_are_the_last_rows_whatever_lies_between() -> None:
    rows = daily([1.0, 2.0, 3.0, 4.0, 5.0], ["2010-03-01", "2015-03-02", "2020-03-02", "2021-03-01", SESSIONS[-1]])
    assert fact(Past(daily=rows), "avg_volume_10d") == 100.0


def test_a_day_without_a_daily_row_counts_with_its_regular_bars_and_the_volume_of_all() -> None:
    minutes = bars(
        ("A", "2025-01-24", 10, 90, 99, 80, 95, 1000),  # premarket: volume only
        ("A", "2025-01-24", 331, 20, 22, 19, 21, 10),
        ("A", "2025-01-24", 335, 21, 23, 20, 22, 0),
        ("A", "2025-01-24", 719, 22, 22.5, 18, 18.5, 20),
        ("A", "2025-01-24", 720, 70, 77, 7, 70, 500),  # the bar of 16:00 is after the close
        ("A", "2025-01-23", 720, 70, 77, 7, 70, 500),  # no regular bar: no row
        ("B", "2025-01-24", 400, 5, 5, 5, 5, 1),
    )
    derived = daily_rows_of(minutes)
    assert (derived.names, derived.symbol.tolist(), derived.date.astype(str).tolist()) == (
        ("A", "B"),
        [0, 1],
        ["2025-01-24"] * 2,
    )
    assert [derived.columns[name][0] for name in DAILY] == [20, 23, 18, 18.5, 1530]
    assert [fact(Past(minutes), name) for name in ("prev_close", "pdh", "pdl")] == [18.5, 23, 18]


def test_a_daily_row_stands_before_a_derived_one_even_if_its_numbers_are_unknown() -> None:
    minutes = bars(("A", "2025-01-24", 400, 5, 6, 4, 5, 1), ("A", "2025-01-23", 400, 7, 8, 6, 7, 1))
    assert fact(Past(minutes, daily([9.0])), "prev_close") == 9.0
    assert np.isnan(fact(Past(minutes, daily([NAN])), "prev_close"))
    assert fact(Past(minutes, daily([9.0], ["2025-01-23"])), "prev_close") == 5.0


def test_on_an_early_close_the_regular_bars_end_at_13_00() -> None:
    minutes = bars(("A", "2024-11-29", 539, 5, 6, 4, 5, 1), ("A", "2024-11-29", 540, 7, 8, 6, 7, 2))
    past = Past(minutes)
    monday = TradingDay.of("2024-12-02")
    assert [fact(past, name, monday) for name in ("prev_close", "pdh")] == [5.0, 6.0]
    assert daily_rows_of(minutes).columns["volume"].tolist() == [3.0]


FULL = [day.date.isoformat() for day in TradingDay.full_before(DAY.date, 21)]


def test_usual_volume_is_the_median_of_the_cumulative_curves() -> None:
    ends = [10.0, 50.0, 20.0, 40.0, 30.0]
    past = Past(volumes("A", {date: {0: 1.0, 400: end} for date, end in zip(FULL[-5:], ends, strict=True)}))
    curve = past.facts(DAY, ("A",)).usual_volume[:, 0]
    assert (curve[0], curve[399], curve[400], curve[959]) == (1.0, 1.0, 31.0, 31.0)


def test_of_an_even_number_of_sessions_it_is_the_mean_of_the_middle_two() -> None:
    ends = [10.0, 60.0, 20.0, 40.0, 31.0, 50.0]
    past = Past(volumes("A", {date: {400: end} for date, end in zip(FULL[-6:], ends, strict=True)}))
    assert past.facts(DAY, ("A",)).usual_volume[959, 0] == 35.5


def test_usual_volume_needs_five_sessions_with_a_regular_bar() -> None:
    four = {date: {400: 10.0} for date in FULL[-4:]}
    only_after = {FULL[-5]: {329: 10.0, 720: 10.0}}
    of_today = {"2025-01-27": {400: 10.0}, "2025-01-28": {400: 10.0}}
    too_old = {FULL[0]: {400: 10.0}}
    for more in ({}, only_after, of_today, too_old):
        assert np.isnan(Past(volumes("A", four | more)).facts(DAY, ("A",)).usual_volume).all()
    assert Past(volumes("A", four | {FULL[1]: {400: 0.0}})).facts(DAY, ("A",)).usual_volume[959, 0] == 10.0


def test_early_closes_are_left_out_of_usual_volume() -> None:
    day = TradingDay.of("2025-01-02")
    dates = [d.date.isoformat() for d in TradingDay.full_before(day.date, 4)]
    with_early = {date: {400: 10.0} for date in [*dates, "2024-12-24"]}
    assert np.isnan(fact(Past(volumes("A", with_early)), "avg_volume_30d", day))
    assert np.isnan(Past(volumes("A", with_early)).facts(day, ("A",)).usual_volume).all()
    assert fact(Past(volumes("A", with_early)), "avg_volume_10d", day) == 10.0  # there they count like any session


def test_on_an_early_close_the_curve_has_the_minutes_of_that_day() -> None:
    day = TradingDay.of("2024-12-24")
    dates = [d.date.isoformat() for d in TradingDay.full_before(day.date, 5)]
    usual = Past(volumes("A", {date: {400: 10.0, 800: 5.0} for date in dates})).facts(day, ("A",)).usual_volume
    assert usual.shape == (780, 1)
    assert usual[779, 0] == 10.0


def test_usual_volume_of_whole_sessions_is_that_of_their_bars() -> None:
    rng = np.random.default_rng(3)
    dates = FULL[-12:]
    given = {date: np.floor(rng.exponential(50, (960, 7)) * (rng.random((960, 7)) < 0.02)) for date in dates}
    names = [f"S{i}" for i in range(7)]
    rows = [
        (names[i], date, int(k), 5, 5, 5, 5, float(volume[k, i]))
        for date, volume in given.items()
        for k, i in np.argwhere(volume > 0)
    ]
    wanted = Past(bars(*rows)).facts(DAY, names).usual_volume
    sessions = [
        SessionVolume(dt.date.fromisoformat(d), v, np.asarray((v[330:720] > 0).any(axis=0))) for d, v in given.items()
    ]
    of_today = SessionVolume(DAY.date, np.full((960, 7), 9e9), np.ones(7, dtype=np.bool_))
    np.testing.assert_array_equal(usual_volume_of(DAY, iter([*sessions, of_today]), 7), wanted)


def test_usual_volume_keeps_fractions_of_shares() -> None:
    sessions = [
        SessionVolume(d.date, np.full((960, 1), 0.5), np.ones(1, dtype=np.bool_))
        for d in TradingDay.full_before(DAY.date, 5)
    ]
    assert usual_volume_of(DAY, sessions, 1)[959, 0] == 480.0


def reference(**columns: list[Any]) -> DatedRows:
    dates = columns.pop("date")
    return DatedRows.of(
        ["A"] * len(dates), dates, **{k: np.array(v, dtype=object if k in WORDS else float) for k, v in columns.items()}
    )


@pytest.mark.parametrize(
    ("rows", "name", "expected"),
    [
        (reference(date=["2025-01-24"], market_cap=[5e9]), "market_cap", 5e9),
        (reference(date=["2025-01-24"], market_cap=[0.0]), "market_cap", NAN),
        (reference(date=["2025-01-24"], float_shares=[-1.0]), "float_shares", NAN),
        (reference(date=["2025-01-24"], float_shares=[INF]), "float_shares", NAN),
        (reference(date=["2025-01-24"], market_cap=[5e9]), "float_shares", NAN),
        (reference(date=["2025-01-27"], market_cap=[5e9]), "market_cap", NAN),  # of the day itself
        (reference(date=["2025-01-24", "2010-01-04"], market_cap=[5e9, 1e9]), "market_cap", 5e9),
        (reference(date=["2010-01-04", "2025-01-24"], market_cap=[1e9, NAN]), "market_cap", NAN),  # the latest, whole
        (reference(date=["2025-01-24", "2025-01-24"], market_cap=[1e9, 2e9]), "market_cap", 2e9),
    ],
)
def test_a_number_of_reference_rows(rows: DatedRows, name: str, expected: float) -> None:
    assert same(fact(Past(reference=rows), name), expected)


def test_words_are_those_of_the_latest_reference_row() -> None:
    rows = reference(date=["2025-01-24", "2025-01-23"], sector=["Energy", "Tech"], kind=[None, "etf"])
    assert [fact(Past(reference=rows), name) for name in WORDS] == [None, None, "Energy", None, None]


def test_the_universe_is_who_has_a_past_or_a_bar_on_the_day() -> None:
    minutes = bars(
        ("OLD", "2025-01-02", 0, 5, 5, 5, 5, 1),
        ("NOW", "2025-01-27", 0, 5, 5, 5, 5, 1),
        ("NEXT", "2025-01-28", 0, 5, 5, 5, 5, 1),
    )
    rows = DatedRows.of(["D", "TODAY", "", None], ["1999-01-04", "2025-01-27", "2025-01-02", "2025-01-02"])
    known = DatedRows.of(["REF"], ["2025-01-02"])
    assert Past(minutes, rows, known).symbols(DAY) == ("D", "NOW", "OLD")


def test_facts_are_unknown_of_a_symbol_that_has_no_past() -> None:
    for past in (Past(), Past(daily=daily([5.0] * 30)), Past(volumes("A", {FULL[-1]: {400: 1.0}}))):
        facts = past.facts(DAY, ("NEW",))
        assert all(np.isnan(getattr(facts, name)).all() for name in FACTS if name not in WORDS)
        assert all(getattr(facts, name).tolist() == [None] for name in WORDS)


def test_nothing_of_the_day_or_later_changes_a_fact() -> None:
    rng = np.random.default_rng(5)
    closes = rng.uniform(5, 9, 60).tolist()
    dates = [d.date.isoformat() for d in TradingDay.before("2025-02-10", 60)]
    minutes = volumes("A", {d: {400: float(rng.integers(1, 99)), 330: 5.0} for d in dates})
    whole = Past(minutes, daily(closes, dates), reference(date=["2025-01-24", "2025-01-28"], market_cap=[1.0, 2.0]))
    cut = dates.index("2025-01-27")
    before = Past(
        minutes.before(DAY.date), daily(closes[:cut], dates[:cut]), reference(date=["2025-01-24"], market_cap=[1.0])
    )
    assert_same_facts(whole.facts(DAY, ("A",)), before.facts(DAY, ("A",)))


def assert_same_facts(found: Facts, expected: Facts) -> None:
    for name in FACTS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


numbers = st.sampled_from([NAN, 4.0, 5.0, 5.5, 7.25, 100.0])


@with_loops
@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 129), numbers, numbers, numbers, numbers), max_size=260)
)
def test_facts_of_daily_rows_are_those_of_plain_loops(rows: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame([(s, SESSIONS[at], 5.0, *rest) for s, at, *rest in rows], columns=["symbol", "date", *DAILY])
    columns = {name: frame[name].to_numpy(dtype=np.float64) for name in DAILY}
    past = Past(daily=DatedRows.of(frame["symbol"].tolist(), frame["date"].tolist(), **columns))
    facts, own_rows, clock = past.facts(DAY, ("A", "B")), oracle.daily_rows(frame), oracle.day_clock(DAY.date)
    for i, symbol in enumerate("AB"):
        expected = oracle.symbol_facts({}, own_rows.get(symbol, {}), {}, clock, Source())
        for name in set(FACTS) - set(WORDS):
            np.testing.assert_array_equal(getattr(facts, name)[..., i], expected[name], err_msg=name)


@with_loops
def test_facts_of_real_bars_are_those_of_plain_loops(data: Path) -> None:
    name = "smallcap5_ext_2025.parquet"
    minutes, frame = (pq.read_table(data / folder / name).to_pandas() for folder in ("bars_1m", "bars_1d"))
    source, derived = TapeSource(minutes, daily=frame), TapeSource(minutes)
    day = source.days[-1]
    assert_as_in_the_loops(source.past, oracle.replay(minutes, day.date, frame, scanners=()), day)
    assert_as_in_the_loops(derived.past, oracle.replay(minutes, day.date, scanners=()), day)


def assert_as_in_the_loops(past: Past, expected: oracle.Result, day: TradingDay) -> None:
    assert past.symbols(day) == tuple(expected.symbols)
    facts = past.facts(day, expected.symbols)
    for name in set(FACTS) - set(WORDS):
        np.testing.assert_array_equal(getattr(facts, name), np.array(expected.facts[name]).T, err_msg=name)

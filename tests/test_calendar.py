"""The calendar against the exchange's published dates, kept as data: every weekday of nine years."""

import csv
import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner_kit.calendar import NEW_YORK, Session, TradingDay, as_date, minutes_of_days
from scanner_kit.errors import InvalidInput

FILE = Path(__file__).parent / "cases" / "calendar.csv"
FIRST, LAST = dt.date(2018, 1, 1), dt.date(2026, 12, 31)
HOUR = dt.timedelta(hours=1)


def published(what: str) -> dict[dt.date, str]:
    """The dates of one kind, with the reason of each."""
    lines = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]
    return {dt.date.fromisoformat(row["date"]): row["why"] for row in csv.DictReader(lines) if row["what"] == what}


CLOSED, EARLY = published("closed"), published("early")
SUMMER, WINTER = sorted(published("summer")), sorted(published("winter"))
DAYS = [FIRST + dt.timedelta(days=i) for i in range((LAST - FIRST).days + 1)]
SESSIONS = [day for day in DAYS if day.weekday() < 5 and day not in CLOSED]


def test_every_date_that_is_published_is_a_weekday() -> None:
    assert all(day.weekday() < 5 for day in (*CLOSED, *EARLY))
    assert all(day.weekday() == 6 for day in (*SUMMER, *WINTER))
    assert len(CLOSED) == 87


@pytest.mark.parametrize(
    ("year", "sessions"),
    [
        (2018, 251),
        (2019, 252),
        (2020, 253),
        (2021, 252),
        (2022, 251),
        (2023, 250),
        (2024, 252),
        (2025, 250),
        (2026, 251),
    ],
)
def test_a_year_has_as_many_sessions_as_the_exchange_says(year: int, sessions: int) -> None:
    found = TradingDay.before(dt.date(year + 1, 1, 1), 260)
    assert sum(day.date.year == year for day in found) == sessions == sum(day.year == year for day in SESSIONS)


def test_every_weekday_but_the_published_is_a_session() -> None:
    assert [day.date for day in TradingDay.before(dt.date(2027, 1, 1), len(SESSIONS))] == SESSIONS


@pytest.mark.parametrize("date", CLOSED, ids=lambda day: f"{day} {CLOSED[day]}")
def test_a_holiday_is_no_trading_day(date: dt.date) -> None:
    with pytest.raises(InvalidInput, match=f"{date} is no trading day of XNYS"):
        TradingDay.of(date)


def test_sessions_are_short_on_the_published_early_closes_alone() -> None:
    assert [day for day in SESSIONS if TradingDay.of(day).early_close] == sorted(EARLY)


@pytest.mark.parametrize("date", EARLY, ids=lambda day: f"{day} {EARLY[day]}")
def test_an_early_close_is_at_13_00_and_the_day_ends_at_17_00(date: dt.date) -> None:
    day = TradingDay.of(date)
    assert day.time(day.close_k - 1).astimezone(NEW_YORK).time() == dt.time(13)
    assert day.time(day.minutes - 1).astimezone(NEW_YORK).time() == dt.time(17)
    assert [day.session(k) for k in (539, 540, 779, 780)] == ["REGULAR", "POST", "POST", "CLOSED"]


def test_a_full_day_ends_at_20_00() -> None:
    day = TradingDay.of("2025-01-27")
    assert [day.session(k) for k in (-1, 0, 329, 330, 719, 720, 959, 960)] == [
        *(Session.CLOSED, Session.PRE, Session.PRE, Session.REGULAR),
        *(Session.REGULAR, Session.POST, Session.POST, Session.CLOSED),
    ]
    assert day.time(0) == dt.datetime(2025, 1, 27, 9, 1, tzinfo=dt.UTC)
    assert day.time(959) == dt.datetime(2025, 1, 28, 1, 0, tzinfo=dt.UTC)


def test_04_00_in_new_york_is_08_00_utc_between_the_published_changes_of_clocks_and_09_00_otherwise() -> None:
    for date in SESSIONS:
        summer = any(begin <= date < end for begin, end in zip(SUMMER, WINTER, strict=True))
        start = dt.datetime.combine(date, dt.time(8 if summer else 9), dt.UTC)
        assert TradingDay.of(date).time(0) == start + HOUR / 60, date


@given(date=st.sampled_from(SESSIONS), second=st.integers(-6 * 3600, 22 * 3600))
def test_an_instant_is_in_one_minute_of_one_day_across_changes_of_clocks(date: dt.date, second: int) -> None:
    day = TradingDay.of(date)
    instant = day.time(-1) + dt.timedelta(seconds=second)
    k = day.minute_of(instant)
    assert k == second // 60
    assert day.time(k) - HOUR / 60 <= instant < day.time(k)
    dates, ks = minutes_of_days(np.array([int(instant.timestamp()) // 60]))
    assert (ks[0] == k and dates[0] == np.datetime64(date)) == (0 <= k < day.minutes)


def test_the_full_sessions_before_a_day_leave_out_early_closes() -> None:
    # Before Monday 2024-12-02: Friday the 29th is short, Thursday the 28th Thanksgiving.
    assert [str(day.date) for day in TradingDay.before("2024-12-02", 2)] == ["2024-11-27", "2024-11-29"]
    assert [str(day.date) for day in TradingDay.full_before("2024-12-02", 2)] == ["2024-11-26", "2024-11-27"]


def test_a_naive_instant_is_of_new_york() -> None:
    assert TradingDay.of("2025-07-01").minute_of(dt.datetime(2025, 7, 1, 9, 30)) == 330


def test_a_date_is_read_from_a_date_a_text_or_an_instant() -> None:
    expected = dt.date(2025, 1, 27)
    for written in (
        "2025-01-27",
        "2025-01-27T09:30",
        np.datetime64("2025-01-27"),
        dt.datetime(2025, 1, 27, 23),
        expected,
    ):
        assert as_date(written) == expected

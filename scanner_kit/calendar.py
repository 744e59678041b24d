"""The exchange's calendar: which days are traded, and which session a minute belongs to.

The only module of the core that asks the calendar library; what it hands inward are plain values.

>>> day = TradingDay.of("2024-11-29")
>>> day.early_close, day.minutes, day.session(day.open_k), day.session(day.close_k)
(True, 780, <Session.REGULAR: 'REGULAR'>, <Session.POST: 'POST'>)
"""

import datetime as dt
import warnings
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import ClassVar
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np

from scanner_kit.errors import InvalidInput, UnknownName

NEW_YORK = ZoneInfo("America/New_York")
FIRST_DATE, LAST_DATE = "1993-01-01", "2040-12-31"  # fixed, so that no answer depends on the wall clock
DateLike = dt.date | str | np.datetime64


class Session(StrEnum):
    """The four parts of a calendar day, by the start of the minute."""

    PRE = "PRE"
    REGULAR = "REGULAR"
    POST = "POST"
    CLOSED = "CLOSED"

    @classmethod
    def _missing_(cls, value: object) -> "Session":
        raise UnknownName.of("There is no session", str(value), cls)


@dataclass(frozen=True, order=True)
class TradingDay:
    """04:00 to 20:00 New York of one session of XNYS; to 17:00 on an early close.

    Minutes are counted by ``k``, the minutes since 04:00 of a bar's start.
    """

    date: dt.date
    close_k: int = 720
    minutes: int = 960

    open_k: ClassVar[int] = 330

    @classmethod
    def of(cls, date: DateLike) -> "TradingDay":
        """The trading day of a date; `InvalidInput` names the neighbours of a day that is none."""
        return _trading_day(as_date(date))

    @classmethod
    def before(cls, date: DateLike, sessions: int) -> "tuple[TradingDay, ...]":
        """The last `sessions` trading days before a date, oldest first."""
        dates = _session_dates()
        end = int(np.searchsorted(dates, np.datetime64(as_date(date))))
        return tuple(_trading_day(d) for d in dates[max(0, end - sessions) : end].tolist())

    @classmethod
    def after(cls, date: DateLike) -> "TradingDay":
        """The first trading day after a date."""
        dates = _session_dates()
        return _trading_day(dates[np.searchsorted(dates, np.datetime64(as_date(date)), side="right")].item())

    @classmethod
    def full_before(cls, date: DateLike, sessions: int) -> "tuple[TradingDay, ...]":
        """The last `sessions` trading days before a date that were no early closes, oldest first."""
        days = [day for day in cls.before(date, sessions + 10) if not day.early_close]
        return tuple(days[-sessions:])

    @property
    def early_close(self) -> bool:
        """Whether the regular session ends before 16:00."""
        return self.close_k < 720

    @property
    def start(self) -> np.datetime64:
        """04:00 New York as a UTC instant, in seconds."""
        return np.datetime64(_start_of(self.date), "s")

    def session(self, k: int) -> Session:
        """The session of minute `k`; `CLOSED` outside the day."""
        if not 0 <= k < self.minutes:
            return Session.CLOSED
        if k < self.open_k:
            return Session.PRE
        return Session.REGULAR if k < self.close_k else Session.POST

    def time(self, k: int) -> dt.datetime:
        """The instant at which minute `k` has ended, UTC."""
        return dt.datetime.fromtimestamp(_start_of(self.date) + 60 * (int(k) + 1), dt.UTC)

    def minute_of(self, instant: dt.datetime) -> int:
        """The `k` of the minute in which an instant lies; it may be outside the day. Naive instants are New York's."""
        aware = instant if instant.tzinfo else instant.replace(tzinfo=NEW_YORK)
        seconds = aware.timestamp() - _start_of(self.date)
        return int(seconds // 60)


def as_date(date: DateLike) -> dt.date:
    """A date from a date, an ISO text or a numpy date; `InvalidInput` for anything else."""
    if isinstance(date, dt.datetime):
        return date.date()
    if isinstance(date, dt.date):
        return date
    if isinstance(date, np.datetime64):
        date = str(date.astype("datetime64[D]"))
    try:
        return dt.datetime.fromisoformat(date).date()  # a date alone is one at midnight
    except (ValueError, TypeError):
        raise InvalidInput(f"A day is a date like 2025-01-27; found {date!r}. Write it as YYYY-MM-DD.") from None


def minutes_of_days(epoch_minutes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Trading dates and minute indices of UTC minutes since 1970: `(datetime64[D], k)`; k is -1 outside every day."""
    starts, ends = _day_bounds()
    row = np.searchsorted(starts, epoch_minutes, side="right") - 1
    inside = (row >= 0) & (epoch_minutes < ends[np.maximum(row, 0)])
    row = np.where(inside, row, 0)
    k = np.where(inside, epoch_minutes - starts[row], -1)
    return _session_dates()[row], k


@cache
def _calendar() -> exchange_calendars.ExchangeCalendar:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Warning)  # the library's own, about the pandas that it is used with
        return exchange_calendars.get_calendar("XNYS", start=FIRST_DATE, end=LAST_DATE)


@cache
def _session_dates() -> np.ndarray:
    dates: np.ndarray = _calendar().sessions.to_numpy().astype("datetime64[D]")
    return dates


@cache
def _early_dates() -> frozenset[dt.date]:
    return frozenset(_calendar().early_closes.date)


@cache
def _day_bounds() -> tuple[np.ndarray, np.ndarray]:
    days = [_trading_day(date) for date in _session_dates().tolist()]
    starts = np.array([day.start for day in days]).astype("datetime64[m]").astype(np.int64)
    return starts, starts + np.array([day.minutes for day in days])


@cache
def _trading_day(date: dt.date) -> TradingDay:
    if date in _early_dates():
        return TradingDay(date, close_k=540, minutes=780)
    dates = _session_dates()
    at = int(np.searchsorted(dates, np.datetime64(date)))
    if at < len(dates) and dates[at] == np.datetime64(date):
        return TradingDay(date)
    raise InvalidInput(_no_session(date, dates, at))


def _no_session(date: dt.date, dates: np.ndarray, at: int) -> str:
    near = [str(d) for d in dates[max(0, at - 1) : at + 1]]
    return (
        f"{date} is no trading day of XNYS (a weekend, a holiday, or outside {FIRST_DATE} to "
        f"{LAST_DATE}). Nearest: {' and '.join(near)}."
    )


@cache
def _start_of(date: dt.date) -> int:
    """04:00 New York of a date, in seconds since 1970."""
    return int(dt.datetime.combine(date, dt.time(4), tzinfo=NEW_YORK).timestamp())

"""Schedules: when a scan is due, as a pure function of the trading day."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from scanner_kit.calendar import NEW_YORK, TradingDay
from scanner_kit.errors import InvalidInput

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")


@dataclass(frozen=True)
class Schedule:
    """When a scan is due, on trading days only: times are New York's, whatever the season.

    From `start` (by default the open) through `end` (the close, also of a half day), every so many minutes; `every=0`
    is once, at the start. On these `weekdays`; and as many minutes before the open as `before_open` names.

    >>> half_day = TradingDay.of("2024-11-29")
    >>> [f"{time.astimezone(NEW_YORK):%H:%M}" for time in Schedule(every=60, before_open=(15,)).times(half_day)]
    ['09:15', '09:30', '10:30', '11:30', '12:30']
    """

    every: int = 5
    start: str | None = None
    end: str | None = None
    weekdays: tuple[str, ...] = WEEKDAYS
    before_open: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        every: Any = self.every
        days: Any = self.weekdays
        early: Any = self.before_open
        if not _is_count(every) or every > 960:
            raise InvalidInput(f"A schedule's every is minutes, 0 to 960; found {every!r}. Write every=5.")
        for name in ("start", "end"):
            _minute_of(name, getattr(self, name), 0)
        if not isinstance(days, tuple) or not days or not set(days) <= set(WEEKDAYS):
            raise InvalidInput(f"Weekdays are some of {', '.join(WEEKDAYS)}; found {days!r}. Write ('mon',).")
        if not isinstance(early, tuple) or not all(_is_count(one) and 0 < one < TradingDay.open_k for one in early):
            raise InvalidInput(
                f"before_open is minutes from 04:00 to the open, 1 to 329; found {early!r}. Write (10,)."
            )

    def minutes(self, day: TradingDay) -> tuple[int, ...]:
        """When it is due on a trading day: minutes since 04:00, in order."""
        if WEEKDAYS[day.date.weekday()] not in self.weekdays:
            return ()
        start = _minute_of("start", self.start, day.open_k)
        end = min(_minute_of("end", self.end, day.close_k - 1), day.minutes - 1)
        regular = range(start, end + 1, self.every) if self.every else range(start, min(start, end) + 1)
        return tuple(sorted({*(day.open_k - early for early in self.before_open), *regular}))

    def times(self, day: TradingDay) -> tuple[dt.datetime, ...]:
        """When it is due on a trading day, UTC."""
        return tuple(day.time(minute - 1) for minute in self.minutes(day))

    def next_after(self, instant: dt.datetime) -> dt.datetime | None:
        """When it is due next after an instant; None where it never is."""
        day = TradingDay.after(instant.astimezone(NEW_YORK).date() - dt.timedelta(days=1))
        for _ in range(10):  # so many trading days have every weekday among them
            later = [time for time in self.times(day) if time > instant]
            if later:
                return later[0]
            day = TradingDay.after(day.date)
        return None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _minute_of(name: str, text: str | None, otherwise: int) -> int:
    """Minutes since 04:00 of a time like 09:45."""
    if text is None:
        return otherwise
    try:
        time = dt.datetime.strptime(text, "%H:%M")
    except (TypeError, ValueError):
        time = dt.datetime.min
    minute = 60 * time.hour + time.minute - 240
    if not 0 <= minute < 960:
        raise InvalidInput(f"A schedule's {name} is a time from 04:00 to 19:59; found {text!r}. Write '09:45'.")
    return minute

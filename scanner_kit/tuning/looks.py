"""Looks: every setting that a lab has shown, and at which horizons it counts as a try.

One who keeps to the horizon that he began with is told about that one. The others stand beside it on every screen: who
goes over to one of them has chosen among all, and from then on every setting counts at every horizon, those that were
looked at before too.
"""

import datetime as dt
from collections.abc import Iterable

from scanner_kit.tuning.answer import Answer
from scanner_kit.tuning.luck import Register, Try
from scanner_kit.tuning.paths import check_horizon


class Looks:
    """What was looked at over some days, by one who began with a `horizon`; `register` has what counts of it.

    >>> looks = Looks([dt.date(2025, 6, 2)], "30m")
    >>> looks.register
    <Register: 0 settings over 1 day>
    """

    def __init__(self, days: Iterable[dt.date], horizon: str) -> None:
        check_horizon(horizon)
        self.horizon: str | None = horizon
        self.register = Register(days)
        self._seen: dict[tuple[str, str], tuple[Try, ...]] = {}

    def add(self, answer: Answer) -> None:
        """A setting was looked at; seen again it is no new try."""
        key = answer.scanner.name, answer.settings_id
        if key not in self._seen:
            self._seen[key] = Try.each_of(answer)
            self.register = self.register.add(*self._counting(self._seen[key]))

    def at(self, horizon: str) -> None:
        """A horizon was looked at; another one than the first makes all of them count."""
        if self.horizon not in (None, horizon):
            self.horizon = None
            self.register = self.register.add(*(one for each in self._seen.values() for one in each))

    def _counting(self, each: Iterable[Try]) -> Iterable[Try]:
        return [one for one in each if self.horizon in (None, one.horizon)]

"""The board time machine: the lists as they were published with any minute of any stored day, and what had fired."""

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from scanner_kit.calendar import NEW_YORK, TradingDay
from scanner_kit.ranking import Row as ListRow
from scanner_kit.views import lists, triggers
from scanner_kit.views.aside import Aside
from scanner_kit.views.deltas import Channel, State
from scanner_kit.views.desk import Listing
from scanner_kit.views.explorer.asked import Asked
from scanner_kit.views.explorer.records import Records, Row, Standing
from scanner_kit.views.explorer.rows import marks_of, spoken
from scanner_kit.views.explorer.screens import Minute
from scanner_kit.views.grid import Hot, Lists
from scanner_kit.views.triggers import SEVERITY, Triggers

AT_ONCE = 2_000
MOST = 20_000


class Machine:
    """Day and minute of a session, and the screens that show the board of them."""

    def __init__(
        self,
        records: Records,
        minute: Minute,
        hot: Hot,
        lists_: Lists,
        tape: Triggers,
        moved: Callable[[], Any],
        choose: Callable[[str, Row | None], Any],
    ) -> None:
        self.records, self._moved, self._choose = records, moved, choose
        self.minute, self._screens = minute, {"hot": hot, "lists": lists_, "triggers": tape}
        self._channels = {name: Channel() for name in self._screens}
        self._days: Sequence[dt.date] = ()
        self.day: dt.date | None = None
        self._minutes: Sequence[int] = ()
        self._fired: Sequence[Row] = ()
        self._lines: dict[str, dict[str, Any]] = {}
        self.at, self._wish = -1, ""
        self._fault = ""
        self._of_day, self._of_minute = Aside(), Aside()
        minute._answers |= {"day": self.turn_to, "time": self.go_to, "at": self.go, "step": self.step}
        for name, screen in self._screens.items():
            screen._answers |= {"whole": partial(self._whole, name), "choose": self._chosen}

    def wish(self, day: str, time: str) -> None:
        """Which day and time of a link are shown when the days are known."""
        self._wish = time[:8]
        try:
            self.day = dt.date.fromisoformat(day) if day else None
        except ValueError:
            self._fault = f"A day is written 2025-01-27; found {day[:20]!r}. Choose one."

    def take(self, days: Sequence[dt.date]) -> None:
        """The days that can be shown."""
        self._days = days
        wanted = self.day if self.day in days or not days else days[-1]
        self.day = None
        if wanted is None:
            self._draw_minute()
        else:
            self.turn_to(str(wanted))

    @property
    def query(self) -> dict[str, str]:
        """Day and time, as a link carries them."""
        if self.day is None:
            return {}
        return {"day": str(self.day), **({"time": self.time} if self.time else {})}

    @property
    def time(self) -> str:
        """The end of the minute that is shown, in New York."""
        return "" if self.day is None or not 0 <= self.at < len(self._minutes) else self._clock(self._minutes[self.at])

    # What one does

    def turn_to(self, day: Any) -> None:
        """Show another day, at the same time of day where there is one."""
        try:
            date = dt.date.fromisoformat(str(day))
        except ValueError:
            return
        if date != self.day:
            self._wish, self.day = self.time or self._wish, date
            self._of_day.ask(lambda: self._read(date), self._day_came, self._failed)

    def go_to(self, text: Any) -> None:
        """Show the minute that ends at a time in New York, as it is typed: 09:37, 9:37 or 0937."""
        found = re.fullmatch(r"\s*(\d{1,2}):?(\d{2})(?::00)?\s*", str(text)[:12])
        if found is None or self.day is None:
            self._fault = f"A time is written 09:37; found {str(text)[:12]!r}. Write it so."
            self._draw_minute()
            return
        k = int(found[1]) * 60 + int(found[2]) - 241
        near = min(range(len(self._minutes)), key=lambda i: abs(self._minutes[i] - k), default=-1)
        self._fault = ""
        self._go(near)
        if near >= 0 and self._minutes[near] != k:
            self._fault = f"No lists are stored of {found[1]:0>2}:{found[2]}; the nearest are those of {self.time}."
            self._draw_minute()

    def step(self, by: Any) -> None:
        """Go some minutes on or back."""
        if isinstance(by, int) and self._minutes:
            self.go(min(max(self.at + by, 0), len(self._minutes) - 1))

    def go(self, at: Any) -> None:
        """Show the minute at a place among those that are stored."""
        if isinstance(at, int):
            self._fault = ""
            self._go(at)

    # What comes back

    def _read(self, day: dt.date) -> tuple[Sequence[int], Sequence[Row]]:
        """The minutes of a day and all its triggers, oldest first; with very many those of the first `MOST`."""
        asked, rows, at = Asked().of_day(day), list[Row](), None
        while len(rows) < MOST:
            page = self.records.page(asked, at, AT_ONCE)
            rows += page.rows
            if (at := page.next) is None:
                break
        return self.records.minutes(day), rows

    def _day_came(self, answer: tuple[Sequence[int], Sequence[Row]]) -> None:
        self._minutes, self._fired = answer
        self._lines = {}
        for key, line in map(line_of, self._fired):
            self._lines[key] = triggers.merge(self._lines[key], line) if key in self._lines else line
        self.at = -1
        if self._wish:
            self.go_to(self._wish)
        else:
            self._go(len(self._minutes) - 1)

    def _go(self, at: int) -> None:
        day = self.day
        if day is None or not 0 <= at < len(self._minutes):
            self._draw({"hot": {}, "lists": {}, "triggers": {"lines": {}}})
            self._draw_minute()
            self._moved()
            return
        self.at, k = at, self._minutes[at]
        self._draw_minute()
        self._moved()
        self._of_minute.ask(lambda: self.records.standing(day, k), self._standing_came, self._failed)

    def _standing_came(self, standing: Standing | None) -> None:
        if standing is None or self.day is None:
            return
        until = TradingDay.of(self.day).time(standing.k).timestamp()
        fired = {key: line for key, line in self._lines.items() if line["time"] <= until}
        found: dict[str, Any] = {
            name: Listing(tuple(ListRow(symbol, figures.get("score", math.nan), figures) for symbol, figures in rows))
            for name, rows in standing.lists.items()
        }
        hot = {name: one for name, one in found.items() if name == "hot"}
        others = {name: one for name, one in found.items() if name != "hot"}
        self._draw(
            {"hot": lists.state(hot), "lists": lists.state(others), "triggers": {"lines": triggers.add({}, fired)}}
        )

    def _failed(self, said: str) -> None:
        self._fault = said
        self._draw_minute()

    def _chosen(self, symbol: Any) -> None:
        if isinstance(symbol, str) and len(symbol) <= 16:
            k = self._minutes[self.at] if 0 <= self.at < len(self._minutes) else -1
            mine = [row for row in self._fired if row["symbol"] == symbol and int(row["k"]) <= k]
            self._choose(symbol, mine[-1] if mine else None)

    # What is shown

    def _draw(self, states: Mapping[str, State]) -> None:
        for name, state in states.items():
            channel = self._channels[name]
            since, _ = channel.message(-1, 0.0)
            if channel.put(state, 0.0):
                self._screens[name].delta = channel.message(since, 0.0)[1]

    def _whole(self, name: str, _: Any = None) -> None:
        screen = self._screens[name]
        screen.delta = ""
        screen.delta = self._channels[name].message(-1, 0.0)[1]

    def _draw_minute(self) -> None:
        said = "" if self._minutes else "No lists are stored of this day." if self.day else "Nothing is stored yet."
        if self.time:
            session = TradingDay.of(self.day).session(self._minutes[self.at]) if self.day else ""
            said = f"New York, {SESSIONS.get(str(session), str(session))}: as it was published"
        self.minute.shown = json.dumps(
            {
                "days": [[str(day), f"{day:%a, %b %d, %Y}"] for day in reversed(self._days)],
                "day": str(self.day or ""),
                "minutes": [self._clock(k) for k in self._minutes],
                "at": self.at,
                "said": said,
                "fault": self._fault,
            }
        )

    def _clock(self, k: int) -> str:
        assert self.day is not None, "minutes are of a day"
        return f"{TradingDay.of(self.day).time(k).astimezone(NEW_YORK):%H:%M}"


SESSIONS = {"PRE": "premarket", "REGULAR": "regular session", "POST": "after hours"}


def line_of(row: Row, severity: float = SEVERITY) -> tuple[str, dict[str, Any]]:
    """A stored trigger as a line of the tape of triggers, and what the line is known by."""
    instant = dt.datetime.fromisoformat(row["time"]).timestamp()
    known = row.get("severity")
    notable = known is None or known >= severity or row["kind"] in ("halted", "resumed")
    figures = row.get("level"), row.get("stop"), notable
    chip = [row["scanner"], row["kind"], int(row["side"]), known, spoken(row), *figures]
    marks = marks_of(row)
    line = {
        "time": instant,
        **{name: row.get(name) for name in ("symbol", "session", "price", "level", "stop")},
        "side": int(row["side"]),
        "severity": known,
        "fired": [chip],
        "notable": notable,
        **({"marks": marks} if marks else {}),
    }
    return f"{row['symbol']} {instant:.3f}", line

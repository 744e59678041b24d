"""The explorer of one session: what is asked and clicked goes to the records, what they answer goes to the screens."""

import datetime as dt
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import panel as pn

from scanner_kit.errors import InvalidInput
from scanner_kit.tuning.paths import HORIZONS
from scanner_kit.views.aside import Aside
from scanner_kit.views.component import asset
from scanner_kit.views.explorer.asked import ORDERS, Asked
from scanner_kit.views.explorer.look import LookPane
from scanner_kit.views.explorer.machine import Machine
from scanner_kit.views.explorer.records import Page, Records, Row
from scanner_kit.views.explorer.review import Came, Review
from scanner_kit.views.explorer.rows import told_of, told_of_outcome
from scanner_kit.views.explorer.screens import Minute, Question, Rows
from scanner_kit.views.grid import Hot, Lists
from scanner_kit.views.lists import title
from scanner_kit.views.triggers import Triggers

SIZE = 100
TRIGGERS, BOARD = "triggers", "board"
REMEMBERED = 5_000


class Explorer:
    """Records, and the screens of one session over them.

    Parameters
    ----------
    records
        What is stored.
    review
        Who tells what came of a trigger and why it fired; without one there are rows only.
    scanners, metrics
        Names that can be asked for.
    query
        What a link asks for: see `Asked`, and `view`, `day`, `time`, `trigger`, `horizon`.
    size
        Rows of a page.
    """

    def __init__(
        self,
        records: Records,
        review: Review | None = None,
        *,
        scanners: Iterable[str] = (),
        metrics: Iterable[str] = (),
        query: Mapping[str, str] | None = None,
        size: int = SIZE,
    ) -> None:
        query = query or {}
        self.records, self.review, self.size = records, review, size
        self._scanners, self._metrics = [[name, title(name)] for name in scanners], [[name, name] for name in metrics]
        self._pages, self._outcomes, self._looks = Aside(), Aside(), Aside()
        self._page, self._number, self._turns, self._waiting = Page(()), 1, itertools.count(1), True
        self._turn = 0
        self._came: dict[str, Came] = {}
        self._looked: Row | None = None
        self._fault = self._failed = ""
        self._days: Sequence[dt.date] = ()
        self.view = BOARD if query.get("view") == BOARD else TRIGGERS
        self.horizon = query.get("horizon", "30m") if query.get("horizon") in HORIZONS else "30m"
        self.asked = self._asked_of(query)
        self._make_screens()
        self.machine = Machine(records, self.minute, self.hot, self.lists, self.tape, self._moved, self._symbol_chosen)
        self.machine.wish(query.get("day", ""), query.get("time", ""))
        self._draw_desk()
        self._draw_question()
        self._ask(None, 1)
        self._pages_days()
        if query.get("trigger"):
            self._open(query["trigger"][:64])

    def _make_screens(self) -> None:
        self.question = Question(answers={"view": self.show, "ask": self.ask}, css_classes=["asked"])
        self.rows = Rows(answers={"go": self.go, "look": self.look_at, "horizon": self.judge_by}, css_classes=["rows"])
        self.look = LookPane({"look": self.look_at, "notebook": self.write_notebook})
        self.minute = Minute(css_classes=["minute"])
        self.hot, self.lists = Hot(css_classes=["hot"]), Lists(css_classes=["lists"])
        self.tape = Triggers(css_classes=["tape"])
        self.desk = pn.Column(
            *(self.question, self.rows, self.minute, self.hot, self.lists, self.tape, self.look.pane),
            sizing_mode="stretch_both",
            margin=0,
            stylesheets=[asset("explorer.css")],
        )

    # What one does

    def show(self, view: Any) -> None:
        """Show the triggers, or the board at a minute."""
        if view in (TRIGGERS, BOARD) and view != self.view:
            self.view = view
            self.look_at("")
            self._draw_desk()
            self._draw_question()

    def ask(self, changes: Any) -> None:
        """Ask for other triggers: some of the query of a link anew; None for all of them."""
        try:
            given = {str(name): str(text)[:400] for name, text in changes.items()} if changes is not None else None
            asked = Asked() if given is None else self.asked.changed(given)
        except InvalidInput as refusal:
            self._fault = str(refusal)
        else:
            self._fault, self.asked = "", asked
            self._ask(None, 1)
        self._draw_question()

    def go(self, where: Any) -> None:
        """Turn to the next, the previous or the first page."""
        at = {"next": self._page.next, "previous": self._page.previous}.get(where)
        if at is not None:
            self._ask(at, max(1, self._number + (1 if where == "next" else -1)))
        elif where == "first":
            self._ask(None, 1)

    def judge_by(self, horizon: Any) -> None:
        """Tell the outcomes by another horizon."""
        if horizon in HORIZONS:
            self.horizon = horizon
            self._draw_rows()
            self._draw_outcomes()
            self.look.judge_by(horizon)
            self._draw_question()

    def look_at(self, key: Any) -> None:
        """Look at one trigger, by its identity; an empty one closes it."""
        if not key:
            self._look(None)
        elif isinstance(key, str):
            row = next((row for row in self._page.rows if row["identity"] == key), None)
            self._look(row) if row is not None else self._open(key)

    def write_notebook(self, _: Any = None) -> None:
        """Write the notebook of the trigger that is looked at."""
        row, review = self._looked, self.review
        if row is not None and review is not None:
            self._looks.ask(
                lambda: review.notebook(row), lambda path: self.look.say(f"Written to {path}"), self.look.refuse
            )

    # What comes back

    def _ask(self, at: Any, number: int) -> None:
        self._waiting, asked = True, self.asked
        self._draw_rows()
        self._pages.ask(lambda: (number, self.records.page(asked, at, self.size)), self._page_came, self._page_failed)

    def _page_came(self, answer: tuple[int, Page]) -> None:
        self._number, self._page = answer
        if self._page.previous is None:
            self._number = 1
        self._turn, self._waiting, self._failed = next(self._turns), False, ""
        with pn.io.hold():
            self._draw_rows()
            self._draw_outcomes()
            self._draw_question()
        self._ask_outcomes()

    def _page_failed(self, said: str) -> None:
        self._waiting, self._failed, self._page = False, said, Page(())
        self._draw_rows()
        self._draw_question()

    def _ask_outcomes(self) -> None:
        """Ask what came of the page's triggers, one day after the other: of each the tape must be read."""
        review = self.review
        if review is None:
            return
        rows = [row for row in self._page.rows if row["identity"] not in self._came]
        for day, group in itertools.groupby(rows, key=lambda row: str(row["day"])):
            date, some = dt.date.fromisoformat(day), list(group)
            if review.archived(date):
                self._outcomes.ask(
                    lambda date=date, some=some: review.came(date, some),  # type: ignore[misc]
                    self._outcomes_came,
                    lambda said, some=some: self._outcomes_came(dict.fromkeys((r["identity"] for r in some), LOST)),  # type: ignore[misc]
                )
                return
        self._outcomes.forget()

    def _outcomes_came(self, found: Mapping[str, Came]) -> None:
        self._came |= found
        surplus = len(self._came) - REMEMBERED
        for identity in list(itertools.islice(self._came, max(0, surplus))):
            del self._came[identity]
        self._draw_outcomes()
        if found:
            self._ask_outcomes()

    def _open(self, identity: str) -> None:
        """Look at a trigger that is not on the page."""
        self._looks.ask(lambda: self.records.trigger(identity), self._look, self.look.refuse)

    def _look(self, row: Row | None) -> None:
        self._looked = row
        with pn.io.hold():
            self.rows.chosen = "" if row is None else row["identity"]
            self._draw_desk()
            self._draw_question()
            self.look.show(row, self.horizon)
        review = self.review
        if row is None:
            self._looks.forget()
        elif review is not None:
            self._looks.ask(lambda: review.look(row), self.look.draw, self.look.refuse)

    def _symbol_chosen(self, symbol: str, row: Row | None) -> None:
        """On the board at a minute a symbol was pressed: its last trigger up to then is looked at."""
        for screen in (self.hot, self.lists, self.tape):
            screen.chosen = symbol
        self._look(row)

    def _moved(self) -> None:
        self._draw_question()

    def _pages_days(self) -> None:
        aside = self._days_asked = Aside()
        aside.ask(self.records.days, self._days_came, self._page_failed)

    def _days_came(self, days: Sequence[dt.date]) -> None:
        self._days = list(days)
        self.machine.take(self._days)
        self._draw_question()

    # What is shown

    @property
    def link(self) -> str:
        """The query of the link that leads to what is shown."""
        told = dict(self.asked.query)
        if self.view == BOARD:
            told = {"view": BOARD, **self.machine.query}
        if self.horizon != "30m":
            told["horizon"] = self.horizon
        if self._looked is not None:
            told["trigger"] = self._looked["identity"]
        return urlencode(told, safe=":.,")

    def _asked_of(self, query: Mapping[str, str]) -> Asked:
        try:
            return Asked.of(query)
        except InvalidInput as refusal:
            self._fault = str(refusal)
            return Asked()

    def _draw_desk(self) -> None:
        self.desk.css_classes = [
            name for name, on in (("open", self._looked is not None), ("board", self.view == BOARD)) if on
        ]

    def _draw_question(self) -> None:
        ends = [str(self._days[0]), str(self._days[-1])] if self._days else []
        days = "1 day" if len(self._days) == 1 else f"{len(self._days):,} days"
        span = f"{days} stored, {ends[0]} to {ends[1]}" if ends else ""
        self.question.shown = json.dumps(
            {
                "view": self.view,
                "query": self.asked.query,
                "scanners": self._scanners,
                "metrics": self._metrics,
                "orders": list(ORDERS.items()),
                "days": ends,
                "said": span,
                "fault": self._fault or self._failed,
                "link": self.link,
            }
        )

    def _draw_rows(self) -> None:
        page, archived = self._page, {}
        if self.review is not None:
            archived = {
                day: self.review.archived(dt.date.fromisoformat(day)) for day in {str(r["day"]) for r in page.rows}
            }
        self.rows.shown = json.dumps(
            {
                "rows": [told_of(row, archived.get(str(row["day"]), False)) for row in page.rows],
                "key": self._turn_key(),
                "asked": str(self.asked),
                "page": self._number,
                "next": page.next is not None,
                "previous": page.previous is not None,
                "horizon": self.horizon,
                "horizons": HORIZONS,
                "waiting": self._waiting,
                "looked": page.looked,
                "none": self._why_none(),
            }
        )

    def _why_none(self) -> str:
        """What is said of a page without a row."""
        if self._page.looked:
            return f"{self._page.looked}: none of them is as asked. The next page looks on."
        return "Nothing stored answers to this. Ask for less." if self.asked != Asked() else "Nothing is stored yet."

    def _turn_key(self) -> str:
        first = self._page.rows[0]["identity"] if self._page.rows else ""
        return f"{self.asked.query} {first}"

    def _draw_outcomes(self) -> None:
        h = HORIZONS.index(self.horizon)
        known = {r["identity"]: self._came[r["identity"]] for r in self._page.rows if r["identity"] in self._came}
        self.rows.outcomes = json.dumps({identity: told_of_outcome(came, h) for identity, came in known.items()})


LOST = Came(*((("?",) * len(HORIZONS),) + ((float("nan"),) * len(HORIZONS),) * 3))
"""Stands for what could not be computed."""

"""The bench of one session: what is moved and clicked goes to the `Lab`, what it answers goes to the screens."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import panel as pn

from scanner_kit.answers import chart_metrics
from scanner_kit.composition import AnyScanner
from scanner_kit.errors import InvalidInput, ScannerKitError
from scanner_kit.tuning.answer import Answer
from scanner_kit.tuning.groups import Part
from scanner_kit.tuning.history import History, check_history
from scanner_kit.tuning.lab import STARTED, Lab
from scanner_kit.tuning.looks import Looks
from scanner_kit.tuning.luck import Register
from scanner_kit.tuning.paths import HORIZONS
from scanner_kit.universe import Bools
from scanner_kit.views import session
from scanner_kit.views.component import asset
from scanner_kit.views.lists import title
from scanner_kit.views.pages import links
from scanner_kit.views.tuning import look, worth
from scanner_kit.views.tuning.changes import SORTS, WHICH, Asked, Changes, place_of
from scanner_kit.views.tuning.later import Later
from scanner_kit.views.tuning.luck import Told, luck_hint, luck_line, told_of
from scanner_kit.views.tuning.screens import (
    Controls,
    Head,
    Horizons,
    Line,
    LookHead,
    Reasons,
    Strip,
    Table,
    WhereHead,
)
from scanner_kit.views.tuning.thresholds import meant, sections
from scanner_kit.views.tuning.where import Where, groupings, said
from scanner_kit.views.tuning.words import FEW, plain, r

_numbers = itertools.count(1)


class Bench:
    """A history, scanners to tune on it, and the screens of one session; `lab` is the one that is worked with."""

    def __init__(
        self, history: History, scanners: Sequence[AnyScanner], horizon: str = "30m", looks: Looks | None = None
    ) -> None:
        if not scanners:
            raise InvalidInput("There is nothing to tune. Give a scanner that has a trigger.")
        check_history(history)
        history.require(chart_metrics())
        self.history, self.name = history, f"lab{next(_numbers)}"
        self._scanners, self._labs = {scanner.name: scanner for scanner in scanners}, dict[str, Lab]()
        self._horizon, self._by, self._asked, self._start = horizon, "time", Asked(), 0
        self.parts: list[Part] = []
        self._subject: look.Subject | None = None
        self._later, self._moved = Later(), 0
        self._looks = Looks(history.dates, horizon) if looks is None else looks
        self._looks.at(horizon)
        self._told: tuple[Register | None, Told | None] = (None, None)
        self._refused: dict[str, str] = {}
        self._drawn = ("", "")
        self.where, self.chart = Where(self.name), look.TradeChart()
        self._make_screens()
        self.lab = self._lab_of(scanners[0].name)
        if not session.served():  # what comes while a cell is being drawn would be lost
            self._chance(self.lab.answer, self.lab.register)
        self.draw()

    def _make_screens(self) -> None:
        self.head = Head(
            answers={"scanner": self.choose},
            sizing_mode="stretch_width",
            height=48,
            margin=0,
            shown=self._told_of_history(),
        )
        self.line = Line(css_classes=["line"])
        self.controls = Controls(
            answers={
                "move": self.move, "undo": self.undo, "redo": self.redo, "reset": self.reset, "keep": self.keep,
                "drop": self.drop, "take": self.take, "compare": self.compare_with,
            },
            css_classes=["controls"],
        )  # fmt: skip
        self.strip = Strip(answers={"horizon": self.judge_by, "unpick": self.unpick}, css_classes=["strip"])
        self.horizons = Horizons(answers={"horizon": self.judge_by}, css_classes=["horizons"])
        self.table = Table(answers={"ask": self.ask, "look": self.look_at}, css_classes=["table"])
        self.where_head = WhereHead(answers={"by": self.group_by, "group": self.pick})
        self.look_head = LookHead(answers={"look": self.look_at})
        self.reasons = Reasons()
        self.where_plot = pn.pane.Bokeh(self.where.figure, sizing_mode="stretch_both", margin=0)
        self.look_plot = pn.pane.Bokeh(self.chart.figure, sizing_mode="stretch_both", margin=0)
        bars = pn.Column(self.where_plot, scroll="y-auto", sizing_mode="stretch_both", margin=0)
        panes = (("where", self.where_head, bars), ("look", self.look_head, self.look_plot, self.reasons))
        self._panes = [
            pn.Column(*parts, margin=0, css_classes=[name], stylesheets=[asset("base.css", f"lab_{name}_pane.css")])
            for name, *parts in panes
        ]
        self.desk = pn.Column(
            *(self.controls, self.line, self.strip, self.table, self.horizons, *self._panes),
            sizing_mode="stretch_both",
            margin=0,
            stylesheets=[asset("lab.css")],
        )

    # What one does

    def move(self, asked: Any) -> None:
        """Other thresholds, by name; what is refused is said beside its control.

        `seq` counts what was asked, `sliding` says that a slider is still held: all of that is one step for undo.
        """
        self._moved, self._refused = int(asked["seq"]), {}
        for name, value in asked["values"].items():
            try:
                self.lab.slide(**{str(name): meant(self.lab, name, value)})
            except (ScannerKitError, ValueError, TypeError) as refusal:
                self._refused[str(name)] = str(refusal)
        if not asked.get("sliding"):
            self.lab.settle()
        self.draw()

    def undo(self, _: Any = None) -> None:
        """Back to the setting before."""
        self.lab.undo()
        self._settle()

    def redo(self, _: Any = None) -> None:
        """Forward to what was undone."""
        self.lab.redo()
        self._settle()

    def reset(self, _: Any = None) -> None:
        """Back to where the lab started."""
        self.lab.reset()
        self._settle()

    def keep(self, name: Any) -> None:
        """Keep the present thresholds under a name."""
        self._variants(lambda: self.lab.keep(str(name)[:40]))

    def drop(self, name: Any) -> None:
        """Give up a variant."""
        self._variants(lambda: self.lab.drop(str(name)))

    def take(self, name: Any) -> None:
        """Go on from a variant."""
        self._variants(lambda: self.lab.take(str(name)))

    def compare_with(self, name: Any) -> None:
        """Compare with a variant."""
        self._variants(lambda: self.lab.compare_with(str(name)))

    def judge_by(self, horizon: Any) -> None:
        """Judge by another horizon."""
        if horizon in HORIZONS:
            self._horizon = horizon
            self.lab.judge_by(horizon)
            self.draw()

    def choose(self, name: Any) -> None:
        """Work with another scanner; each keeps its own settings, variants and steps back."""
        if name in self._scanners:
            self.look_at("")
            self.lab, self.parts, self._start, self._by = self._lab_of(name), [], 0, "time"
            self.lab.judge_by(self._horizon)
            self._settle()

    def group_by(self, by: Any) -> None:
        """Group by something else."""
        if by in [name for name, _ in groupings(self.lab.answer)]:
            self._by = by
            self.draw()

    def pick(self, label: Any) -> None:
        """Look at one group only, or at all again where it is the one already."""
        part = self.where.parts.get(label)
        if part is not None:
            others = [one for one in self.parts if one.by != part.by]
            self.parts = others if part in self.parts else [*others, part]
            self._start = 0
            self.draw()

    def unpick(self, by: Any) -> None:
        """Take a filter away."""
        self.parts = [part for part in self.parts if part.by != by]
        self.draw()

    def ask(self, asked: Any) -> None:
        """Other rows of the table, in another order, or from another place on."""
        which, find, sort = (str(asked.get(name, getattr(self._asked, name))) for name in ("which", "find", "sort"))
        if which in WHICH and sort in SORTS:
            self._asked = Asked(which, find.upper()[:16], sort, bool(asked.get("down", self._asked.down)))
            self._start = max(0, int(asked.get("start", 0)))
            self._draw_table()

    def look_at(self, key: Any) -> None:
        """Look at one trigger; an empty key closes it."""
        self._subject = self._find(str(key)) if key else None
        with pn.io.hold():
            self.table.chosen = "" if self._subject is None else self._subject.key
            self.desk.css_classes = ["open"] if self._subject else []
            self._draw_look(afresh=True)

    # What is shown

    def draw(self) -> None:
        """Bring every screen up to date."""
        with pn.io.hold():
            answer, beside = self.lab.answer, self.lab.answer_of(self.lab.beside)
            self._kept = self._mask(answer), self._mask(beside)
            self._draw_controls()
            self._draw_worth()
            self._draw_table()
            self._draw_where()
            self._draw_line()
            self._draw_look()
        register = self.lab.register
        if not answer.chance_known or register is not self._told[0]:
            self._later.do(lambda: self._chance(answer, register), lambda: self._chance_came(answer))

    def _chance(self, answer: Answer, register: Register) -> None:
        """Draw the random entries, and see what luck could do: not in the session's turn, for it may take a while."""
        _ = answer.chance
        self._told = register, told_of(register, self.lab.seed)

    def _chance_came(self, answer: Answer) -> None:
        with pn.io.hold():
            self._draw_line()
            if answer is self.lab.answer:
                self._draw_worth()

    def _draw_worth(self) -> None:
        answer, beside = self.lab.answer, self.lab.answer_of(self.lab.beside)
        now, other = (
            one if whole.all() else one.take(whole) for one, whole in zip((answer, beside), self._kept, strict=True)
        )
        figures = now.worth_of(slice(None), with_chance=answer.chance_known)
        waiting = not answer.chance_known
        self.strip.shown = json.dumps(
            {
                "figures": worth.strip(figures, other.worth, self.lab.horizon, waiting=waiting),
                "horizon": self.lab.horizon,
                "horizons": HORIZONS,
                "beside": self.lab.beside,
                "few": FEW,
                "days": len(self.history),
                "parts": [[part.by, f"{said(part.by)}: {part.label}"] for part in self.parts],
            }
        )
        rows = worth.horizons(figures, waiting=waiting)
        self.horizons.shown = json.dumps({"rows": rows, "horizon": self.lab.horizon})

    def _draw_table(self) -> None:
        lab = self.lab
        new, old = self._kept
        table = Changes(lab.answer_of(lab.beside), lab.answer, lab.difference, old, new, lab.horizon)
        total, rows = table.page(self._asked, self._start)
        told = {"counts": table.counts, "total": total, "start": self._start, "rows": rows, "beside": lab.beside}
        asked = {name: getattr(self._asked, name) for name in ("which", "find", "sort", "down")}
        self.table.shown = json.dumps({**told, **asked, "horizon": lab.horizon, "name": lab.scanner.name})

    def _draw_where(self) -> None:
        others = [part for part in self.parts if part.by != self._by]
        answer = self.lab.answer
        shown = answer.take(_of_all(answer, others)) if others else answer
        note = self.where.show(shown, self._by, self.lab.horizon, self.parts)
        self.where_head.shown = json.dumps(
            {
                "by": self._by,
                "groupings": groupings(answer),
                "note": note,
                "empty": not self.where.parts,
                "lab": self.name,
                "horizon": self.lab.horizon,
            }
        )
        self._push(self.where_plot)

    def _draw_controls(self) -> None:
        lab = self.lab
        try:
            toml = lab.toml()
        except InvalidInput as refusal:
            toml = f"# {refusal}"
        self.controls.shown = json.dumps(
            {
                "scanner": lab.scanner.name,
                "sections": sections(lab),
                "answered": self._moved,
                "refused": self._refused,
                "undo": lab.can_undo,
                "redo": lab.can_redo,
                "variants": [self._variant(name) for name in lab.variants],
                "toml": toml,
            }
        )

    def _variant(self, name: str) -> dict[str, Any]:
        lab, answer = self.lab, self.lab.answer_of(name)
        figures, h = answer.worth, HORIZONS.index(self.lab.horizon)
        return {
            "name": name,
            "beside": name == lab.beside,
            "now": answer.settings_id == lab.answer.settings_id,
            "fixed": name == STARTED,
            "a_day": plain(figures.a_day.value),
            "mean": r(figures.own.mean_r.value[h]),
            "weak": int(figures.own.mean_r.n[h]) < FEW,
        }

    def _draw_line(self) -> None:
        lab, found = self.lab, self.lab.difference
        same = lab.answer.settings_id == lab.answer_of(lab.beside).settings_id
        changes = (
            f"{len(found.appeared):,} appeared, {len(found.disappeared):,} disappeared, {len(found.moved):,} moved"
        )
        said = f"{len(lab.answer):,} triggers; {'move a threshold and see what changes' if same else changes}"
        self.line.shown = json.dumps(
            {"said": said, "luck": luck_line(self._told[1]), "hint": luck_hint(self._told[1], lab.looks.horizon)}
        )

    def _draw_look(self, afresh: bool = False) -> None:
        one = self._subject
        if one is None:
            self.look_head.shown, self.reasons.shown = "", ""
            self.chart.figure.visible = False
            return
        self.chart.figure.visible = True
        at = place_of(self.lab.answer, one.key)
        if at is not None:
            one = self._subject = look.Subject(one.key, self.lab.answer, at)
        told = look.told(one, self.lab.answer, self.lab.horizon)
        self.look_head.shown, self.reasons.shown = told, told
        drawn = (one.key, self.lab.horizon)
        if afresh or drawn != self._drawn:
            self._drawn = drawn
            self.chart.show(one, self.lab.horizon)
            self._push(self.look_plot)

    # What it is made of

    def _told_of_history(self) -> str:
        days = self.history.days
        label = next((day.universe.label for day in days if day.universe.label), "")
        span = f"{days[0].day.date:%b %d, %Y} – {days[-1].day.date:%b %d, %Y}" if days else "no days"
        told = f"{len(days)} days × {self.history.symbols:,} symbols, {span}"
        names = [[name, title(name)] for name in self._scanners]
        pages = links("tuning") if session.served() else []
        return json.dumps({"history": told, "label": label, "scanners": names, "pages": pages})

    def _lab_of(self, name: str) -> Lab:
        if name not in self._labs:
            looks = self._looks  # a try is a try, of whichever scanner
            self._labs[name] = Lab(self.history, self._scanners[name], horizon=self._horizon, looks=looks)
        return self._labs[name]

    def _settle(self) -> None:
        self._refused = {}
        self.draw()

    def _variants(self, change: Any) -> None:
        try:
            change()
        except ScannerKitError as refusal:
            self._refused = {"variant": str(refusal)}
            self.draw()
        else:
            self._settle()

    def _mask(self, answer: Answer) -> Bools:
        return _of_all(answer, self.parts)

    def _find(self, key: str) -> look.Subject | None:
        for answer in (self.lab.answer, self.lab.answer_of(self.lab.beside)):
            try:
                at = place_of(answer, key)
            except ValueError:
                return None
            if at is not None:
                return look.Subject(key, answer, at)
        return None

    def _push(self, pane: Any) -> None:
        """In a notebook what changed in a plot is sent when it is said."""
        if not session.served() and pane._models:
            pn.io.push_notebook(pane)


def _of_all(answer: Answer, parts: Sequence[Part]) -> Bools:
    masks = [part.of(answer) for part in parts]
    return np.logical_and.reduce(masks) if masks else np.ones(len(answer), dtype=np.bool_)

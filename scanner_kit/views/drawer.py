"""The settings drawer: every scanner by name, and the thresholds of the one that is opened."""

import json
from collections.abc import Callable
from typing import Any

import panel as pn
import param

from scanner_kit.views.aside import Aside
from scanner_kit.views.component import Screen, asset
from scanner_kit.views.feed import Board, Feed
from scanner_kit.views.lists import heading, title
from scanner_kit.views.thresholds import Field, fields, from_text, to_text

MOST_SAID = 200
"""The most letters of a name, or of a reason."""


class Thresholds(Screen):
    """The drawer in the browser: names of scanners, and controls of the one that is opened."""

    shown = param.String("", doc="The scanners, and the thresholds of the one that is opened, as JSON.")

    _esm = asset("common.js", "drawer.js")
    _stylesheets = [asset("base.css", "drawer.css")]  # noqa: RUF012  Panel reads a list


class Drawer:
    """Thresholds of every scanner, changed for all who use this engine; a scanner's are sent when it is opened.

    A value that is refused stays where it was entered, with the sentence that says why.
    """

    def __init__(self, board: Board, feed: Feed) -> None:
        self._board = board
        self._opened = ""
        self._refused: dict[str, str] = {}
        self._who = self._why = ""
        self._asides: dict[str, Aside] = {}
        answers: dict[str, Callable[[Any], None]] = {
            "open": self.open,
            "enter": self._enter,
            "reset": self._reset,
            "by": self._by,
        }
        self.pane = Thresholds(answers=answers, sizing_mode="stretch_width", margin=0)
        feed.param.watch(lambda event: self._follow(), "version")

    def draw(self) -> None:
        """Show the scanners of the roster, and the thresholds in force of the one that is opened."""
        names = [scanner.name for scanner in self._board.roster]
        if self._opened not in names:
            self._opened = ""
        listed = [[scanner.name, _title(scanner), scanner.triggers] for scanner in self._board.roster]
        signed = {"remembers": self._board.remembers, "user": pn.state.user or ""}
        self.pane.shown = json.dumps(
            {"scanners": listed, "version": self._board.settings, **signed, **self._thresholds()}
        )

    def open(self, name: Any) -> None:
        """Show the thresholds of a scanner; of none for an empty name."""
        if isinstance(name, str):
            self._opened, self._refused = name, {}
            self.draw()

    def enter(self, name: str, text: Any, base: int | None = None) -> None:
        """Ask for a threshold as it was entered: text, or the truth of a switch; and over which version it was."""
        field = next((field for field in self._fields() if field.key == name), None)
        if field is not None:
            self._ask({name: lambda: _meant(field, text)}, name, base)

    def reset(self) -> None:
        """Ask for the defaults of the scanner that is opened."""
        self._ask({field.key: lambda field=field: field.default for field in self._fields()}, "")  # type: ignore[misc]

    def _enter(self, entered: Any) -> None:
        if isinstance(entered, list) and len(entered) in (2, 3) and isinstance(entered[0], str):
            name, text, base = (*entered, None)[:3]
            self.enter(name, text, base if isinstance(base, int) else None)

    def _by(self, said: Any) -> None:
        """Who changes thresholds here, and why: as it was typed."""
        if isinstance(said, list) and len(said) == 2 and all(isinstance(one, str) for one in said):
            self._who, self._why = (" ".join(one.split())[:MOST_SAID] for one in said)

    def _reset(self, _: Any) -> None:
        self.reset()

    def _ask(self, values: dict[str, Callable[[], Any]], place: str, base: int | None = None) -> None:
        """Ask the board; where it refuses, the sentence stands at a place: a threshold, or below them all."""
        self._refused.pop(place, None)
        scanner, base = self._opened, self._board.settings if base is None else base
        who, why = pn.state.user or self._who, self._why

        def ask() -> None:
            told = {name: value() for name, value in values.items()}
            self._board.change(scanner, told, base=base, who=who, why=why)

        def taken(_: None) -> None:
            self._refused = {} if not place else self._refused
            self.draw()

        def refused(said: str) -> None:
            self._refused[place] = said
            self.draw()

        # A place of its own, for of two questions of one place only the last is answered.
        self._asides.setdefault(place, Aside()).ask(ask, taken, refused)

    def _follow(self) -> None:
        """Others may have changed the thresholds that are shown."""
        if self.pane.shown:
            self.draw()

    def _fields(self) -> list[Field]:
        return fields(self._board.scanner(self._opened)) if self._opened else []

    def _thresholds(self) -> dict[str, Any]:
        if not self._opened:
            return {"opened": "", "about": "", "fields": [], "said": ""}
        about = (type(self._board.scanner(self._opened)).__doc__ or "").strip().split("\n")[0]
        entries = [_entry(field, self._refused.get(field.key, "")) for field in self._fields()]
        return {"opened": self._opened, "about": about, "fields": entries, "said": self._refused.get("", "")}


def _title(scanner: Any) -> str:
    return title(scanner.name) if scanner.triggers else heading(scanner.name).title


def _entry(field: Field, said: str) -> dict[str, Any]:
    return {
        "name": field.key,
        "label": field.label,
        "kind": field.kind,
        "value": field.value if field.kind == "switch" else to_text(field.value),
        "limits": field.limits,
        "doc": field.doc,
        "options": [str(option) for option in field.options],
        "group": field.group,
        "changed": field.value != field.default,
        "said": said,
    }


def _meant(field: Field, entered: Any) -> Any:
    if field.kind == "switch":
        return bool(entered)
    text = str(entered)
    if field.kind == "choice":
        return {str(option): option for option in field.options}.get(text, text)
    return from_text(field.kind, text)

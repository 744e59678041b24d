"""The settings drawer: a search over scanners, and the thresholds of the one that is chosen."""

import html
from typing import Any

import panel as pn
import panel_material_ui as pmui

from scanner_kit.views.controls import fields, form
from scanner_kit.views.feed import Board, Feed
from scanner_kit.views.lists import heading, title


class Drawer:
    """Thresholds of every scanner, changed for all who use this engine; controls are made when they are looked at."""

    def __init__(self, board: Board, feed: Feed) -> None:
        self._board = board
        self._in_force: dict[str, Any] = {}
        self._search = pmui.AutocompleteInput(
            label="Scanner",
            placeholder="Search",
            min_characters=0,
            restrict=True,
            case_sensitive=False,
            search_strategy="includes",
            sizing_mode="stretch_width",
            size="small",
            margin=(6, 14),
        )
        self._reset = pmui.Button(
            label="Reset to defaults", variant="outlined", size="small", margin=(6, 14), disabled=True
        )
        self._said = pn.pane.HTML(
            "",
            margin=(0, 14),
            sizing_mode="stretch_width",
            styles={"color": "var(--danger-bg-color)", "font-size": "12px"},
        )
        self._about = pn.pane.HTML(
            "", margin=(0, 14, 4, 14), sizing_mode="stretch_width", styles={"font-size": "13px", "opacity": ".8"}
        )
        self._body = pn.Column(sizing_mode="stretch_width", margin=0)
        note = "Thresholds are shared: a change is in force from the next step, for everyone."
        self.pane = pn.Column(
            pn.pane.HTML("Settings", styles={"font-size": "18px", "font-weight": "600"}, margin=(16, 14, 0, 14)),
            pn.pane.HTML(
                note, styles={"font-size": "12px", "opacity": ".72"}, margin=(2, 14, 8, 14), sizing_mode="stretch_width"
            ),
            self._search,
            self._about,
            self._body,
            self._said,
            self._reset,
            sizing_mode="stretch_width",
            margin=(0, 0, 24, 0),
        )
        self._search.param.watch(lambda event: self._show(), "value")
        self._reset.on_click(lambda event: self._to_defaults())
        feed.param.watch(lambda event: self._follow(), "version")

    def draw(self) -> None:
        """Offer the scanners of the roster, and show the first."""
        titles = self._titles()
        self._search.options = list(titles)
        if titles and self._search.value not in titles:
            self._search.value = next(iter(titles))

    @property
    def form(self) -> Any:
        """The controls of the scanner that is shown."""
        return self._body[0] if len(self._body) else None

    def _titles(self) -> dict[str, str]:
        named = [(scanner.name, getattr(scanner, "category", False)) for scanner in self._board.roster]
        return {heading(name).title if category or name == "hot" else title(name): name for name, category in named}

    def _chosen(self) -> str:
        return self._titles().get(self._search.value or "", "")

    def _show(self) -> None:
        name = self._chosen()
        self._said.object = ""
        self._reset.disabled = not name
        scanner = self._board.scanner(name) if name else None
        self._in_force = _values(scanner) if scanner is not None else {}
        self._about.object = html.escape(_first_line(scanner)) if scanner is not None else ""
        self._body.objects = [form(scanner, lambda values: self._ask(name, values))] if scanner is not None else []

    def _ask(self, name: str, values: dict[str, Any]) -> None:
        self._board.change(name, values)
        self._in_force |= values

    def _to_defaults(self) -> None:
        name = self._chosen()
        try:
            self._ask(name, {field.name: field.default for field in fields(self._board.scanner(name))})
        except ValueError as refusal:
            self._said.object = html.escape(str(refusal))
        else:
            self._show()

    def _follow(self) -> None:
        """Others may have changed the thresholds that are shown; one's own change is on the control already."""
        name = self._chosen()
        if name and _values(self._board.scanner(name)) != self._in_force:
            self._show()


def _values(scanner: Any) -> dict[str, Any]:
    return {field.name: field.value for field in fields(scanner)}


def _first_line(scanner: Any) -> str:
    return (type(scanner).__doc__ or "").strip().split("\n")[0]

"""The screens of the lab: each is drawn from one JSON text, and speaks back in small messages."""

import json
from typing import Any

import param

from scanner_kit.views.component import Drawn, asset


class Head(Drawn):
    """The page's header: which scanner over which history, and the theme."""

    dark = param.Boolean(True, doc="Whether the page is dark.")

    _esm = asset("common.js", "lab_head.js")
    _stylesheets = [asset("base.css", "lab_head.css")]  # noqa: RUF012  Panel reads a list


class Line(Drawn):
    """One plain line: what the scanner does now, and whether that is more than luck."""

    _esm = asset("common.js", "lab_line.js")
    _stylesheets = [asset("base.css", "lab_line.css")]  # noqa: RUF012


class Controls(Drawn):
    """Thresholds as sliders and boxes, undo and redo, variants, and the settings to take away.

    What was asked `of` another scanner than the one that is shown by now is not done: it has thresholds of the same
    names, and variants.
    """

    _esm = asset("common.js", "lab_controls.js")
    _stylesheets = [asset("base.css", "lab_controls.css")]  # noqa: RUF012

    def _answer(self, message: Any) -> None:
        present = json.loads(self.shown)["scanner"]
        if isinstance(message, dict) and message.get("of", present) == present:
            super()._answer(message)


class Strip(Drawn):
    """What it is worth by the chosen horizon, and the filters in force."""

    _esm = asset("common.js", "lab_strip.js")
    _stylesheets = [asset("base.css", "lab_strip.css")]  # noqa: RUF012


class Horizons(Drawn):
    """What it is worth by each horizon; a row chooses."""

    _esm = asset("common.js", "lab_horizons.js")
    _stylesheets = [asset("base.css", "lab_horizons.css")]  # noqa: RUF012


class Table(Drawn):
    """What changed: thousands of rows, of which those in sight are here."""

    chosen = param.String("", doc="The trigger that is looked at.")

    _esm = asset("common.js", "lab_table.js")
    _stylesheets = [asset("base.css", "lab_table.css")]  # noqa: RUF012


class WhereHead(Drawn):
    """By what triggers are grouped; hears the clicks on the bars beneath it."""

    _esm = asset("common.js", "lab_where.js")
    _stylesheets = [asset("base.css", "lab_where.css")]  # noqa: RUF012


class LookHead(Drawn):
    """Which trigger is looked at, and whether it fires under the present thresholds."""

    _esm = asset("common.js", "lab_look.js")
    _stylesheets = [asset("base.css", "lab_look.css")]  # noqa: RUF012


class Reasons(Drawn):
    """What came after a trigger, and each condition with value, threshold and margin."""

    _esm = asset("common.js", "lab_reasons.js")
    _stylesheets = [asset("base.css", "lab_reasons.css")]  # noqa: RUF012

"""The screens of the explorer: each is drawn from one JSON text, and speaks back in small messages."""

import param

from scanner_kit.views.component import Drawn, asset


class Head(Drawn):
    """The page's header: the pages, what the data is called, and the theme."""

    dark = param.Boolean(True, doc="Whether the page is dark.")

    _esm = asset("common.js", "page_head.js")
    _stylesheets = [asset("base.css", "page_head.css")]  # noqa: RUF012  Panel reads a list


class Question(Drawn):
    """What is asked for: days, symbols, scanner, severity, metrics, order; or the board at a minute."""

    _esm = asset("common.js", "explorer_asked.js")
    _stylesheets = [asset("base.css", "explorer_asked.css")]  # noqa: RUF012


class Rows(Drawn):
    """A page of triggers with their outcomes, and the way to the next and the previous one."""

    outcomes = param.String("", doc="What came of the triggers of the page, as JSON by identity.")
    chosen = param.String("", doc="The trigger that is looked at.")

    _esm = asset("common.js", "explorer_rows.js")
    _stylesheets = [asset("base.css", "explorer_rows.css")]  # noqa: RUF012


class LookHead(Drawn):
    """Which trigger is looked at, what came of it, and the way to a notebook of it."""

    _esm = asset("common.js", "explorer_look.js")
    _stylesheets = [asset("base.css", "explorer_look.css")]  # noqa: RUF012


class Minute(Drawn):
    """Day and minute of the board that is shown: a slider, steps to both sides, and a box to type in."""

    _esm = asset("common.js", "explorer_minute.js")
    _stylesheets = [asset("base.css", "explorer_minute.css")]  # noqa: RUF012

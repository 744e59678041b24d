"""The header: product, label, health light, age of the last update, clocks, search, sound and theme."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import param

from scanner_kit.views.component import Screen, asset


class Status(Screen):
    """Health and clocks, followed from `feed.status`; they tick on in the browser when the server falls silent."""

    beat = param.Integer(doc="Grows while the server is alive.")
    dark = param.Boolean(True, doc="Whether the dark theme is shown.")
    settings = param.Boolean(True, doc="Whether there is a settings drawer to open.")
    pages = param.List([], doc="The pages of this server: name, title, and here or nothing.")

    _esm = asset("common.js", "status.js")
    _stylesheets = [asset("base.css", "status.css")]  # noqa: RUF012  Panel reads a list


def clock(scan: Any, arrived: float) -> dict[str, Any]:
    """When the last step was, and when it came: seconds since 1970."""
    return {
        "time": scan.time.timestamp(),
        "arrived": arrived,
        "session": str(scan.session),
        "k": int(scan.k),
        "forming": bool(scan.forming),
    }


def rows(health: Iterable[Any]) -> dict[str, list[Any]]:
    """Rows of health by subject: place (worst first), state, colour, reason, since."""
    return {
        row.subject: [place, _word(row.state), _word(row.colour), str(row.reason), _instant(row.since)]
        for place, row in enumerate(health)
    }


def _word(value: Any) -> str:
    return str(getattr(value, "value", value))


def _instant(value: Any) -> float | None:
    return value.timestamp() if isinstance(value, dt.datetime) else value

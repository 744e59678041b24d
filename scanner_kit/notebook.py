"""For notebooks: `setup()` loads what screens need, from this machine alone; `table()` makes results a DataFrame.

>>> from scanner_kit.ranking import Row
>>> table([Row("NVDA", 4.1, {"last": 124.8, "change_pct": 4.1})])
  symbol  score   last  change_pct
0   NVDA    4.1  124.8         4.1
"""

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import panel as pn
from IPython.utils.capture import capture_output
from panel.models.comm_manager import CommManager

from scanner_kit.calendar import NEW_YORK
from scanner_kit.explain import Why
from scanner_kit.ranking import Row
from scanner_kit.reason import Reason
from scanner_kit.triggers import Trigger
from scanner_kit.views import cells

DEBOUNCE_MS = 5
TOLD = ("symbol", "scanner", "kind", "side", "price", "level", "stop", "shares", "severity", "rank")


def setup() -> None:
    """Make this notebook ready, with or without a network: once, in its first cell.

    The scripts of the screens are put into the cell's own output, sliders answer at once, and tables show short numbers
    and whole sentences. hvplot, where it is installed, is imported here: alone it would ask the network for scripts.
    """
    pn.extension(inline=True)
    _answer_at_once()
    cells.take_over()
    pd.options.display.float_format, pd.options.display.max_colwidth = "{:,.2f}".format, None
    if importlib.util.find_spec("hvplot") is not None:
        with capture_output():
            importlib.import_module("hvplot.pandas")


def table(things: Iterable[Row | Trigger | Why | Reason]) -> pd.DataFrame:
    """The rows of a list, triggers, the answers to why, or an answer's reasons, as a DataFrame: one row each.

    Times are New York's.
    """
    return pd.DataFrame([_row(thing) for thing in things])


def _answer_at_once() -> None:
    """Have Panel send a slider's value after 5 ms of rest instead of 50."""
    # A default is not sent to the browser, so each manager is given the value when it is made.
    made = CommManager.__init__
    if getattr(made, "at_once", False):
        return

    def make(self: Any, *args: Any, **params: Any) -> None:
        made(self, *args, **{"debounce": DEBOUNCE_MS, **params})

    make.at_once = True  # type: ignore[attr-defined]
    CommManager.__init__ = make  # type: ignore[method-assign]


def _row(thing: Row | Trigger | Why | Reason) -> Mapping[str, Any]:
    if isinstance(thing, Row):
        return {"symbol": thing.symbol, "score": thing.score, **thing.figures}
    if isinstance(thing, Trigger):
        told = {name: getattr(thing, name) for name in TOLD}
        return {"time": f"{thing.time.astimezone(NEW_YORK):%H:%M}", **told}
    return _reason(thing) if isinstance(thing, Reason) else _answer(thing)


def _reason(reason: Reason) -> Mapping[str, Any]:
    holds = {True: "yes", False: "no", None: f"unknown: {reason.unknown}"}[reason.holds]
    told = {name: getattr(reason, name) for name in ("value", "op", "threshold", "unit", "margin")}
    return {"condition": reason.what, **told, "holds": holds}


def _answer(why: Why) -> Mapping[str, Any]:
    scanner = why.scanner if why.kind in ("", "fired") else f"{why.scanner} ({why.kind})"
    _, _, reason = str(why).partition(": ")
    return {"scanner": scanner, "selected": why.selected, "speaks": why.speaks, "answer": reason}

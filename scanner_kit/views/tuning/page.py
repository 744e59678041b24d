"""The lab as a page where it is served, and as a block in a notebook cell."""

from typing import Any

import panel as pn

from scanner_kit.composition import AnyScanner
from scanner_kit.tuning.history import History
from scanner_kit.tuning.looks import Looks
from scanner_kit.views import session
from scanner_kit.views.page import page_under
from scanner_kit.views.tuning.bench import Bench

TITLE = "scanner_kit · tuning"


def lab(
    history: History,
    *scanners: AnyScanner,
    horizon: str = "30m",
    looks: Looks | None = None,
    dark: bool = True,
    height: int = 900,
) -> Any:
    """The tuning lab over a history: a page where it is served, a block of `height` pixels in a notebook cell.

    With several `scanners` one is worked with at a time. `horizon` is the one that is shown first: 5m, 15m, 30m, 60m or
    end. `looks` are those of a `Lab` that one worked with before: what was looked at there counts here, too. `dark` is
    the theme of those who have not chosen one. `InvalidInput` for a scanner that never triggers.
    """
    bench = Bench(history, scanners, horizon, looks)
    around = pn.Column(bench.desk, sizing_mode="stretch_both", margin=0, styles={"container-type": "size"})
    if session.served():
        return page_under(bench.head, TITLE, dark=dark, main=[around])
    head = pn.Row(bench.head, sizing_mode="stretch_width", height=48, margin=0)
    return pn.Column(head, around, sizing_mode="stretch_width", height=height, margin=0)

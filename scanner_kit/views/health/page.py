"""Health as a page where it is served, and as a block in a notebook cell."""

import json
from typing import Any

import panel as pn
import param

from scanner_kit.views import session
from scanner_kit.views.component import Screen, asset
from scanner_kit.views.explorer.screens import Head
from scanner_kit.views.feed import Board, follow
from scanner_kit.views.page import page_under
from scanner_kit.views.pages import links

TITLE = "scanner_kit · health"


class Whole(Screen):
    """The chain, every row, the last steps and the processes, followed from `feed.health`."""

    beat = param.Integer(doc="Grows while the server is alive.")

    _esm = asset("common.js", "health.js")
    _stylesheets = [asset("base.css", "health.css")]  # noqa: RUF012  Panel reads a list


def health(board: Board, *, dark: bool = True, height: int = 720) -> Any:
    """The whole health of a desk: a page where it is served, a block of `height` pixels in a notebook cell."""
    feed = follow(board)
    whole = Whole(
        delta=feed.param.health,
        beat=feed.param.beat,
        answers={"whole": lambda _: feed.whole("health")},
        sizing_mode="stretch_both",
        margin=0,
    )
    if not session.served():
        return pn.Column(whole, sizing_mode="stretch_width", height=height, margin=0)
    told = json.dumps({"pages": links("health"), "label": board.label, "text": "Is it quiet, or is it broken?"})
    head = Head(sizing_mode="stretch_width", height=48, margin=0, shown=told)
    return page_under(head, TITLE, dark=dark, main=[whole])

"""The pane of a chosen symbol: its figures, its chart, and why it is where it is."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import panel as pn
import param

from scanner_kit.errors import InvalidInput
from scanner_kit.views.aside import Aside
from scanner_kit.views.chart import WINDOWS, Chart
from scanner_kit.views.component import Screen, asset
from scanner_kit.views.deltas import number
from scanner_kit.views.feed import Board
from scanner_kit.views.why import Why, explanation

Answer = tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]


class Head(Screen):
    """Name and figures of the chosen symbol, a pin, and the way to its page elsewhere."""

    shown = param.String("", doc="Symbol, name and figures as JSON.")
    address = param.String(doc="Address of a symbol's page elsewhere, with {symbol} in it.")
    windows = param.List(list(WINDOWS), doc="How much of the day can be shown.")
    window = param.String("Day", doc="How much of the day is shown.")

    _esm = asset("common.js", "detail.js")
    _stylesheets = [asset("base.css", "detail.css")]  # noqa: RUF012  Panel reads a list


class Detail:
    """Chart and explanation of one symbol; `choose` takes another, `update` brings it up to date.

    A symbol that is not known, or a question that cannot be answered, is said in the pane and nowhere else.
    """

    def __init__(self, board: Board, answers: dict[str, Any]) -> None:
        self._board = board
        self.symbol = ""
        self._aside, self._asking, self._again = Aside(), False, False
        self._chart = Chart()
        self._head = Head(
            address=board.link, answers={**answers, "window": self._look}, sizing_mode="stretch_width", height=44
        )
        self._why = Why(sizing_mode="stretch_both", min_height=120)
        self._plot = pn.pane.Bokeh(self._chart.figure, sizing_mode="stretch_both", min_height=220, margin=0)
        self.pane = pn.Column(
            self._head,
            self._plot,
            self._why,
            sizing_mode="stretch_both",
            margin=0,
            stylesheets=[asset("base.css", "pane.css")],
        )

    def choose(self, symbol: str) -> None:
        """Show a symbol; an empty one shows nothing."""
        self.symbol, self._asking, self._again = symbol, False, False
        if symbol:
            self._head.shown = json.dumps({"symbol": symbol})
            self._ask(self._chart.show)
        else:
            self._aside.forget()

    def update(self) -> None:
        """Take what has changed of the symbol since; what comes while it is asked for is asked for after it."""
        if self.symbol and self._asking:
            self._again = True
        elif self.symbol:
            self._ask(self._chart.update)

    def _look(self, window: Any) -> None:
        if window in WINDOWS:
            self._head.window = window
            self._chart.look(window)

    def _ask(self, draw: Any) -> None:
        self._asking, symbol = True, self.symbol

        def drawn(answer: Answer) -> None:
            self._draw(draw, *answer)
            self._answered()

        def refused(said: str) -> None:
            self._refuse(said)
            self._answered()

        self._aside.ask(lambda: (self._history(symbol), self._explained(symbol)), drawn, refused)

    def _answered(self) -> None:
        again, self._asking, self._again = self._again, False, False
        if again:
            self._ask(self._chart.update)

    def _draw(self, draw: Any, history: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> None:
        with pn.io.hold():
            lines = self._board.state("triggers").get("lines", {}).values()
            draw(history, [line for line in lines if line["symbol"] == self.symbol])
            self._head.shown = json.dumps({"symbol": self.symbol, **_figures(history)})
            self._why.shown = explanation(self.symbol, answers)
            self._plot.visible = True

    def _refuse(self, said: str) -> None:
        self._head.shown = json.dumps({"symbol": self.symbol})
        self._why.shown = explanation(self.symbol, [], said)
        self._plot.visible = False

    def _history(self, symbol: str) -> Mapping[str, Any]:
        if self._board.history is None:
            raise InvalidInput("This board has no bars to draw. Give it `history`.")
        return self._board.history(symbol)

    def _explained(self, symbol: str) -> Sequence[Mapping[str, Any]]:
        return self._board.explain(symbol) if self._board.explain else []


def _figures(history: Mapping[str, Any]) -> dict[str, Any]:
    closes = np.asarray(history["close"], dtype=np.float64)
    last = float(closes[-1]) if len(closes) else np.nan
    before = history.get("prev_close")
    change = 100 * (last / before - 1) if before and before > 0 else np.nan
    return {"name": history.get("name") or "", "last": number(last), "change": number(change, 2)}

"""The pane of a stored trigger: its day with entry, stop, target, MFE and MAE, why it fired, and what came after."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import panel as pn

from scanner_kit.tuning.paths import HORIZONS
from scanner_kit.views import session
from scanner_kit.views.chart import MINUTE
from scanner_kit.views.component import asset
from scanner_kit.views.explorer.records import Row
from scanner_kit.views.explorer.review import Look
from scanner_kit.views.explorer.rows import clock_of, spoken
from scanner_kit.views.explorer.screens import LookHead
from scanner_kit.views.tuning.look import BEFORE, Subject, TradeChart, after_of
from scanner_kit.views.tuning.screens import Reasons
from scanner_kit.views.why import explanation

NO_TRADE: dict[str, list[Any]] = {"x0": [], "x1": [], "y": [], "color": [], "dash": []}


class LookPane:
    """Chart and reasons of one trigger; `show` says which, `draw` takes what was found about it."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.chart = TradeChart()
        self.head, self.reasons = LookHead(answers=dict(answers)), Reasons()
        self.plot = pn.pane.Bokeh(self.chart.figure, sizing_mode="stretch_both", margin=0)
        self.pane = pn.Column(
            *(self.head, self.plot, self.reasons),
            margin=0,
            css_classes=["look"],
            stylesheets=[asset("base.css", "explorer_look_pane.css")],
        )
        self._row: Row | None = None
        self._look, self._horizon = Look(), "30m"

    def show(self, row: Row | None, horizon: str) -> None:
        """Name the trigger that is looked at; what is found about it comes later."""
        self._row, self._horizon, self._look = row, horizon, Look()
        self.plot.visible = False
        self.reasons.shown = ""
        self._draw_head("Looking …" if row is not None else "")

    def draw(self, look: Look) -> None:
        """Show what was found."""
        if self._row is None:
            return
        self._look = look
        with pn.io.hold():
            self._draw_chart()
            self._draw_reasons()
            self._draw_head(look.said)

    def judge_by(self, horizon: str) -> None:
        """Tell the trade by another horizon."""
        self._horizon = horizon
        if self._row is not None:
            self.draw(self._look)

    def say(self, said: str) -> None:
        """Say something about the trigger that is looked at."""
        self._draw_head(said)

    def refuse(self, said: str) -> None:
        """Say why something could not be had."""
        self._draw_head(said, fault=True)

    def _draw_head(self, said: str, fault: bool = False) -> None:
        row = self._row
        if row is None:
            self.head.shown = ""
            return
        subject, day = self._look.subject, dt.date.fromisoformat(row["day"])
        came = _came(subject, self._horizon) if subject is not None else {"came": "", "sign": 0.0}
        self.head.shown = json.dumps(
            {
                "symbol": row["symbol"],
                "side": int(row["side"]),
                "scanner": spoken(row),
                "when": f"{day:%a, %b %d, %Y}",
                "time": clock_of(row),
                "said": said,
                "fault": fault,
                "notebook": subject is not None,
                **came,
            }
        )

    def _draw_chart(self) -> None:
        subject, history, row = self._look.subject, self._look.history, self._row
        self.plot.visible = subject is not None or history is not None
        if subject is not None:
            self.chart.show(subject, self._horizon)
        elif history is not None and row is not None:
            self._draw_day(history, row)
        if not session.served() and self.plot._models:
            pn.io.push_notebook(self.plot)

    def _draw_day(self, history: Mapping[str, Any], row: Row) -> None:
        """A day that is not archived: the bars so far around the trigger, and no trade."""
        chart = self.chart
        for source in (chart.lines, chart.names, chart.points, chart.chart.in_sight):
            source.data = {str(name): [] for name in source.data}
        chart.chart.show(history)
        day = np.datetime64(history["day"].date, "ms").astype(np.int64)
        at = float(day) + (240 + int(row["k"])) * MINUTE
        chart.spoken.location = at
        chart.chart.between(at - BEFORE * MINUTE, at + 2 * BEFORE * MINUTE)

    def _draw_reasons(self) -> None:
        row, look = self._row, self._look
        assert row is not None, "only what is looked at has reasons"
        told = json.loads(explanation(row["symbol"], look.answers))["scanners"]
        self.reasons.shown = json.dumps(
            {
                "key": row["identity"],
                "horizon": self._horizon,
                "fires": True,
                "why": "Why it fired",
                "conditions": told[0]["conditions"] if told else [],
                "after": [] if look.subject is None else after_of(look.subject),
            }
        )


def _came(subject: Subject, horizon: str) -> dict[str, Any]:
    one = after_of(subject)[HORIZONS.index(horizon)]
    return {"came": f"{one['result']}, {one['r']}" if one["r"] != "–" else one["result"], "sign": one["sign"]}

"""Where triggers come from: a bar of mean R for each group, with its interval and its n; a click chooses the group."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, CustomJS, FactorRange, HoverTool, Range1d
from bokeh.models.annotations import Span
from bokeh.plotting import figure

from scanner_kit.tuning.answer import Answer
from scanner_kit.tuning.groups import GROUPINGS, Groups, Part, groups_of, metrics_of
from scanner_kit.views.chart import DOWN, FLAT, UP
from scanner_kit.views.tuning.words import FEW, between, r, share

ROWS, ROW_PX, AXIS_PX = 40, 17, 26
"""Groups that are shown at the most, and pixels: what a row takes at the least, and the axis."""
CLOSEST = 0.25
NOTHING = "no trigger to group"
COLUMNS = ("y", "mean", "low", "high", "at", "count", "color", "alpha", "line", "told", "interval", "win", "whole")
TIP = [("", "@whole"), ("Mean", "@told  @interval"), ("Win rate", "@win"), ("Results", "@count")]
TAP = """
const at = Math.floor(cb_obj.y), factors = plot.y_range.factors
if (at < 0 || at >= factors.length) return
const detail = {lab: plot.name, label: factors[at]}
window.dispatchEvent(new CustomEvent("scanner-kit:group", {detail}))
"""


def groupings(answer: Answer) -> list[list[str]]:
    """What triggers can be grouped by: its name, and how it is said."""
    return [[name, said(name)] for name in (*GROUPINGS, *metrics_of(answer))]


def said(by: str) -> str:
    """A grouping, said.

    >>> said("time"), said("rvol_tod")
    ('Time of day', 'rvol_tod')
    """
    return "Time of day" if by == "time" else by.capitalize() if by in GROUPINGS else by


class Where:
    """A Bokeh figure of the groups of an answer; `name` is what its clicks are told apart by."""

    def __init__(self, name: str) -> None:
        self.bars = ColumnDataSource({column: [] for column in COLUMNS})
        self.parts: dict[str, Part] = {}
        self.figure = self._figure(name)

    def show(self, answer: Answer, by: str, horizon: str, chosen: Sequence[Part] = ()) -> str:
        """Draw the groups of an answer; what is to be said of those that are not shown."""
        groups = groups_of(answer, by, horizon)
        rows = _shown(groups, by)
        labels = [groups.labels[i] for i in rows]
        self.parts = {groups.labels[i]: groups.parts[i] for i in rows}
        reach = _reach(groups, rows)
        factors = labels[::-1]
        if list(self.figure.y_range.factors) != factors:
            self.figure.y_range.factors = factors
        if self.figure.x_range.end != reach * 1.28:
            self.figure.x_range.update(start=-reach * 1.04, end=reach * 1.28)
        self.figure.update(min_height=AXIS_PX + ROW_PX * len(rows), visible=bool(rows))
        self.bars.data = _columns(groups, rows, labels, reach, {part.label for part in chosen if part.by == by})
        if not rows:
            return NOTHING
        hidden = len(groups) - len(rows)
        return f"the {len(rows)} with the most triggers, of {len(groups)}" if hidden else ""

    def _figure(self, name: str) -> Any:
        plot = figure(
            name=name,
            sizing_mode="stretch_both",
            min_height=120,
            x_axis_location="above",
            toolbar_location=None,
            tools="",
            y_range=FactorRange(),
            x_range=Range1d(start=-1, end=1),
            outline_line_color=None,
            min_border=2,
            output_backend="canvas",
        )
        common: dict[str, Any] = {"source": self.bars}
        bars = plot.hbar(
            "y",
            left=0,
            right="mean",
            height=0.72,
            fill_color="color",
            fill_alpha="alpha",
            line_color="line",
            line_width=2,
            **common,
        )
        plot.segment("low", "y", "high", "y", line_color=FLAT, line_width=1.6, line_alpha="alpha", **common)
        plot.text(
            "at",
            "y",
            text="count",
            text_font_size="11px",
            text_align="right",
            text_baseline="middle",
            text_color=FLAT,
            **common,
        )
        plot.add_layout(Span(location=0, dimension="height", line_color=FLAT, line_alpha=0.7))
        plot.add_tools(HoverTool(renderers=[bars], tooltips=TIP, mode="hline", point_policy="follow_mouse"))
        plot.js_on_event("tap", CustomJS(args={"plot": plot}, code=TAP))
        plot.ygrid.visible = False
        plot.xgrid.grid_line_alpha = 0.4
        plot.xaxis.ticker.desired_num_ticks = 5  # type: ignore[union-attr]
        for axis in (plot.xaxis, plot.yaxis):
            axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = None
            axis.major_label_text_font_size = "11px"
        return plot


def _shown(groups: Groups, by: str) -> list[int]:
    if by != "symbol" and len(groups) <= ROWS:
        return [i for i in range(len(groups)) if groups.triggers[i] or by == "day"]
    return [int(i) for i in np.argsort(-groups.triggers, kind="stable")[:ROWS]]


def _reach(groups: Groups, rows: Sequence[int]) -> float:
    """How far the axis goes: over all means, and over the intervals of groups with enough results."""
    means = np.abs(groups.mean_r[rows])
    sure = [i for i in rows if groups.n[i] >= FEW]
    ends = np.abs(np.concatenate([groups.low[sure], groups.high[sure]]))
    weak = np.minimum(means[~np.isnan(means)], 1.5)
    return float(max([CLOSEST, *ends[~np.isnan(ends)], *weak]))


def _columns(groups: Groups, rows: Sequence[int], labels: list[str], reach: float, chosen: set[str]) -> dict[str, Any]:
    told: dict[str, list[Any]] = {column: [] for column in COLUMNS}
    for i, label in zip(rows, labels, strict=True):
        mean, low, high, n = (x[i] for x in (groups.mean_r, groups.low, groups.high, groups.n))
        sure = n >= FEW and (low > 0 or high < 0)
        values = {
            "y": label,
            "mean": float(np.clip(np.nan_to_num(mean), -reach, reach)),
            "low": float(np.clip(low if n > 1 else np.nan, -reach, reach)),
            "high": float(np.clip(high if n > 1 else np.nan, -reach, reach)),
            "at": reach * 1.26,
            "count": f"n {n:,}",
            "color": UP if mean >= 0 else DOWN,
            "alpha": 0.95 if sure else 0.55 if n >= FEW else 0.2,
            "line": "#4c9bf0" if label in chosen else "rgba(0,0,0,0)",
            "told": r(mean),
            "interval": f"(5–95 %: {between(low, high, r)})" if between(low, high, r) else "",
            "win": share(groups.win_rate[i]),
            "whole": f"{label}: {groups.triggers[i]:,} triggers",
        }
        for column, value in values.items():
            told[column].append(value)
    return told

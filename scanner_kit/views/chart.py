"""The chart of a symbol's day: candles, volume, VWAP, the levels that matter, and its triggers; updated in place.

`history(symbol)` gives a dict: `day` (a `TradingDay`), `k` (the minutes of the symbol's own bars), `open`, `high`,
`low`, `close`, `volume`, `vwap` (that of the day so far) as arrays over them, `levels` (name → price) and, where known,
`name` and `prev_close`. Times on the axis are New York's.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from bokeh.core.properties import value
from bokeh.models import (
    ColumnDataSource,
    CrosshairTool,
    CustomJS,
    CustomJSTickFormatter,
    DatetimeTickFormatter,
    HoverTool,
    PanTool,
    Range1d,
    ResetTool,
    WheelZoomTool,
)
from bokeh.models.annotations import BoxAnnotation, Span
from bokeh.plotting import figure

from scanner_kit.calendar import TradingDay
from scanner_kit.views.component import asset

MINUTE = 60_000
UP, DOWN, VWAP, FLAT = "#1fa67a", "#e5484d", "#d9962b", "#8b95a5"
LEVELS = {
    "HOD": UP,
    "LOD": DOWN,
    "PMH": "#4a90e2",
    "PML": "#4a90e2",
    "OR high": "#a06ee0",
    "OR low": "#a06ee0",
    "PDH": FLAT,
    "PDC": FLAT,
}
WINDOWS = {"30m": 30, "2h": 120, "Day": None, "All": -1}
MARGIN = 96
"""Pixels at the right, for the scale of prices and the names of the levels."""
COLUMNS = ("x", "open", "high", "low", "close", "volume", "vwap", "color")


class Chart:
    """A figure that shows one symbol at a time.

    `show` takes another symbol, `update` what has changed of it since; both take `history`'s dict and the symbol's
    lines of the tape of triggers.
    """

    def __init__(self) -> None:
        self.bars = ColumnDataSource({name: [] for name in COLUMNS})
        self.levels = ColumnDataSource({name: [] for name in ("y", "text", "color", "at", "lift")})
        self.marks = ColumnDataSource({"x": [], "y": [], "mark": [], "color": [], "offset": [], "text": []})
        self.in_sight = ColumnDataSource({"y": []})
        self.window = "Day"
        self._day: TradingDay | None = None
        self.figure = self._figure()

    def show(self, history: Mapping[str, Any], fired: Iterable[Mapping[str, Any]] = ()) -> None:
        """Draw a symbol's day anew and set the window."""
        self._day = history["day"]
        bars = _bars(history)
        self.bars.data = {name: list(values) for name, values in bars.items()}
        self._surroundings(history, fired)
        self._sessions(history["day"])
        self.look(self.window)

    def update(self, history: Mapping[str, Any], fired: Iterable[Mapping[str, Any]] = ()) -> None:
        """Bring the same symbol's day up to date: the last bar is patched, new ones are appended."""
        new, old = _bars(history), dict(self.bars.data)
        known = len(old["x"])
        if not known or history["day"] != self._day or not _continues(old, new, known):
            self.show(history, fired)
            return
        self.bars.patch({name: [(known - 1, new[name][known - 1])] for name in COLUMNS})
        if len(new["x"]) > known:
            self.bars.stream({name: list(new[name][known:]) for name in COLUMNS})
            self._go_on(float(new["x"][known - 1]), float(new["x"][-1]))
        self._surroundings(history, fired)

    def look(self, window: str) -> None:
        """Show the last 30 minutes, the last 2 hours, the regular session with the hour before it, or all."""
        self.window = window
        x = np.asarray(self.bars.data["x"], dtype=np.float64)
        if not len(x) or self._day is None:
            return
        self.between(*_window(x, self._day, WINDOWS[window]))

    def between(self, start: float, end: float) -> None:
        """Show what lies between two places on the axis, as high as its bars reach."""
        x = np.asarray(self.bars.data["x"], dtype=np.float64)
        self.figure.x_range.update(start=start, end=end)
        inside = (x >= start) & (x <= end)
        low, high, volume = (np.asarray(self.bars.data[name])[inside] for name in ("low", "high", "volume"))
        if len(low):
            self._fit(float(low.min()), float(high.max()), float(volume.max()))

    def _go_on(self, before: float, newest: float) -> None:
        """Move with the newest bar, unless the one before it is out of sight: then somebody has scrolled back."""
        start, end = self.figure.x_range.start, self.figure.x_range.end
        if start <= before <= end:
            self.figure.x_range.update(start=start + newest - before, end=end + newest - before)

    def _fit(self, low: float, high: float, volume: float) -> None:
        height = max(high - low, 0.001 * high)
        self.figure.y_range.update(start=low - 0.28 * height, end=high + 0.10 * height)
        self.figure.extra_y_ranges["volume"].end = max(volume, 1.0) * 5.5

    def _surroundings(self, history: Mapping[str, Any], fired: Iterable[Mapping[str, Any]]) -> None:
        levels = _levels(history["levels"])
        if levels["y"] != self.levels.data["y"]:
            self.levels.data = dict(levels)
        marks = _marks(fired, _bars(history), history["day"])
        if marks["x"] != list(self.marks.data["x"]):
            self.marks.data = dict(marks)
        self.last.update(location=float(history["close"][-1]) if len(history["close"]) else None)

    def _sessions(self, day: TradingDay) -> None:
        self.before.right = _x(day, day.open_k)
        self.after.left = _x(day, day.close_k)

    def _figure(self) -> Any:
        plot = figure(
            sizing_mode="stretch_both",
            min_height=220,
            x_axis_type="datetime",
            y_axis_location="right",
            toolbar_location=None,
            x_range=Range1d(start=0, end=1),
            y_range=Range1d(start=0, end=1),
            tools="",
            outline_line_color=None,
            min_border=4,
            min_border_right=MARGIN,
            output_backend="canvas",
        )
        plot.extra_y_ranges = {"volume": Range1d(start=0, end=1)}
        self._shades(plot)
        self._glyphs(plot)
        self._tools(plot)
        self._axes(plot)
        fit = CustomJS(args=_fit_args(self, plot), code=asset("chart.js"))
        plot.x_range.js_on_change("start", fit)
        plot.x_range.js_on_change("end", fit)
        for event in ("change:data", "streaming", "patching"):
            self.bars.js_on_change(event, fit)
        self.levels.js_on_change("change:data", fit)
        self.in_sight.js_on_change("change:data", fit)
        plot.js_on_change("inner_height", fit)
        return plot

    def _shades(self, plot: Any) -> None:
        shade: dict[str, Any] = {"fill_color": FLAT, "fill_alpha": 0.08, "line_color": None, "level": "underlay"}
        self.before, self.after = BoxAnnotation(**shade), BoxAnnotation(**shade)
        self.last = Span(dimension="width", line_color=FLAT, line_dash="dotted", line_alpha=0.9)
        for thing in (self.before, self.after, self.last):
            plot.add_layout(thing)

    def _glyphs(self, plot: Any) -> None:
        bars = {"source": self.bars, "width": 0.72 * MINUTE, "line_color": "color", "fill_color": "color"}
        plot.vbar("x", top="volume", bottom=0, y_range_name="volume", fill_alpha=0.35, **{**bars, "line_color": None})
        plot.hspan("y", source=self.levels, line_color="color", line_alpha=0.55, line_dash=[4, 4])
        plot.segment("x", "high", "x", "low", source=self.bars, line_color="color", line_width=1)
        self.candles = plot.vbar("x", top="open", bottom="close", line_width=1, **bars)
        plot.line("x", "vwap", source=self.bars, line_color=VWAP, line_width=1.8)
        self.markers = plot.text(
            "x",
            "y",
            text="mark",
            y_offset="offset",
            source=self.marks,
            text_color="color",
            text_font_size="13px",
            text_align="center",
            text_baseline="middle",
        )
        # On the level of annotations, for what is on that of glyphs is cut at the frame.
        plot.text(
            "at",
            "y",
            text="text",
            x_offset=6,
            y_offset="lift",
            source=self.levels,
            level="annotation",
            text_color="color",
            text_font_size="11px",
            text_font=value("Roboto, sans-serif"),
            text_baseline="middle",
            text_font_style="bold",
        )

    def _tools(self, plot: Any) -> None:
        hover = HoverTool(
            renderers=[self.candles],
            mode="vline",
            tooltips=_TIP,
            formatters={"@x": "datetime"},
            point_policy="follow_mouse",
        )
        marks = HoverTool(renderers=[self.markers], tooltips="@text")
        zoom, pan = WheelZoomTool(dimensions="width", maintain_focus=False), PanTool(dimensions="width")
        plot.add_tools(hover, marks, zoom, pan, CrosshairTool(line_color=FLAT, line_alpha=0.6), ResetTool())
        plot.toolbar.active_scroll, plot.toolbar.active_drag = zoom, pan

    def _axes(self, plot: Any) -> None:
        plot.xaxis.formatter = DatetimeTickFormatter(minutes="%H:%M", hourmin="%H:%M", hours="%H:%M", days="%H:%M")
        plot.xaxis.ticker.desired_num_ticks = 7
        plot.xgrid.grid_line_alpha = plot.ygrid.grid_line_alpha = 0.5
        plot.yaxis.ticker.desired_num_ticks = 7
        scale = {"levels": self.levels, "y_range": plot.y_range, "plot": plot}
        plot.yaxis.formatter = CustomJSTickFormatter(args=scale, code=asset("scale.js"))


_TIP = [
    ("", "@x{%H:%M} New York"),
    ("O H L C", "@open{0.00}  @high{0.00}  @low{0.00}  @close{0.00}"),
    ("Volume", "@volume{0,0}"),
    ("VWAP", "@vwap{0.00}"),
]


def _fit_args(chart: Chart, plot: Any) -> dict[str, Any]:
    volume = plot.extra_y_ranges["volume"]
    return {
        "bars": chart.bars,
        "levels": chart.levels,
        "in_sight": chart.in_sight,
        "x_range": plot.x_range,
        "y_range": plot.y_range,
        "volume": volume,
        "plot": plot,
    }


def _x(day: TradingDay, k: Any) -> Any:
    """New York's wall clock as the axis wants it: milliseconds, as if it were UTC."""
    midnight = np.datetime64(day.date, "ms").astype(np.int64)
    return float(midnight) + (240.0 + k) * MINUTE


def _bars(history: Mapping[str, Any]) -> dict[str, Any]:
    bars = {name: np.asarray(history[name], dtype=np.float64) for name in COLUMNS[1:-1]}
    return {
        "x": _x(history["day"], np.asarray(history["k"], dtype=np.float64)),
        **bars,
        "color": np.where(bars["close"] >= bars["open"], UP, DOWN),
    }


def _continues(old: Mapping[str, Any], new: Mapping[str, Any], known: int) -> bool:
    """Whether the new bars are the old ones and more: a late bar may have changed what was before."""
    return len(new["x"]) >= known and all(
        np.array_equal(old[name][: known - 1], new[name][: known - 1]) for name in ("x", "close", "volume")
    )


def _levels(levels: Mapping[str, float]) -> dict[str, list[Any]]:
    known = {name: float(price) for name, price in levels.items() if np.isfinite(price)}
    return {
        "y": list(known.values()),
        "text": [f"{name} {price:.{2 if price >= 1 else 4}f}" for name, price in known.items()],
        "color": [LEVELS.get(name, FLAT) for name in known],
        "at": [np.nan] * len(known),
        "lift": [0.0] * len(known),
    }


def _marks(fired: Iterable[Mapping[str, Any]], bars: Mapping[str, Any], day: TradingDay) -> dict[str, list[Any]]:
    marks: dict[str, list[Any]] = {"x": [], "y": [], "mark": [], "color": [], "offset": [], "text": []}
    start = float(day.start.astype("datetime64[s]").astype(np.int64))
    for line in fired:
        # A step's time is its end: the bar is the one that begins in the minute before.
        x = _x(day, np.ceil((line["time"] - start) / 60.0) - 1.0)
        at = int(np.searchsorted(bars["x"], x))
        if at < len(bars["x"]) and bars["x"][at] == x:
            _mark(marks, line, x, bars["low"][at] if line["side"] > 0 else bars["high"][at])
    return marks


def _mark(marks: dict[str, list[Any]], line: Mapping[str, Any], x: float, y: float) -> None:
    long = line["side"] > 0
    values = (
        x,
        float(y),
        "▲" if long else "▼",
        UP if long else DOWN,
        10 if long else -10,
        ", ".join(c[4] for c in line["fired"]),
    )
    for column, one in zip(marks.values(), values, strict=True):
        column.append(one)


def _window(x: Any, day: TradingDay, minutes: int | None) -> tuple[float, float]:
    end = float(x[-1]) + 4 * MINUTE
    if minutes is not None and minutes > 0:
        return end - minutes * MINUTE, end
    first = float(x[0]) - 2 * MINUTE
    if minutes is None and x[-1] >= _x(day, day.open_k):
        first = max(first, _x(day, day.open_k - 45))
    return min(first, end - 60 * MINUTE), end

"""Heat maps of a sweep: the mean result of every setting, and beside it how good its neighbourhood is.

The eye goes to the brightest cell; the second map shows whether anything stands around it. Cells with few results are
hatched, with their n, and have no colour.
"""

from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource, FactorRange, HoverTool
from bokeh.plotting import figure

from scanner_kit.tuning.grid import Setting
from scanner_kit.tuning.plateau import FEWEST, Plateau, Slice, plateau
from scanner_kit.tuning.sweep import Sweep
from scanner_kit.tuning.walk import walk_forward
from scanner_kit.views.chart import DOWN, FLAT, UP
from scanner_kit.views.lists import title

CHOSEN = "#4c9bf0"
INK = {True: "#e6ebf2", False: "#18202b"}
ROW_PX, LEAST_PX, MOST_PX = 40, 160, 760
FAINTEST, STRONGEST = 0.06, 0.62
TIP = [
    ("", "@setting"),
    ("Mean", "@mean (5–95 %: @interval)"),
    ("Neighbourhood", "@score"),
    ("Win rate", "@win_rate"),
    ("Profit factor", "@profit_factor"),
    ("Results", "@n of @triggers triggers, @tradable tradable"),
]


def heat_maps(
    sweep: Sweep,
    x: str | None = None,
    y: str | None = None,
    *,
    fixed: Setting | None = None,
    fewest: int = FEWEST,
    train: int = 20,
    test: int = 5,
    dark: bool | None = None,
) -> Any:
    """The heat maps of a sweep as a Panel component, with what they suggest and what walk-forward leaves of it.

    Parameters
    ----------
    x, y
        Thresholds; else the two that have the most values. All others are chosen on the screen, and begin at `fixed`,
        else at the suggested setting.
    fewest
        Results below which a mean is not coloured and does not count.
    train, test
        Days of the walk-forward.
    dark
        Whether they stand on a dark page; None for Panel's own theme.

    Raises
    ------
    InvalidInput
        A search, whose settings are no grid; a threshold or value that was not swept.
    """
    found = plateau(sweep, fewest=fewest)
    maps = _Maps(found, x, y, dict(fixed or {}), pn.config.theme == "dark" if dark is None else dark)
    lines = (found.line, walk_forward(sweep, train=train, test=test, fewest=fewest).line)
    told = (pmui.Typography(line, variant="body2", sizing_mode="stretch_width") for line in lines)
    return pn.Column(pn.FlexBox(*maps.controls), *told, maps.pane, sizing_mode="stretch_width")


class _Maps:
    """The two maps, and the controls that say which thresholds they show."""

    def __init__(self, found: Plateau, x: str | None, y: str | None, fixed: Setting, dark: bool) -> None:
        self._found, self._dark, self._fixed = found, dark, dict(fixed)
        axes = found.grid.axes
        most = sorted(axes, key=lambda name: (-found.grid.is_ordered(name), -len(axes[name])))
        x = x or next(name for name in most if name != y)
        y = y or next((name for name in most if name != x), None)
        shown = found.slice(x, y, fixed)
        names = {title(name): name for name in axes}
        self._x = pmui.Select(label="Across", options=names, value=x, width=190)
        self._y = pmui.Select(label="Up", options=names, value=y, width=190)
        self._held = {
            name: pmui.Select(
                label=title(name),
                options={_word(value): value for value in values},
                value=shown.held.get(name, self._rest(name)),
                width=150,
            )
            for name, values in axes.items()
        }
        self._two = y is not None
        self.controls = [self._x, *([self._y] if y else []), *self._held.values()]
        for control in self.controls:
            control.param.watch(self._follow, "value")
        self.pane = pn.Row(sizing_mode="stretch_width")
        self._follow()

    def _rest(self, name: str) -> Any:
        return (self._found.suggested or self._found.sweep.settings[0])[name]

    def _follow(self, *_: Any) -> None:
        """Draw what the controls say; a threshold named twice gives way."""
        x, y = self._x.value, self._y.value if self._two else None
        if x == y:
            self._y.value = next(name for name in self._found.grid.axes if name != x)
            return
        for name, control in self._held.items():
            control.visible = name not in (x, y)
        held = {name: control.value for name, control in self._held.items() if name not in (x, y)}
        shown = self._found.slice(x, y, held)
        told: dict[str, Any] = {**cells_of(self._found, shown)}
        cells = ColumnDataSource(told)
        reach = _reach(cells.data)
        maps = [
            _map(shown, cells, "Mean R after costs", "mean_r", "mean", reach, self._dark),
            _map(shown, cells, "Neighbourhood: lower quartile of mean R", "score_r", "score", reach, self._dark),
        ]
        maps[1].x_range, maps[1].y_range = maps[0].x_range, maps[0].y_range
        self.pane.objects = [pn.pane.Bokeh(one, sizing_mode="stretch_width") for one in maps]


def cells_of(found: Plateau, shown: Slice) -> dict[str, list[Any]]:
    """What a map tells of each cell, row after row: figures as numbers to draw, and as words to read."""
    sweep, places = found.sweep, shown.places.ravel().tolist()
    low, high = sweep.interval
    cells: dict[str, list[Any]] = {
        "x": [_word(value) for value in shown.xs] * len(shown.ys),
        "y": [_word(value) for value in shown.ys for _ in shown.xs],
        "enough": shown.enough.ravel().tolist(),
        "inside": shown.inside.ravel().tolist(),
        "suggested": [place == found.middle for place in places],
        "mean_r": np.where(shown.enough.ravel(), sweep.mean_r[places], np.nan).tolist(),
        "score_r": shown.score.ravel().tolist(),
    }
    cells |= {
        "setting": [", ".join(f"{title(k)} {_word(v)}" for k, v in sweep.settings[i].items()) for i in places],
        "mean": [_r(sweep.mean_r[i]) for i in places],
        "score": [_r(value) for value in cells["score_r"]],
        "interval": [f"{_r(low[i])} to {_r(high[i])}" for i in places],
        "win_rate": [_told(100 * sweep.win_rate[i], ".1f", " %") for i in places],
        "profit_factor": [_told(sweep.profit_factor[i], ".2f") for i in places],
    }
    return cells | {
        name: [f"{int(getattr(sweep, name)[i]):,}" for i in places] for name in ("n", "triggers", "tradable")
    }


def _map(
    shown: Slice, cells: ColumnDataSource, heading: str, figures: str, words: str, reach: float, dark: bool
) -> Any:
    plot = figure(
        title=heading,
        x_range=FactorRange(factors=[_word(value) for value in shown.xs]),
        y_range=FactorRange(factors=[_word(value) for value in shown.ys]),
        height=int(np.clip(ROW_PX * len(shown.ys) + 90, LEAST_PX, MOST_PX)),
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools="",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        x_axis_label=title(shown.x),
        y_axis_label=title(shown.y),
    )
    values = np.asarray(cells.data[figures], dtype=np.float64)
    known = ~np.isnan(values)
    strength = np.where(known, np.minimum(np.abs(np.nan_to_num(values)) / reach, 1.0), 0.0)
    cells.add(np.where(values >= 0, UP, DOWN).tolist(), f"{figures}_color")
    cells.add(np.where(known, FAINTEST + (STRONGEST - FAINTEST) * strength, 0.0).tolist(), f"{figures}_alpha")
    cells.add(np.where(known, " ", "/").tolist(), f"{figures}_hatch")
    n = [f"n {one}" for one in cells.data["n"]]
    lines = zip(cells.data[words], known, n, strict=True)
    cells.add([f"{word}\n{count}" if one else count for word, one, count in lines], f"{words}_at")
    cells.add(np.where(known, 1.0, 0.55).tolist(), f"{figures}_ink")
    common: dict[str, Any] = {"source": cells}
    box: dict[str, Any] = {"width": 0.96, "height": 0.94, **common}
    drawn = plot.rect(
        "x",
        "y",
        fill_color=f"{figures}_color",
        fill_alpha=f"{figures}_alpha",
        line_color=None,
        hatch_pattern=f"{figures}_hatch",
        hatch_color=FLAT,
        hatch_alpha=0.35,
        hatch_scale=9,
        **box,
    )
    size = "11px" if len(shown.xs) <= 14 else "9px"
    plot.text(
        *("x", "y"),
        text=f"{words}_at",
        text_align="center",
        text_baseline="middle",
        text_font_size=size,
        text_line_height=1.15,
        text_color=INK[dark],
        text_alpha=f"{figures}_ink",
        **common,
    )
    _outline(plot, cells)
    plot.add_tools(HoverTool(renderers=[drawn], tooltips=TIP, point_policy="follow_mouse"))
    _ink(plot, INK[dark])
    return plot


def _outline(plot: Any, cells: ColumnDataSource) -> None:
    """The best plateau, thinly, and the setting in its middle."""
    for name, width, dash in (("inside", 1.0, "dotted"), ("suggested", 3.0, "solid")):
        at = [i for i, one in enumerate(cells.data[name]) if one]
        where = ColumnDataSource({axis: [cells.data[axis][i] for i in at] for axis in ("x", "y")})
        plot.rect(
            *("x", "y"),
            width=0.96,
            height=0.94,
            source=where,
            fill_color=None,
            line_color=CHOSEN,
            line_width=width,
            line_dash=dash,
        )


def _ink(plot: Any, ink: str) -> None:
    plot.title.text_color, plot.title.text_font_size = ink, "13px"
    plot.grid.visible = False
    for axis in plot.axis:
        axis.axis_label_text_color = axis.major_label_text_color = ink
        axis.axis_line_color = axis.major_tick_line_color = None
        axis.axis_label_text_font_style, axis.axis_label_text_font_size = "normal", "12px"


def _reach(cells: Any) -> float:
    """The mean result that is drawn the strongest, the same in both maps."""
    found = np.abs(np.asarray([*cells["mean_r"], *cells["score_r"]], dtype=np.float64))
    return max(0.05, float(np.max(found[~np.isnan(found)], initial=0.0)))


def _word(value: Any) -> str:
    """A value of a threshold.

    >>> _word(2.0), _word(None), _word("wick")
    ('2', 'none', 'wick')
    """
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _r(value: float) -> str:
    return _told(value, "+.2f", " R")


def _told(value: float, form: str, unit: str = "") -> str:
    return "unknown" if np.isnan(value) else f"{value:{form}}{unit}"

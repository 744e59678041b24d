"""A look at one trigger: its day with entry, stop, target, MFE and MAE, why it fired or not, and what came after."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.core.properties import value
from bokeh.models import ColumnDataSource
from bokeh.models.annotations import LabelSet, Span

from scanner_kit.answers import CHART_LEVELS, answered
from scanner_kit.arithmetic import quotient
from scanner_kit.explain import Why, explain
from scanner_kit.judge import Judge
from scanner_kit.snapshot import Snapshot
from scanner_kit.tuning.answer import NEAR, Answer
from scanner_kit.tuning.history import MeasuredDay
from scanner_kit.tuning.outcomes import RESULTS, session_ends
from scanner_kit.tuning.paths import HORIZONS, SPANS
from scanner_kit.views.chart import DOWN, MINUTE, UP, Chart
from scanner_kit.views.tuning.changes import RESULT_WORDS, clock, place_of
from scanner_kit.views.tuning.words import percent, r
from scanner_kit.views.why import explanation

BEFORE, AFTER = 40, 12
"""Minutes that the chart shows before the trigger, and after the horizon's end."""
LONGEST = 150
ENTRY, TARGET, STOP = "#4c9bf0", UP, DOWN


@dataclass(frozen=True, eq=False)
class Subject:
    """The trigger that is looked at, in the answer it was found in."""

    key: str
    answer: Answer
    at: int

    @property
    def day(self) -> MeasuredDay:
        """Its day."""
        return self.answer.history.days[int(self.answer.fired.day[self.at])]

    @property
    def row(self) -> int:
        """Its symbol's row on that day."""
        return int(self.answer.fired.row[self.at])

    @property
    def k(self) -> int:
        """Its minute."""
        return int(self.answer.fired.k[self.at])

    def x(self, k: float) -> float:
        """A minute of its day as the chart's axis wants it: milliseconds of New York's wall clock, as if UTC."""
        return float(np.datetime64(self.day.day.date, "ms").astype(np.int64)) + (240.0 + k) * MINUTE

    @property
    def kind(self) -> str:
        """What it says."""
        return self.answer.fired.kinds[int(self.answer.fired.kind[self.at])]


class TradeChart:
    """The chart of a trigger's day, with the trade drawn into it."""

    def __init__(self) -> None:
        self.chart = Chart()
        self.lines = ColumnDataSource({"x0": [], "x1": [], "y": [], "color": [], "dash": []})
        self.names = ColumnDataSource({"x": [], "y": [], "text": [], "color": []})
        self.points = ColumnDataSource({"x": [], "y": [], "color": []})
        self.spoken = Span(dimension="height", line_color=ENTRY, line_dash="dashed", line_alpha=0.7)
        plot = self.figure = self.chart.figure
        plot.segment("x0", "y", "x1", "y", source=self.lines, line_color="color", line_dash="dash", line_width=2)
        plot.scatter("x", "y", source=self.points, size=9, fill_color="color", line_color="white", line_width=1.2)
        plot.add_layout(self.spoken)
        plot.add_layout(
            LabelSet(
                x="x",
                y="y",
                text="text",
                source=self.names,
                x_offset=8,
                text_baseline="middle",
                text_color="white",
                text_font_size="11px",
                text_font=value("Roboto, sans-serif"),
                background_fill_color="color",
                border_line_color="color",
                border_line_width=3,
            )
        )

    def show(self, one: Subject, horizon: str) -> None:
        """Draw the trade as it came out by the end of a horizon."""
        self.chart.show(day_of(one.day, one.row, one.k))
        end = _end(one, horizon)
        last = min(end, one.k + LONGEST)
        margin = max(AFTER, 0.3 * (last - one.k + BEFORE))
        lines, points = _lines(one), _points(one, horizon, end)
        inside = [point for point in points if point[1] <= last + margin]
        x = one.x
        self.spoken.location = x(one.k)
        names, prices, colors, dashes = (list(column) for column in zip(*lines, strict=True)) if lines else ([],) * 4
        start = x(int(one.answer.outcomes.entry_k[one.at]))
        count = len(lines)
        whole: dict[str, list[Any]] = {
            "x0": [start] * count,
            "x1": [x(last)] * count,
            "y": prices,
            "color": colors,
            "dash": dashes,
        }
        self.lines.data = dict(whole)
        at: dict[str, list[Any]] = {"x": [x(point[1]) for point in inside], "y": [point[2] for point in inside]}
        self.points.data = {**at, "color": [point[3] for point in inside]}
        self.names.data = {
            "x": [*whole["x1"], *at["x"]],
            "y": [*prices, *at["y"]],
            "text": [
                *(f"{name} {price:.2f}" for name, price in zip(names, prices, strict=True)),
                *(p[0] for p in inside),
            ],
            "color": [*colors, *(point[3] for point in inside)],
        }
        self.chart.in_sight.data = {"y": [*prices, *at["y"]]}
        self.figure.x_range.update(start=x(one.k - BEFORE), end=x(last + margin))


def _end(one: Subject, horizon: str) -> int:
    """The minute with which the horizon ends; that after the trigger's where there is no entry."""
    found, at = one.answer.outcomes, one.at
    if not found.tradable[at]:
        return one.k + 1
    end = int(found.entry_k[at]) + SPANS[HORIZONS.index(horizon)]
    return min(end, int(session_ends(one.day.day, np.array([one.k]))[0]))


def _lines(one: Subject) -> list[tuple[str, float, str, str]]:
    """Entry, stop and target: name, price, colour and dash of each that there is."""
    found, fired, at = one.answer.outcomes, one.answer.fired, one.at
    if not found.tradable[at]:
        return []
    entry, stop, risk = (float(values[at]) for values in (found.entry, fired.stop, found.r))
    target = entry + float(fired.side[at]) * risk
    lines = (("Entry", entry, ENTRY, "solid"), ("Stop", stop, STOP, "dashed"), ("Target", target, TARGET, "dashed"))
    return [line for line in lines if np.isfinite(line[1])]


def _points(one: Subject, horizon: str, end: int) -> list[tuple[str, int, float, str]]:
    """The farthest that the price went for and against the trade: name, minute, price and colour."""
    found, at, h = one.answer.outcomes, one.at, HORIZONS.index(horizon)
    side, entry, start = float(one.answer.fired.side[at]), float(found.entry[at]), int(found.entry_k[at])
    points = []
    for name, towards, percents, color in (("MFE", side, found.mfe_pct, UP), ("MAE", -side, found.mae_pct, DOWN)):
        price = entry * (1 + side * float(percents[at, h]) / 100)
        if np.isfinite(price):
            points.append((name, _reached(one.day, one.row, start, end, price, towards), price, color))
    return points


def told(one: Subject, present: Answer, horizon: str) -> str:
    """What is said of a trigger beside its chart, as JSON."""
    found, fired, at = one.answer.outcomes, one.answer.fired, one.at
    h, day = HORIZONS.index(horizon), one.day.day
    shown, spoken = reasons(one, present)
    fires = place_of(present, one.key) is not None
    return json.dumps(
        {
            "key": one.key,
            "symbol": one.day.universe.symbols[one.row],
            "when": f"{day.date:%A, %b %d, %Y}".replace(" 0", " "),
            "time": clock(one.k),
            "side": int(fired.side[at]),
            "kind": one.kind,
            "fires": fires,
            "spoken": spoken,
            "result": RESULTS[int(found.result[at, h])] or "not tradable",
            "r": r(found.result_r[at, h]),
            "sign": float(np.nan_to_num(found.result_r[at, h])),
            "horizon": horizon,
            "beyond": bool(found.beyond_stop[at]),
            "conditions": shown["conditions"],
            "after": after_of(one),
        }
    )


def after_of(one: Subject) -> list[dict[str, Any]]:
    """What came after a trigger: a row for each horizon."""
    found, at = one.answer.outcomes, one.at
    return [
        {
            "horizon": name,
            "result": RESULT_WORDS[int(found.result[at, i])],
            "r": r(found.result_r[at, i]),
            "mfe": percent(found.mfe_pct[at, i]),
            "mae": percent(found.mae_pct[at, i]),
            "sign": float(np.nan_to_num(found.result_r[at, i])),
        }
        for i, name in enumerate(HORIZONS)
    ]


def reasons(one: Subject, present: Answer) -> tuple[dict[str, Any], str]:
    """Why a trigger fires or does not under the thresholds of the present answer, as `views.why` tells it."""
    mine = (present.fired.day == one.answer.fired.day[one.at]) & (present.fired.row == one.row)
    said = list(present.fired.take(mine).triggers(present.history))
    with np.errstate(all="ignore"):
        answers = explain(alone_of(one.day, one.row), {0: Judge([present.scanner])}, said, {}, one.k)
    why = next((why for why in answers if why.kind == one.kind), answers[0])
    told = answered(why, None, one.day.day.time(one.k) if why.fired else None)
    shown: dict[str, Any] = json.loads(explanation(why.symbol, [told]))["scanners"][0]
    return shown, _sentence(why, str(shown["verdict"]), [trigger.k for trigger in said if trigger.kind == one.kind])


def _sentence(why: Why, verdict: str, fires_at: list[int]) -> str:
    if why.fired:
        return "Fires: all conditions hold."
    near = [k for k in fires_at if abs(k - why.k) <= NEAR]
    if not why.blocking or not near:
        return f"Does not fire now: {verdict}."
    instead = f" It fires at {clock(min(near, key=lambda k: abs(k - why.k)))} instead."
    return f"Does not fire now: {verdict}.{instead}"


def alone_of(day: MeasuredDay, row: int) -> Snapshot:
    """The whole day of one symbol."""
    rows, tape = np.array([row], dtype=np.intp), day.tape
    open_, high, low, close = (getattr(tape, name)[:, rows] for name in ("open", "high", "low", "close"))
    values, before = ({metric: found[:, rows] for metric, found in known.items()} for known in (day.values, day.before))
    minutes = np.arange(day.day.minutes)[:, None]
    return Snapshot(day.universe.take(rows), minutes, open_, high, low, close, values, before)


def day_of(day: MeasuredDay, row: int, k: int) -> dict[str, Any]:
    """A symbol's bars of a day, its VWAP, and the levels as they stood at minute `k`: what `views.chart` shows."""
    tape = day.tape
    bars = np.flatnonzero(np.isfinite(tape.close[:, row]))
    columns = {name: np.array(getattr(tape, name)[bars, row]) for name in ("open", "high", "low", "close", "volume")}
    volume = np.nan_to_num(tape.volume[:, row])
    middle = np.where(np.isfinite(tape.vwap[:, row]), tape.vwap[:, row], tape.close[:, row])
    with np.errstate(all="ignore"):
        vwap = quotient(np.cumsum(np.nan_to_num(middle * volume)), np.cumsum(volume))[bars]
    levels = {name: float(day.values[metric][k, row]) for name, metric in CHART_LEVELS.items() if metric in day.values}
    return {"day": day.day, "k": bars, **columns, "vwap": vwap, "levels": levels}


def _reached(day: MeasuredDay, row: int, start: int, end: int, price: float, towards: float) -> int:
    """The minute from `start` on in which a price was first reached."""
    extreme = (day.tape.high if towards > 0 else day.tape.low)[start:end, row]
    hit = np.flatnonzero(towards * extreme >= towards * price - 1e-9 * abs(price))
    return start + int(hit[0]) if hit.size else start

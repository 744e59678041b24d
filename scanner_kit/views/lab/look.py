"""A look at one trigger: its day with entry, stop, target, MFE and MAE, why it fired or not, and what came after."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.models.annotations import LabelSet, Span

from scanner_kit.arithmetic import quotient
from scanner_kit.explain import Why, explain
from scanner_kit.judge import Judge
from scanner_kit.snapshot import Snapshot
from scanner_kit.tuning.answer import Answer
from scanner_kit.tuning.history import MeasuredDay
from scanner_kit.tuning.outcomes import RESULTS, session_ends
from scanner_kit.tuning.paths import HORIZONS, SPANS
from scanner_kit.views.chart import DOWN, MINUTE, UP, Chart
from scanner_kit.views.desk import CHART_LEVELS, answered
from scanner_kit.views.lab.changes import RESULT_WORDS, clock, place_of
from scanner_kit.views.lab.words import percent, r
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
        return self.answer.history.days[self.answer.fired.day[self.at]]

    @property
    def row(self) -> int:
        """Its symbol's row on that day."""
        return int(self.answer.fired.row[self.at])

    @property
    def k(self) -> int:
        """Its minute."""
        return int(self.answer.fired.k[self.at])

    @property
    def kind(self) -> str:
        """What it says."""
        return self.answer.fired.kinds[self.answer.fired.kind[self.at]]


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
                text_color="color",
                source=self.names,
                x_offset=7,
                text_baseline="middle",
                text_font_size="11px",
                text_font_style="bold",
            )
        )

    def show(self, one: Subject, horizon: str) -> None:
        """Draw the trade as it came out by the end of a horizon."""
        self.chart.show(day_of(one.day, one.row, one.k))
        h, found, at = HORIZONS.index(horizon), one.answer.outcomes, one.at
        midnight = float(np.datetime64(one.day.day.date, "ms").astype(np.int64))

        def x(k: float) -> float:
            return midnight + (240.0 + k) * MINUTE

        self.spoken.location = x(one.k)
        side, entry, start = float(one.answer.fired.side[at]), float(found.entry[at]), int(found.entry_k[at])
        end = one.k + 1
        told: list[tuple[str, float, str, str]] = []
        points: list[tuple[str, float, float, str]] = []
        if found.tradable[at]:
            end = min(start + SPANS[h], int(session_ends(one.day.day, np.array([one.k]))[0]))
            stop, risk = float(one.answer.fired.stop[at]), float(found.r[at])
            told = [
                ("Entry", entry, ENTRY, "solid"),
                ("Stop", stop, STOP, "dashed"),
                ("Target", entry + side * risk, TARGET, "dashed"),
            ]
            excursions = (
                ("MFE", side, float(found.mfe_pct[at, h]), UP),
                ("MAE", -side, float(found.mae_pct[at, h]), DOWN),
            )
            for name, towards, size, color in excursions:
                price = entry * (1 + side * size / 100)
                points.append((name, x(_reached(one.day, one.row, start, end, price, towards)), price, color))
        told = [line for line in told if np.isfinite(line[1])]
        points = [point for point in points if np.isfinite(point[2])]
        self.lines.data = {
            "x0": [x(start)] * len(told),
            "x1": [x(end)] * len(told),
            "y": [line[1] for line in told],
            "color": [line[2] for line in told],
            "dash": [line[3] for line in told],
        }
        self.points.data = {"x": [p[1] for p in points], "y": [p[2] for p in points], "color": [p[3] for p in points]}
        self.names.data = {
            "x": [*(x(end) for _ in told), *(p[1] for p in points)],
            "y": [*(line[1] for line in told), *(p[2] for p in points)],
            "text": [*(f"{line[0]} {line[1]:.2f}" for line in told), *(p[0] for p in points)],
            "color": [*(line[2] for line in told), *(p[3] for p in points)],
        }
        last = min(end, one.k + LONGEST)
        self.figure.x_range.update(start=x(one.k - BEFORE), end=x(last + max(AFTER, 0.3 * (last - one.k + BEFORE))))


def told(one: Subject, present: Answer, horizon: str) -> str:
    """What is said of a trigger beside its chart, as JSON."""
    found, fired, at = one.answer.outcomes, one.answer.fired, one.at
    h, day = HORIZONS.index(horizon), one.day.day
    why, spoken = reasons(one, present)
    fires = place_of(present, one.key) is not None
    after = [
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
    symbol = one.day.universe.symbols[one.row]
    state = json.loads(explanation(symbol, why))
    return json.dumps(
        {
            "key": one.key,
            "symbol": symbol,
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
            "conditions": state["scanners"][0]["conditions"] if state["scanners"] else [],
            "after": after,
        }
    )


def reasons(one: Subject, present: Answer) -> tuple[list[dict[str, Any]], str]:
    """Why a trigger fires, or why it does not, under the thresholds of the present answer; and that in a sentence."""
    mine = (present.fired.day == one.answer.fired.day[one.at]) & (present.fired.row == one.row)
    said = list(present.fired.take(mine).triggers(present.history))
    alone = alone_of(one.day, one.row)
    with np.errstate(all="ignore"):
        answers = explain(alone, {0: Judge([present.scanner])}, said, {}, one.k)
    why = next((why for why in answers if why.kind == one.kind), answers[0])
    return [answered(why, None, one.day.day.time(one.k) if why.fired else None)], _sentence(
        why, [t.k for t in said if t.kind == one.kind]
    )


def _sentence(why: Why, fires_at: list[int]) -> str:
    if why.fired:
        return "Fires: all conditions hold."
    near = min(fires_at, key=lambda k: abs(k - why.k), default=None)
    instead = "" if near is None else f" It fires at {clock(near)} instead." if abs(near - why.k) <= 30 else ""
    if why.blocking:
        first = why.blocking[0]
        more = len(why.blocking) - 1
        return f"Does not fire now: {first.what} fails{f', and {more} more' if more else ''}.{instead}"
    return f"Does not fire now: {why.held_back or 'nothing kept it'}.{instead}"


def alone_of(day: MeasuredDay, row: int) -> Snapshot:
    """The whole day of one symbol."""
    rows, tape = np.array([row], dtype=np.intp), day.tape
    bars = (getattr(tape, name)[:, rows] for name in ("open", "high", "low", "close"))
    values, before = ({metric: found[:, rows] for metric, found in known.items()} for known in (day.values, day.before))
    return Snapshot(day.universe.take(rows), np.arange(day.day.minutes)[:, None], *bars, values, before)


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

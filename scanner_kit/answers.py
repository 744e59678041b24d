"""Answers: what people ask of a desk about one symbol: its day so far, and why it is or is not on a list.

They are plain dicts and arrays, for a screen, a notebook, or the way over a bus.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from scanner_kit import metrics as m
from scanner_kit.arithmetic import quotient
from scanner_kit.engine import Scan
from scanner_kit.explain import Why
from scanner_kit.run import Desk
from scanner_kit.scanner import FIRED

CHART_LEVELS: dict[str, m.Metric] = {
    "HOD": m.HighOfDay(),
    "PMH": m.PremarketHigh(),
    "PDH": m.Fact("pdh"),
    "PDC": m.Fact("prev_close"),
    "OR high": m.OpeningRangeHigh(),
    "OR low": m.OpeningRangeLow(),
}


def explain(desk: Desk, symbol: str, k: int | None = None) -> list[dict[str, Any]]:
    """Why a symbol is or is not on each list, and spoken of by each trigger scanner: what a screen shows.

    In the last step, or in that of minute `k`.
    """
    with desk.still() as engine:
        answers = engine.why(symbol, k)
        scan = engine.scan
        lists = engine.lists_at(k) if k is not None else {} if scan is None else scan.lists
        ranks = {name: found.symbols.index(symbol) + 1 for name, found in lists.items() if symbol in found.symbols}
        until = engine.k if k is None else k
        times = {(t.scanner, t.kind): t.time for t in engine.triggers if t.symbol == symbol and t.k <= until}
        return [answered(why, ranks.get(why.scanner), times.get((why.scanner, why.kind))) for why in answers]


def answered(why: Why, rank: int | None, fired: Any) -> dict[str, Any]:
    """The answer of one scanner as a screen shows it."""
    category = not why.kind
    holds = why.selected if category else _both(why.selected, why.speaks)
    held = why.held_back or ("halted" if why.halted else "")
    name = why.scanner if why.kind in ("", FIRED) else why.kind
    return {
        "scanner": name,
        "category": category,
        "holds": holds,
        "rank": rank,
        "fired": fired,
        "blocked": held,
        "conditions": why.reasons,
    }


def _both(a: bool | None, b: bool | None) -> bool | None:
    if False in (a, b):
        return False
    return None if None in (a, b) else True


def history(desk: Desk, symbol: str) -> dict[str, Any]:
    """A symbol's own bars of the day so far, its VWAP and the levels that matter: what a chart shows."""
    with desk.still() as engine:
        day, k, row = engine.meter.day, engine.k, engine.universe.row(symbol)
        bars = np.flatnonzero(np.isfinite(day.close[: k + 1, row]))
        columns = {name: np.array(getattr(day, name)[bars, row]) for name in ("open", "high", "low", "close", "volume")}
        with np.errstate(all="ignore"):
            vwap = quotient(np.cumsum(day.dollars[: k + 1, row]), np.array(day.total_volume[: k + 1, row]))[bars]
        facts = day.universe.facts
        return {
            "day": day.universe.day,
            "k": bars,
            **columns,
            "vwap": vwap,
            "levels": _levels(engine.scan, row),
            **_known(facts.prev_close[row], facts.name[row]),
        }


def _levels(scan: Scan | None, row: int) -> dict[str, float]:
    values = {} if scan is None else scan.snapshot.values
    found = {name: float(values[metric][row]) for name, metric in CHART_LEVELS.items() if metric in values}
    return {name: price for name, price in found.items() if np.isfinite(price)}


def _known(prev_close: float, name: str | None) -> dict[str, Any]:
    known: dict[str, Any] = {"name": name} if name else {}
    return known | ({"prev_close": float(prev_close)} if np.isfinite(prev_close) else {})


def chart_metrics() -> Iterable[m.Metric]:
    """What an engine must measure for the chart."""
    return CHART_LEVELS.values()

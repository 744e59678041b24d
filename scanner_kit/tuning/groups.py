"""Groups: where triggers come from, and what each part of them was worth: by time, symbol, day, session, any metric."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scanner_kit.errors import UnknownName
from scanner_kit.metrics import Metric
from scanner_kit.tuning.answer import Answer
from scanner_kit.tuning.paths import HORIZONS, WIN
from scanner_kit.tuning.worth import FEWEST_DAYS, interval, resamples
from scanner_kit.universe import Bools, Floats, Rows

HALF_HOUR = 30
BUCKETS = 6
GROUPINGS = ("time", "session", "day", "symbol", "kind", "side")
"""What triggers can be grouped by, beside any metric that the scanner uses."""


@dataclass(frozen=True)
class Part:
    """The triggers of one group, in this answer and in any other: those of a label, or a metric in [low, high)."""

    by: str
    label: str
    low: float = -math.inf
    high: float = math.inf

    def of(self, one: Answer) -> Bools:
        """Which triggers of an answer belong to it."""
        if self.by in GROUPINGS:
            parts, which = _grouped(one, self.by)
            places = [i for i, part in enumerate(parts) if part.label == self.label]
            return np.isin(which, places)
        values = values_at(one, _metric(one, self.by))
        return np.asarray((values >= self.low) & (values < self.high))


@dataclass(frozen=True, eq=False)
class Groups:
    """Triggers in groups, for one horizon, as arrays by group.

    `parts` are the groups as they are found again in other answers.
    `which` is the group of each trigger, −1 for none. `triggers` counts all of a group, `n` those with a result; win
    rate is wins ÷ n, `mean_r` in R after costs, with the 5 % and 95 % of its resamples of days. NaN is unknown.
    """

    parts: tuple[Part, ...]
    which: Rows
    triggers: Rows
    n: Rows
    win_rate: Floats
    mean_r: Floats
    low: Floats
    high: Floats

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def labels(self) -> tuple[str, ...]:
        """What each group is called."""
        return tuple(part.label for part in self.parts)


def groups_of(one: Answer, by: str, horizon: str) -> Groups:
    """The triggers of an answer in groups.

    `by` is "time" (half hours), "session", "day", "symbol", "kind", "side", or a metric of the scanner: buckets of
    about equal numbers. `UnknownName` for anything else.
    """
    parts, which = _grouped(one, by)
    place, days = HORIZONS.index(horizon), len(one.history)
    result, wins = one.outcomes.result_r[:, place], one.outcomes.result[:, place] == WIN
    known = ~np.isnan(result) & (which >= 0)
    cell = one.fired.day[known] * len(parts) + which[known]

    def sums(values: Any = None) -> Floats:
        found = np.bincount(cell, values, minlength=days * len(parts))
        return found.reshape(days, len(parts)).astype(np.float64)

    count, total, won = sums(), sums(result[known]), sums(wins[known].astype(np.float64))
    low = high = np.full(len(parts), np.nan)
    if days >= FEWEST_DAYS:
        drawn = resamples(days, one.seed)
        low, high = interval(_ratio(drawn @ total, drawn @ count))
    n = count.sum(axis=0)
    triggers = np.bincount(which[which >= 0], minlength=len(parts))
    win_rate, mean_r = (_ratio(values.sum(axis=0), n) for values in (won, total))
    return Groups(tuple(parts), which, triggers, n.astype(np.intp), win_rate, mean_r, low, high)


def metrics_of(one: Answer) -> tuple[str, ...]:
    """The names of the metrics that triggers can be grouped by."""
    return one.fired.speaker.names


def _grouped(one: Answer, by: str) -> tuple[Sequence[Part], Rows]:
    if by not in GROUPINGS:
        return _buckets(by, values_at(one, _metric(one, by)))
    labels, which = _labelled(one, by)
    return [Part(by, label) for label in labels], which


def _labelled(one: Answer, by: str) -> tuple[Sequence[str], Rows]:
    fired, history = one.fired, one.history
    if by == "time":
        from_four = fired.k // HALF_HOUR
        found, which = np.unique(from_four, return_inverse=True)
        return [_clock(int(half) * HALF_HOUR) for half in found], which
    if by == "session":
        names = [[str(day.day.session(k)) for k in range(day.day.minutes)] for day in history.days]
        return _words([names[day][k] for day, k in zip(fired.day.tolist(), fired.k.tolist(), strict=True)])
    if by == "day":
        return [str(date) for date in history.dates], fired.day.copy()
    if by == "symbol":
        return _words(one.symbols.tolist())
    if by == "kind":
        return list(fired.kinds), fired.kind.copy()
    return ["long", "short"], np.where(fired.side > 0, 0, 1).astype(np.intp)


def _metric(one: Answer, name: str) -> Metric:
    """A metric that the scanner uses, or did under other thresholds."""
    used = dict(zip(one.fired.speaker.names, one.fired.speaker.metrics, strict=True))
    known = {metric.name: metric for day in one.history.days[:1] for metric in day.values} | used
    if name not in known:
        raise UnknownName.of("Triggers cannot be grouped by", name, (*GROUPINGS, *used))
    return known[name]


def values_at(one: Answer, metric: Metric) -> Floats:
    """A metric at each trigger."""
    values = [day.values[metric] for day in one.history.days]
    places = zip(one.fired.day.tolist(), one.fired.k.tolist(), one.fired.row.tolist(), strict=True)
    return np.array([values[day][k, row] for day, k, row in places], dtype=np.float64)


def _words(words: Sequence[str]) -> tuple[Sequence[str], Rows]:
    labels = sorted(set(words))
    places = {label: i for i, label in enumerate(labels)}
    return labels, np.array([places[word] for word in words], dtype=np.intp)


def _buckets(by: str, values: Floats) -> tuple[Sequence[Part], Rows]:
    """Buckets of about equal numbers of known values; equal values are in one bucket, the outer ones are open."""
    known = ~np.isnan(values)
    if not known.any():
        return [], np.full(values.size, -1, dtype=np.intp)
    inner = np.unique(np.quantile(values[known], np.arange(1, BUCKETS) / BUCKETS))
    which = np.where(known, np.searchsorted(inner, values, side="right"), -1)
    found, places = np.unique(which[known], return_inverse=True)
    shown = [values[known].min(), *inner.tolist(), values[known].max()]
    bounds = [-math.inf, *inner.tolist(), math.inf]
    which[known] = places
    parts = [Part(by, f"{shown[i]:,.4g} – {shown[i + 1]:,.4g}", bounds[i], bounds[i + 1]) for i in found]
    return parts, which.astype(np.intp)


def _clock(minutes: int) -> str:
    return f"{4 + minutes // 60:02d}:{minutes % 60:02d}"


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)

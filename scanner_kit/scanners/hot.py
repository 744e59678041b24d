"""The hot list: the few symbols that a trader keeps in view, smoothed and sticky."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import param

from scanner_kit import metrics as m
from scanner_kit.arithmetic import compiled
from scanner_kit.columns import Column
from scanner_kit.conditions import NOBODY
from scanner_kit.scanner import EVERY_SESSION, Scanner
from scanner_kit.snapshot import Snapshot
from scanner_kit.universe import Bools, Floats, Rows

RVOL_CLIP = 100.0


@dataclass(frozen=True, eq=False)
class Heat:
    """What the hot list remembers.

    The smoothed score of each symbol (NaN: none yet), the rows of its members, and how often in a row each outsider
    that exceeds the weakest member has done so.
    """

    s: Floats
    members: Rows
    counts: Mapping[int, int]

    @classmethod
    def cold(cls, symbols: int) -> "Heat":
        """Nothing known yet."""
        return cls(np.full(symbols, np.nan), NOBODY, {})


class Hot(Scanner):
    """Heavy for the time of day and for the day; whoever is in stays until somebody is clearly hotter."""

    sessions = EVERY_SESSION
    top = 5
    rvol_weight = param.Number(10.0, bounds=(0, 1000), doc="Weight of rvol_tod, which is clipped at 100.")
    day_weight = param.Number(5.0, bounds=(0, 1000), doc="Weight of rvol_day.")
    half_life = param.Number(
        3.0, bounds=(0, 960), doc="Minutes in which a change of the score has half arrived.", metadata={"unit": "min"}
    )
    margin = param.Number(
        10.0,
        bounds=(0, 1000),
        doc="Percent by which an outsider must exceed the weakest member.",
        metadata={"unit": "%"},
    )
    steps = param.Integer(2, bounds=(0, 960), doc="Steps in a row for which it must.")
    rvol, rvol_day = m.RelativeVolume(), m.RvolDay()

    def rank(self, now: Snapshot) -> Column:
        """The score before smoothing: an unknown part counts 0, both unknown is no score."""
        weights = float(self.rvol_weight), float(self.day_weight)

        def score(rvol: Floats, day: Floats) -> Floats:
            return _score(rvol.ravel(), day.ravel(), *weights).reshape(rvol.shape)

        return Column.made("hot score", score, now[self.rvol], now[self.rvol_day])

    def heat(self, before: Heat, score: Floats, eligible: Rows) -> Heat:
        """The next memory: smoothed scores, members who stay or come in, and counts; `eligible` rows ascend."""
        s = self.smoothed(before.s, score)
        members = self._filled(s, before.members[_is_among(before.members, eligible)], eligible)
        if members.size < self.top:
            return Heat(s, members, {})
        return self._challenged(s, members, eligible, before.counts)

    def smoothed(self, s: Floats, score: Floats) -> Floats:
        """The smoothed scores, one step on; an unknown score leaves what was."""
        if self.half_life == 0:
            return np.where(np.isnan(score), s, score)
        return _smoothed(s, np.ascontiguousarray(score), 1.0 - 2.0 ** (-1.0 / self.half_life))

    def _filled(self, s: Floats, members: Rows, eligible: Rows) -> Rows:
        free = self.top - members.size
        if free <= 0:
            return hottest(s, members)[: self.top]
        outside = _without(_above(s, eligible, -np.inf), members)
        return np.concatenate([members, hottest(s, outside)[:free]])

    def _challenged(self, s: Floats, members: Rows, eligible: Rows, counts_before: Mapping[int, int]) -> Heat:
        better = 1.0 + self.margin / 100.0
        exceeding = _without(_above(s, eligible, s[hottest(s, members)[-1]] * better), members).tolist()
        counts = {row: counts_before.get(row, 0) + 1 for row in exceeding}
        ready = [row for row in exceeding if counts[row] >= self.steps]
        for outsider in hottest(s, np.array(ready, dtype=np.intp)).tolist():
            weakest = hottest(s, members)[-1]
            if not s[outsider] > s[weakest] * better:
                break
            members = np.where(members == weakest, outsider, members)
        return Heat(s, members, counts)


def hottest(s: Floats, rows: Rows) -> Rows:
    """Rows in order of s, the highest first, then of the symbol."""
    rows = np.sort(rows)
    return rows[np.argsort(-s[rows], kind="stable")]


def _is_among(some: Rows, rows: Rows) -> Bools:
    """Which of some rows are among others that ascend."""
    if not rows.size:
        return np.zeros(some.size, dtype=np.bool_)
    return np.asarray(rows[np.minimum(np.searchsorted(rows, some), rows.size - 1)] == some)


def _without(rows: Rows, some: Rows) -> Rows:
    """Rows without some others."""
    return rows[~_is_among(rows, np.sort(some))]


@compiled
def _above(s: Floats, rows: Rows, least: float) -> Rows:
    """The rows whose s is known and more than that."""
    found, count = np.empty_like(rows), 0
    for row in rows:
        if s[row] > least:
            found[count] = row
            count += 1
    return found[:count]


@compiled
def _score(rvol: Floats, day: Floats, rvol_weight: float, day_weight: float) -> Floats:
    score = np.empty(rvol.size)
    for i in range(rvol.size):
        a = 0.0 if np.isnan(rvol[i]) else min(rvol[i], RVOL_CLIP)
        b = 0.0 if np.isnan(day[i]) else day[i]
        unknown = np.isnan(rvol[i]) and np.isnan(day[i])
        score[i] = np.nan if unknown else rvol_weight * a + day_weight * b
    return score


@compiled
def _smoothed(s: Floats, score: Floats, pace: float) -> Floats:
    following = np.empty(s.size)
    for i in range(s.size):
        moved = score[i] if np.isnan(s[i]) else s[i] + pace * (score[i] - s[i])
        following[i] = s[i] if np.isnan(score[i]) else moved
    return following

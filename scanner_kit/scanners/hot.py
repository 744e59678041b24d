"""The hot list: the few symbols that a trader keeps in view, smoothed and sticky."""

from dataclasses import dataclass

import numpy as np
import param

from scanner_kit import metrics as m
from scanner_kit.arithmetic import compiled
from scanner_kit.conditions import Column
from scanner_kit.scanner import EVERY_SESSION, Scanner
from scanner_kit.snapshot import Snapshot
from scanner_kit.universe import Bools, Floats, Rows

RVOL_CLIP = 100.0


@dataclass(frozen=True, eq=False)
class Heat:
    """What the hot list remembers: the smoothed score of each symbol (NaN.

    None yet), its members, and each outsider's count.
    """

    s: Floats
    members: Rows
    counts: np.ndarray

    @classmethod
    def cold(cls, symbols: int) -> "Heat":
        """Nothing known yet."""
        return cls(np.full(symbols, np.nan), np.empty(0, dtype=np.intp), np.zeros(symbols, dtype=np.int64))


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
        rvol, day = now[self.rvol].values, now[self.rvol_day].values
        score = _score(rvol.ravel(), day.ravel(), float(self.rvol_weight), float(self.day_weight)).reshape(rvol.shape)
        return Column(score, "hot score", now.memo)

    def heat(self, before: Heat, score: Floats, eligible: Bools) -> Heat:
        """The next memory: smoothed scores, members who stay or come in, and counts."""
        s = self._smoothed(before.s, score)
        passes = eligible & ~np.isnan(s)
        members = self._filled(s, before.members[passes[before.members]], passes)
        outside = passes.copy()
        outside[members] = False
        if members.size < self.top or not outside.any():
            return Heat(s, members, np.zeros_like(before.counts))
        return self._challenged(s, members, outside, before.counts)

    def _smoothed(self, s: Floats, score: Floats) -> Floats:
        if self.half_life == 0:
            return np.where(np.isnan(score), s, score)
        return _smoothed(s, np.ascontiguousarray(score), 1.0 - 2.0 ** (-1.0 / self.half_life))

    def _filled(self, s: Floats, members: Rows, passes: Bools) -> Rows:
        free = self.top - members.size
        if free <= 0:
            return hottest(s, members)[: self.top]
        outside = passes.copy()
        outside[members] = False
        return np.concatenate([members, hottest(s, np.flatnonzero(outside))[:free]])

    def _challenged(self, s: Floats, members: Rows, outside: Bools, counts_before: np.ndarray) -> Heat:
        better = 1.0 + self.margin / 100.0
        exceeding = np.flatnonzero(outside & (s > s[hottest(s, members)[-1]] * better))
        counts = np.zeros_like(counts_before)
        counts[exceeding] = counts_before[exceeding] + 1
        ready = exceeding if self.steps else np.flatnonzero(outside)
        for outsider in hottest(s, ready[counts[ready] >= self.steps]).tolist():
            weakest = hottest(s, members)[-1]
            if not s[outsider] > s[weakest] * better:
                break
            members = np.where(members == weakest, outsider, members)
        return Heat(s, members, counts)


def hottest(s: Floats, rows: Rows) -> Rows:
    """Rows in order of s, the highest first, then of the symbol."""
    rows = np.sort(rows)
    return rows[np.argsort(-s[rows], kind="stable")]


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

"""Draws that need no market, so that there can be many: the size and power of the reality check, and of its rivals.

A draw is a pool of triggers, each with a result in R and four measures, and settings that let triggers pass by four
thresholds on them: what sliders do, without the market.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.quiet import generator
from scanner_kit.tuning.luck import LEVEL
from scanner_kit.tuning.reality import ENOUGH, reality_check

Floats = NDArray[np.float64]

RESAMPLES = 500


@dataclass(frozen=True)
class Case:
    """Draws of one kind: results of triggers, and settings that choose among them."""

    days: int
    a_day: int  # triggers of the pool
    settings: int
    shared: float  # of the variance of a result: that of its day
    skew: int = 0  # −1: some losses run away; 1: some wins do
    edge: bool = False  # 0.15 R on the thousand triggers of one setting

    def __str__(self) -> str:
        kind = {-1: ", long losses", 0: "", 1: ", long wins"}[self.skew]
        many = f"{self.settings} setting{'' if self.settings == 1 else 's'}"
        return f"{self.days} days × {self.a_day} triggers, {many}{kind}"


CASES = (
    *(Case(days, 40, 200, 0.05) for days in (10, 15, 25, 60)),
    *(Case(days, 40, 1, 0.05) for days in (10, 25)),
    Case(25, 150, 200, 0.05),
    Case(25, 8, 200, 0.05),
    Case(25, 40, 200, 0.05, skew=-1),
    Case(25, 40, 200, 0.05, skew=1),
    *(Case(days, a_day, 200, 0.02, edge=True) for days, a_day in ((10, 130), (10, 400), (25, 52), (25, 160))),
)
TESTS: dict[str, Callable[[Floats, Floats], float]] = {
    "ours": lambda sums, counts: reality_check(sums, counts, resamples=RESAMPLES).p,
    "plain mean": lambda sums, counts: plain(sums),
    "÷ standard deviation, fixed": lambda sums, counts: fixed(sums),
    "÷ standard deviation, anew": lambda sums, counts: anew(sums),
}


def drawn(case: Case, rng: Generator) -> tuple[Floats, Floats]:
    """Sums and counts of each setting on each day."""
    day = np.repeat(np.arange(case.days), rng.poisson(case.a_day * np.exp(0.4 * rng.standard_normal(case.days) - 0.08)))
    common, own = rng.standard_normal(case.days)[day], rng.standard_normal(len(day))
    result = np.clip(1.3 * (math.sqrt(case.shared) * common + math.sqrt(1 - case.shared) * own), -1, 1)
    if case.skew:
        far = rng.random(len(day)) < 0.03
        result = np.where(far, case.skew * rng.exponential(3.0, len(day)), result) - case.skew * 0.09
    seen, limits = rng.random((len(day), 4)), thresholds(rng, case.settings)
    if case.edge:
        limits[case.settings // 2] = 1 - min(1.0, 1_000 / len(day)) ** 0.25
        result = result + 0.15 * (seen >= limits[case.settings // 2]).all(axis=1)
    taken = (seen[:, None] >= limits).all(axis=2)
    of_day = np.equal.outer(np.arange(case.days), day).astype(np.float64)
    return of_day @ (taken * result[:, None]), of_day @ taken


def thresholds(rng: Generator, settings: int) -> Floats:
    """A walk of four thresholds between 0 and 0.9, each of which lets the rest pass."""
    limits, now = np.empty((settings, 4)), 0.5 * rng.random(4)
    for j in range(settings):
        one = rng.integers(4)
        now[one] = np.clip(now[one] + 0.15 * rng.standard_normal(), 0.0, 0.9)
        limits[j] = now
    return limits


def passed(case: Case, draws: int) -> dict[str, Any]:
    """How many draws of a case each test takes for an edge, of those with a setting that can be judged."""
    counted, found = 0, dict.fromkeys(TESTS, 0)
    for sums, counts in (drawn(case, generator(i, *map(ord, str(case)), case.edge)) for i in range(draws)):
        some = (counts > 0).sum(axis=0) >= ENOUGH
        if some.any():
            counted += 1
            for name, test in TESTS.items():
                found[name] += test(sums[:, some], counts[:, some]) < LEVEL
    return {"edge": case.edge, "draws": counted, **found}


def plain(sums: Floats) -> float:
    """White's own: the largest mean."""
    mean = sums.mean(axis=0)
    return _share(mean.max() <= (_weights(len(sums)) @ (sums - mean) / len(sums)).max(axis=1))


def fixed(sums: Floats) -> float:
    """Hansen's unit: the standard deviation of the days, the same in all resamples."""
    mean, deviation = sums.mean(axis=0), sums.std(axis=0, ddof=1)
    reached = (_weights(len(sums)) @ ((sums - mean) / deviation) / len(sums)).max(axis=1)
    return _share((mean / deviation).max() <= reached)


def anew(sums: Floats) -> float:
    """Romano and Wolf's unit: the standard deviation of the days that were drawn."""
    weights, rest = _weights(len(sums)), sums - sums.mean(axis=0)
    reached = (weights @ rest / np.sqrt(np.maximum(weights @ rest**2, 1e-300))).max(axis=1)
    return _share((sums.sum(axis=0) / np.sqrt((sums**2).sum(axis=0))).max() <= reached)


def _share(reached: Any) -> float:
    return (1 + int(np.count_nonzero(reached))) / (1 + len(reached))


def _weights(days: int) -> Floats:
    each = generator(0).integers(0, days, (RESAMPLES, days))
    return np.stack([np.bincount(row, minlength=days) for row in each]).astype(np.float64)

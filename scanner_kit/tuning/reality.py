"""Two tests of all settings that were looked at, over days: White's reality check, and PBO.

What a setting did on a day is the sum of its triggers' results in R, after costs, and their number. Days are what is
drawn and divided, for the triggers of one day share its market.
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import ArrayLike, NDArray

from scanner_kit.arithmetic import compiled
from scanner_kit.errors import InvalidInput
from scanner_kit.tuning.outcomes import check_seed
from scanner_kit.universe import Floats

ENOUGH = 10
"""Days with triggers that a setting must have to be judged, and so the fewest days; `reality_check` says why."""
NEAR = 1e-9
"""What differs by less, relative, differs by rounding alone: it is equal."""

_COLUMNS = 512  # settings at a time: bounds the memory


@dataclass(frozen=True)
class RealityCheck:
    """What White's reality check found; `p` is NaN and `best` None where there is too little to tell.

    `best` is a column of what was given, `mean` its result of a day and `mean_r` that of a trigger, in R after costs.
    `judged` of the `settings` have triggers on as many days as are `needed`.
    """

    p: float
    best: int | None
    mean: float
    mean_r: float
    settings: int
    judged: int
    days: int
    needed: int = ENOUGH


@dataclass(frozen=True)
class Overfitting:
    """PBO: the share of `logits` ≤ 0, over all ways to choose half of the `blocks` of days; NaN where unknown.

    A logit is that of the relative rank, on the other half, of the setting that was best on the chosen one. Where
    several were best alike, each has its logit and they share one weight, so that `pbo` does not hang on their order.
    """

    pbo: float
    logits: Floats
    blocks: int


def reality_check(
    sums: ArrayLike, counts: ArrayLike, *, seed: int = 0, resamples: int = 2_000, mean_block: float = 1.0
) -> RealityCheck:
    """White's reality check over days, across all settings looked at.

    H0: no setting has a mean result above 0. The statistic is the largest Σ result ÷ √triggers of all settings: √D
    times the mean of a day, in units of √(triggers a day). Its distribution if H0 holds is that of resampled days from
    which each setting's own mean was taken; p is the share of resamples that reach it, itself counted with them.

    Parameters
    ----------
    sums, counts
        Days × settings: results in R after costs added up, and how many.
    seed, resamples
        Of the draws, `Generator(PCG64(seed)).integers(0, D, (resamples, D))`: those of DEFINITIONS.
    mean_block
        Mean length in days of the blocks of the stationary bootstrap; 1 is independent days. The longer they are, the
        fewer there are, and the more days are needed: see Notes.

    Raises
    ------
    InvalidInput
        Arrays of different shapes, numbers that are not finite, resamples below 1, a block shorter than a day.

    Notes
    -----
    The unit is what makes it right with few days. White's own, a plain mean, lets the settings that fire most rule the
    maximum, and passes up to 8 % of noise at 5 %. Dividing by a standard deviation (Hansen; Romano and Wolf) treats
    settings alike, but it must be estimated from the same 10 to 25 days. Held fixed over the resamples, it passes up to
    18 % of noise; computed anew in each, it is right, but with ten days misses half of the edges that are found here.
    The number of triggers says as much about the spread, and no result went into it. For the same reason
    a setting's mean is taken out per trigger, Σ result − count · (mean of a trigger), so that a day without a trigger
    stays the 0 that it is, and what is left is widened by √(m/(m − 3)), m the setting's days with triggers: to the
    variance of Student's t. A setting with fewer than `ENOUGH` such days counts as looked at and is not judged: three
    equal wins have no spread at all. `benchmarks/results/luck.md` has the figures: 1 to 5 % of noise passes.

    With blocks of L days there are fewer pieces, and the 3 becomes 2·o + 1/o, o = 2L − 1: o days are lost with the mean
    that is taken out, and the other o + 1/o with the degrees of freedom, of which there are (m − o)·o·2/(o² + 1) by the
    weights 1 − 1/L, (1 − 1/L)², … that the stationary bootstrap gives to neighbours. Without it blocks of four days
    pass twice the noise that they should. They need 15 days with triggers, and with 25 an edge must be a large one.

    All settings are centred at 0, as White does; where many lose, the check is the stricter for it.

    White, "A reality check for data snooping", Econometrica 68 (2000); Hansen, "A test for superior predictive
    ability", JBES 23 (2005); Romano and Wolf, "Stepwise multiple testing as formalized data snooping", Econometrica 73
    (2005); Politis and Romano, "The stationary bootstrap", JASA 89 (1994).
    """
    check_seed(seed)
    totals, fired = days_by_settings(sums, counts)
    days, settings = totals.shape
    if resamples < 1 or not mean_block >= 1:
        raise InvalidInput(
            f"A reality check has 1 resample or more, and blocks of 1 day or more; found {resamples!r} and "
            f"{mean_block!r}. The defaults are 2000 and 1."
        )
    lost = _lost(mean_block)
    needed = max(ENOUGH, math.floor(lost) + 1)
    judged = np.flatnonzero((fired > 0).sum(axis=0) >= needed)
    if not len(judged):
        return RealityCheck(math.nan, None, math.nan, math.nan, settings, 0, days, needed)
    score, spread = _scored(totals[:, judged], fired[:, judged], lost)
    weights = _weights(days, seed, resamples, mean_block)
    reached = np.full(resamples, -np.inf)
    for first in range(0, len(judged), _COLUMNS):
        np.maximum(reached, (weights @ spread[:, first : first + _COLUMNS]).max(axis=1), out=reached)
    top = score.max()
    p = (1 + int(np.count_nonzero(reached >= top - NEAR * abs(top)))) / (1 + resamples)
    best = int(judged[score.argmax()])
    total = float(totals[:, best].sum())
    mean_r = total / float(fired[:, best].sum())
    return RealityCheck(p, best, total / days, mean_r, settings, len(judged), days, needed)


def overfitting(sums: ArrayLike, counts: ArrayLike, *, blocks: int = 16) -> Overfitting:
    """The probability of backtest overfitting, by combinatorially symmetric cross-validation.

    Days × settings as for `reality_check`. The days are cut into `blocks` (an even number, at most 16 and as many as
    there are days), in order and as equal as can be. Every half of them is once the past in which the best setting is
    chosen, by the same Σ result ÷ √triggers, and once the future in which its rank is looked up. Settings with the very
    same days are one; those that `reality_check` does not judge are left out. Unknown below `ENOUGH` days or two
    settings. `InvalidInput` for other arrays or blocks.

    Bailey, Borwein, López de Prado and Zhu, "The probability of backtest overfitting", Journal of Computational
    Finance 20 (2017).
    """
    totals, fired = days_by_settings(sums, counts)
    if blocks not in range(2, 17, 2):
        raise InvalidInput(f"Blocks are an even number from 2 to 16; found {blocks!r}. The default is 16.")
    judged = (fired > 0).sum(axis=0) >= ENOUGH
    both = np.unique(np.concatenate([totals[:, judged], fired[:, judged]]), axis=1)
    if both.shape[1] < 2:
        return Overfitting(math.nan, np.empty(0), 0)
    blocks = min(blocks, len(totals) // 2 * 2)
    cuts = [part[0] for part in np.array_split(np.arange(len(totals)), blocks)]
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    totals, fired = (np.add.reduceat(part, cuts) for part in np.split(both, 2))
    rank, weight = _ranks(totals, fired, halves)
    logits = np.log(rank / (both.shape[1] + 1 - rank))
    return Overfitting(float(weight[logits <= 0].sum() / weight.sum()), logits, blocks)


@compiled
def _ranks(totals: Floats, fired: Floats, halves: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """For each half of the blocks, the rank on the other half of each setting that was best on it, and its weight."""
    blocks, settings = totals.shape
    ranks, weights = np.empty(len(halves)), np.empty(len(halves))
    inside, outside = np.empty(settings), np.empty(settings)
    found = 0
    for half in halves:
        chosen = np.zeros(blocks, dtype=np.bool_)
        chosen[half] = True
        for performance, wanted in ((inside, True), (outside, False)):
            total, count = np.zeros(settings), np.zeros(settings)
            for block in range(blocks):
                if chosen[block] == wanted:
                    total += totals[block]
                    count += fired[block]
            performance[:] = total / np.sqrt(np.maximum(count, 1.0))
        top = inside.max()
        best = np.flatnonzero(inside >= top - NEAR * abs(top))
        while found + best.size > ranks.size:
            ranks, weights = np.concatenate((ranks, ranks)), np.concatenate((weights, weights))
        for one in best:
            own, lower, equal = outside[one], 0, 0
            for other in outside:
                near = abs(other - own) <= NEAR * abs(own)
                equal += near
                lower += other < own and not near
            ranks[found], weights[found] = lower + (equal + 1) / 2, 1.0 / best.size
            found += 1
    return ranks[:found].copy(), weights[:found].copy()


def _lost(block: float) -> float:
    """Days of a setting that its mean and its spread cost, by the length of blocks; 3 where days are independent.

    >>> _lost(1.0), round(_lost(4.0), 2)
    (3.0, 14.14)
    """
    o = 2.0 * block - 1.0
    return 2.0 * o + 1.0 / o


def _scored(totals: Floats, fired: Floats, lost: float) -> tuple[Floats, Floats]:
    """The statistic of each setting, and what the days are worth to it without its mean, both in its unit."""
    total, count, days = totals.sum(axis=0), fired.sum(axis=0), (fired > 0).sum(axis=0)
    rest = totals - fired * (total / count)
    return total / np.sqrt(count), rest * np.sqrt(days / (days - lost) / count)


def _weights(days: int, seed: int, resamples: int, mean_block: float) -> Floats:
    """How often each day is drawn, resamples × days."""
    rng = Generator(PCG64(seed))
    drawn = rng.integers(0, days, (resamples, days))
    if mean_block > 1:
        fresh = rng.random((resamples, days)) < 1.0 / mean_block
        fresh[:, 0] = True
        since = np.arange(days) - np.maximum.accumulate(np.where(fresh, np.arange(days), 0), axis=1)
        drawn = (np.take_along_axis(drawn, np.arange(days) - since, axis=1) + since) % days
    flat = drawn + days * np.arange(resamples)[:, None]
    return np.bincount(flat.ravel(), minlength=resamples * days).reshape(resamples, days).astype(np.float64)


def days_by_settings(sums: ArrayLike, counts: ArrayLike) -> tuple[Floats, Floats]:
    """Both as arrays of days × settings; `InvalidInput` where they are none."""
    totals, fired = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if totals.ndim != 2 or totals.shape != fired.shape:
        raise InvalidInput(
            f"Sums and counts are two arrays of days × settings; found shapes {totals.shape} and {fired.shape}."
            " Give each setting a sum and a count for every day, 0 where it did not fire."
        )
    if not (np.isfinite(totals).all() and np.isfinite(fired).all() and (fired >= 0).all()):
        raise InvalidInput(
            "Sums are finite and counts 0 or more; found others. Leave triggers without a result out of both."
        )
    if (totals[fired == 0] != 0).any():
        raise InvalidInput(
            "A day without a trigger has a sum of 0; found another. Count the triggers that were summed."
        )
    return totals, fired

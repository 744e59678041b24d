"""Is an edge left, or did one only look long enough? Every setting looked at counts as a try.

1. A `Register` remembers each setting that was looked at, with its result on every day.
2. `reality_check` asks how often the best of them would look as good if none had an edge (White, 2000).
3. `overfitting` asks how often the best on half of the days is below the middle on the other half: the probability of
   backtest overfitting, PBO (Bailey, Borwein, López de Prado and Zhu, 2017). It stands beside, for information.
4. `Register.luck` says the first in a line.

What a setting did on a day is the sum of its triggers' results in R, after costs, and their number; days are what is
drawn, for the triggers of one day share its market.
"""

import datetime as dt
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import ArrayLike, NDArray

from scanner_kit.arithmetic import compiled
from scanner_kit.errors import InvalidInput

Floats = NDArray[np.float64]

LEVEL = 0.05
ENOUGH = 10
"""Days with triggers that a setting must have to be judged, and so the fewest days; `reality_check` says why."""

NEAR = 1e-9
"""What differs by less, relative, differs by rounding alone: it is equal."""

_COLUMNS = 512  # settings at a time: bounds the memory


@dataclass(frozen=True)
class Try:
    """One setting of one scanner at one horizon, and its result on each day of the register.

    `sums`: result in R after costs, added up over the day's triggers that have one; `counts`: how many those are.
    `InvalidInput` where they do not fit together, or are not numbers.

    >>> Try("gap_and_go", "3f2a", "30m", sums=[0.5, 0.0, -1.5], counts=[3, 0, 1]).mean_r
    -0.25
    """

    scanner: str
    settings: str
    horizon: str
    sums: Sequence[float]
    counts: Sequence[int]

    def __post_init__(self) -> None:
        sums, counts = np.asarray(self.sums, dtype=np.float64), np.asarray(self.counts)
        _check(sums[:, None], counts[:, None])
        object.__setattr__(self, "sums", tuple(sums.tolist()))
        object.__setattr__(self, "counts", tuple(int(count) for count in counts))

    @property
    def mean_r(self) -> float:
        """Mean result of a trigger, in R; NaN without one."""
        return sum(self.sums) / sum(self.counts) if sum(self.counts) else math.nan


@dataclass(frozen=True)
class RealityCheck:
    """What White's reality check found; `p` is NaN and `best` None where there is too little to tell.

    `best` is a column of what was given, `mean` its result of a day and `mean_r` that of a trigger, in R after costs.
    `judged` of the `settings` have triggers on `ENOUGH` days.
    """

    p: float
    best: int | None
    mean: float
    mean_r: float
    settings: int
    judged: int
    days: int


@dataclass(frozen=True)
class Overfitting:
    """PBO: the share of `logits` ≤ 0, over all ways to choose half of the `blocks` of days; NaN where unknown.

    A logit is that of the relative rank, on the other half, of the setting that was best on the chosen one. Where
    several were best alike, each has its logit and they share one weight, so that `pbo` does not hang on their order.
    """

    pbo: float
    logits: Floats
    blocks: int


@dataclass(frozen=True)
class Luck:
    """What a register says: the check over all of its tries, and which of them is the best."""

    settings: int
    horizons: int
    check: RealityCheck
    best: Try | None

    @property
    def edge(self) -> bool | None:
        """Whether an edge is left at p < 0.05; None where it is not known."""
        return None if math.isnan(self.check.p) else self.check.p < LEVEL

    @property
    def verdict(self) -> str:
        """The same in words."""
        return {None: "unknown", True: f"an edge is left at p < {LEVEL:g}", False: "no edge"}[self.edge]

    @property
    def line(self) -> str:
        """The one plain line.

        >>> Register([dt.date(2025, 6, 2)]).luck().line
        'No setting looked at yet'
        """
        if not self.settings:
            return "No setting looked at yet"
        looked = f"{_counted(self.settings, 'setting')} looked at"
        if self.horizons > 1:
            looked += f" at {self.horizons} horizons"
        if self.check.days < ENOUGH:
            days = _counted(self.check.days, "day")
            return f"{looked}, over {days}: too few to tell luck from an edge ({ENOUGH} are needed)"
        if self.edge is None:
            told = "it has" if self.settings == 1 else "none has"
            return f"{looked}; {told} triggers on {ENOUGH} days: too few to tell luck from an edge"
        who = "it" if self.check.settings == 1 else "the best of them"
        return f"{looked}; {who} would look this good by luck {_percent(self.check.p)} of the time"


class Register:
    """Every setting that was looked at over some days. Adding gives a new register; a setting seen again is no new try.

    >>> looked = Register([dt.date(2025, 6, 2), dt.date(2025, 6, 3)])
    >>> looked = looked.add(Try("gap_and_go", "3f2a", "30m", [0.4, -1.1], [3, 1]))
    >>> looked = looked.add(Try("gap_and_go", "3f2a", "30m", [0.4, -1.1], [3, 1]))
    >>> looked.luck().line
    '1 setting looked at, over 2 days: too few to tell luck from an edge (10 are needed)'

    Other days are another register. A scanner that was rewritten under its old name has other results: another try.
    """

    def __init__(self, days: Iterable[dt.date], tries: Iterable[Try] = ()) -> None:
        self.days = tuple(days)
        if list(self.days) != sorted(set(self.days)):
            raise InvalidInput("A register's days are different and in order; found others. Sort them.")
        self.tries = tuple(dict.fromkeys(tries))
        for one in self.tries:
            if len(one.sums) != len(self.days):
                raise InvalidInput(
                    f"A try has a result for each day of its register, {len(self.days)}; found {len(one.sums)}."
                    " Judge the setting over the register's days, or begin another register."
                )

    def __repr__(self) -> str:
        return f"<Register: {_counted(self.settings, 'setting')} over {_counted(len(self.days), 'day')}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Register) and (self.days, self.tries) == (other.days, other.tries)

    def __hash__(self) -> int:
        return hash((self.days, self.tries))

    @property
    def settings(self) -> int:
        """How many settings were looked at, at whatever horizon."""
        return len({(one.scanner, one.settings) for one in self.tries})

    def add(self, *tries: Try) -> Self:
        """The register with further tries; those it has are not added again. `InvalidInput` for other days."""
        return type(self)(self.days, (*self.tries, *tries))

    def luck(self, *, seed: int = 0, resamples: int = 2_000, mean_block: float = 1.0) -> Luck:
        """Whether an edge is left after all that was looked at; the arguments are those of `reality_check`."""
        check = reality_check(*self._table(), seed=seed, resamples=resamples, mean_block=mean_block)
        best = None if check.best is None else self.tries[check.best]
        return Luck(self.settings, len({one.horizon for one in self.tries}), check, best)

    def overfitting(self, *, blocks: int = 16) -> Overfitting:
        """PBO over all that was looked at, for information; see the function of that name."""
        return overfitting(*self._table(), blocks=blocks)

    def _table(self) -> tuple[Floats, Floats]:
        """Sums and counts, days × tries."""
        shape = (len(self.tries), len(self.days))
        sums, counts = ([getattr(one, name) for one in self.tries] for name in ("sums", "counts"))
        return np.array(sums, dtype=np.float64).reshape(shape).T, np.array(counts, dtype=np.float64).reshape(shape).T

    def save(self, path: str | Path) -> None:
        """Write it as JSON, whole or not at all."""
        path = Path(path)
        told = {"days": [day.isoformat() for day in self.days], "tries": [asdict(one) for one in self.tries]}
        draft = path.with_name(path.name + ".part")
        draft.write_text(json.dumps(told) + "\n", encoding="utf-8")
        draft.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """What `save` wrote; `InvalidInput` for a file that is none."""
        try:
            told: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(map(dt.date.fromisoformat, told["days"]), [Try(**one) for one in told["tries"]])
        except (TypeError, KeyError, ValueError) as fault:
            raise InvalidInput(
                f"A register is a file that Register.save wrote; found {Path(path).name}: {fault}. Name another file."
            ) from fault


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
        Mean length in days of the blocks of the stationary bootstrap; 1 is independent days.

    Raises
    ------
    InvalidInput
        Arrays of different shapes, numbers that are not finite, resamples below 1, a block shorter than a day.

    Notes
    -----
    The unit is what makes it right with few days. White's own, a plain mean, lets the settings that fire most rule the
    maximum. Dividing by a standard deviation (Hansen; Romano and Wolf) treats settings alike, but it must be estimated
    from the same 10 to 25 days. Held fixed over the resamples, it lets the best of 200 settings without an edge pass at
    5 % in 10 to 30 % of cases; computed anew in each, hardly ever, and true edges go unseen. The number of triggers
    says as much about the spread, and no result went into it. For the same reason a setting's mean is taken out per
    trigger, Σ result − count · (mean of a trigger), so that a day without a trigger stays the 0 that it is, and what is
    left is widened by √(m/(m − 3)), m the setting's days with triggers: to the variance of Student's t. A setting with
    fewer than `ENOUGH` such days counts as looked at and is not judged: with very few a test at 5 % passes noise in 8 to
    10 % of cases, and three equal wins have no spread at all. `benchmarks/prove_luck.py` measures this.

    All settings are centred at 0, as White does; where many lose, the check is the stricter for it.

    White, "A reality check for data snooping", Econometrica 68 (2000); Hansen, "A test for superior predictive
    ability", JBES 23 (2005); Romano and Wolf, "Stepwise multiple testing as formalized data snooping", Econometrica 73
    (2005); Politis and Romano, "The stationary bootstrap", JASA 89 (1994).
    """
    totals, fired = _check(sums, counts)
    days, settings = totals.shape
    if resamples < 1 or not mean_block >= 1:
        raise InvalidInput(
            f"A reality check has 1 resample or more, and blocks of 1 day or more; found {resamples!r} and "
            f"{mean_block!r}. The defaults are 2000 and 1."
        )
    judged = np.flatnonzero((fired > 0).sum(axis=0) >= ENOUGH)
    if not len(judged):
        return RealityCheck(math.nan, None, math.nan, math.nan, settings, 0, days)
    score, spread = _scored(totals[:, judged], fired[:, judged])
    weights = _weights(days, seed, resamples, mean_block)
    reached = np.full(resamples, -np.inf)
    for first in range(0, len(judged), _COLUMNS):
        np.maximum(reached, (weights @ spread[:, first : first + _COLUMNS]).max(axis=1), out=reached)
    top = score.max()
    p = (1 + int(np.count_nonzero(reached >= top - NEAR * abs(top)))) / (1 + resamples)
    best = int(judged[score.argmax()])
    total = float(totals[:, best].sum())
    return RealityCheck(p, best, total / days, total / float(fired[:, best].sum()), settings, len(judged), days)


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
    totals, fired = _check(sums, counts)
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


def _performance(totals: Floats, fired: Floats) -> Floats:
    """Σ result ÷ √triggers; 0 without one."""
    return totals / np.sqrt(np.maximum(fired, 1.0))


def _scored(totals: Floats, fired: Floats) -> tuple[Floats, Floats]:
    """The statistic of each setting, and what the days are worth to it without its mean, both in its unit."""
    count, days = fired.sum(axis=0), (fired > 0).sum(axis=0)
    score = _performance(totals.sum(axis=0), count)
    rest = totals - fired * (totals.sum(axis=0) / count)
    return score, rest * np.sqrt(days / (days - 3) / count)


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


def _check(sums: ArrayLike, counts: ArrayLike) -> tuple[Floats, Floats]:
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


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _percent(share: float) -> str:
    """61 %, 4.9 %, less than 0.1 %; what is below 5 % never reads as 5."""
    if share < 0.001:
        return "less than 0.1 %"
    if share >= 0.1:
        return f"{math.floor(100 * share + 0.5)} %"
    return f"{math.floor(1000 * share) / 10:g} %"

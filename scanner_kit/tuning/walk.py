"""Walk-forward: choose a setting on some days, judge it on those that follow, move on, and do it again.

What is left of the choice on days that it has not seen is what may be expected of it; that it was best on the days on
which it was chosen says little. Too few days are said, and nothing is computed of them.
"""

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real

import numpy as np

from scanner_kit.errors import InvalidInput, must_be
from scanner_kit.tuning.cells import FIGURES
from scanner_kit.tuning.grid import Setting
from scanner_kit.tuning.plateau import FEWEST
from scanner_kit.tuning.sweep import Sweep, quotient
from scanner_kit.tuning.worth import FEWEST_DAYS, interval, resamples
from scanner_kit.universe import Floats

WINS, N, TOTAL, GAINED, LOST = map(FIGURES.index, ("wins", "n", "total", "gained", "lost"))


@dataclass(frozen=True)
class Fold:
    """One choice: the days it was made on and judged on, by their places, and what it came to on each of both.

    `chosen` is the place of the setting, None where none had enough results on the train days; then nothing is judged.
    """

    train: range
    test: range
    chosen: int | None
    train_n: int
    train_mean_r: float
    test_n: int
    test_mean_r: float


@dataclass(frozen=True, eq=False)
class Walk:
    """A walk over the days of a sweep. `folds` is empty where the days are too few: `line` says so.

    Figures are those of the test days, all folds together: `n` results, win rate, mean R after costs with the 5 % and
    95 % of its resamples of test days, profit factor. NaN is unknown.
    """

    sweep: Sweep
    train: int
    test: int
    fewest: int
    folds: tuple[Fold, ...]
    n: int
    win_rate: float
    mean_r: float
    low: float
    high: float
    profit_factor: float

    @property
    def needed(self) -> int:
        """How many days are needed: for two choices, and for five days to judge them on."""
        return self.train + max(2, -(-FEWEST_DAYS // self.test)) * self.test

    @property
    def changed(self) -> int:
        """How often the choice was another than the one before."""
        chosen = [fold.chosen for fold in self.folds if fold.chosen is not None]
        return sum(one != other for one, other in pairwise(chosen))

    @property
    def train_mean_r(self) -> float:
        """The mean result of the choices on the days on which they were made, as a promise to compare with."""
        chosen = [fold for fold in self.folds if fold.chosen is not None]
        n = sum(fold.train_n for fold in chosen)
        return sum(fold.train_mean_r * fold.train_n for fold in chosen) / n if n else np.nan

    @property
    def dates(self) -> tuple[dt.date, ...]:
        """The days on which something was judged."""
        dates = self.sweep.history.dates
        return tuple(dates[i] for fold in self.folds for i in fold.test)

    def choice(self, fold: Fold) -> Setting | None:
        """The setting that was chosen."""
        return None if fold.chosen is None else self.sweep.settings[fold.chosen]

    @property
    def line(self) -> str:
        """What came of it, in a line; or why nothing could."""
        if not self.folds:
            return (
                f"{_days(len(self.sweep.history))}: too few for walk-forward with {_days(self.train)} to choose on and "
                f"{_days(self.test)} to judge on; at least {self.needed} are needed."
            )
        without = sum(fold.chosen is None for fold in self.folds)
        none = f" {without} of {len(self.folds)} times no setting had {self.fewest} results." if without else ""
        if not self.n:
            return f"Walk-forward: nothing fired on the {_days(len(self.dates))} that were judged.{none}"
        return (
            f"Walk-forward: {self.mean_r:+.3f} R (5–95 %: {self.low:+.3f} to {self.high:+.3f}) over {self.n:,} on "
            f"{_days(len(self.dates))} that the choice had not seen, where it had shown {self.train_mean_r:+.3f} R; "
            f"the choice changed {self.changed} of {max(len(self.folds) - without - 1, 0)} times.{none}"
        )

    def __repr__(self) -> str:
        return f"<Walk: {self.line}>"


def walk_forward(sweep: Sweep, *, train: int = 20, test: int = 5, fewest: int = FEWEST) -> Walk:
    """Choose on `train` days by mean R, of the settings with `fewest` results or more; judge on the `test` days after.

    Then go on by as many days as were judged. Of settings alike the first is chosen. Days at the end that do not fill a
    test are left. `InvalidInput` for numbers below 1.
    """
    must_be(Sweep, sweep, "What is walked through is a Sweep", "Give sweep(history, scanner, grid).")
    for name, value in (("train", train), ("test", test), ("fewest", fewest)):
        must_be(Real, value, f"{name} is a whole number from 1 up", f"Write, say, {name}=5.")
        if isinstance(value, bool) or not value >= 1 or value != int(value):
            raise InvalidInput(f"{name} is a whole number from 1 up; found {value!r}. Write, say, {name}=5.")
    unknown = (0, *(np.nan,) * 5)
    nothing = Walk(sweep, train, test, fewest, (), *unknown)
    days = len(sweep.history)
    if days < nothing.needed or not len(sweep):
        return nothing
    folds = tuple(
        _fold(sweep, range(first - train, first), range(first, first + test), fewest)
        for first in range(train, days - test + 1, test)
    )
    judged = np.concatenate([_of(sweep, fold) for fold in folds])
    whole = judged.sum(axis=0)
    drawn = resamples(len(judged), sweep.seed)
    low, high = interval(quotient(drawn @ judged[:, TOTAL], drawn @ judged[:, N]))
    ratios = ((whole[WINS], whole[N]), (whole[TOTAL], whole[N]), (whole[GAINED], -whole[LOST]))
    win_rate, mean_r, profit_factor = (float(quotient(*map(np.asarray, pair))) for pair in ratios)
    return Walk(
        *(sweep, train, test, fewest, folds, int(whole[N])),
        *(win_rate, mean_r, float(low), float(high), profit_factor),
    )


def _fold(sweep: Sweep, train: range, test: range, fewest: int) -> Fold:
    before = sweep.of_days(train)
    mean = np.where(before[:, N] >= fewest, quotient(before[:, TOTAL], before[:, N]), -np.inf)
    chosen = int(np.argmax(mean))
    if mean[chosen] == -np.inf:
        return Fold(train, test, None, 0, np.nan, 0, np.nan)
    after = sweep.of_days(test)[chosen]
    mean_after = float(quotient(after[TOTAL], after[N]))
    return Fold(train, test, chosen, int(before[chosen, N]), float(mean[chosen]), int(after[N]), mean_after)


def _of(sweep: Sweep, fold: Fold) -> Floats:
    """`FIGURES` of the choice on each test day; nothing where none was made."""
    if fold.chosen is None:
        return np.zeros((len(fold.test), len(FIGURES)))
    return sweep.by_day[list(fold.test), fold.chosen]


def _days(number: int) -> str:
    return f"{number:,} day{'' if number == 1 else 's'}"

"""Answers: what a scanner fires over a history under one setting, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from scanner_kit.composition import AnyScanner, fixed
from scanner_kit.metrics import Halt
from scanner_kit.tuning.chance import Chance, chance
from scanner_kit.tuning.history import History, MeasuredDay, over_cores
from scanner_kit.tuning.judging import Fired, judge
from scanner_kit.tuning.outcomes import COST_BPS, Outcomes, Prices, check_seed, outcomes
from scanner_kit.tuning.paths import HORIZONS
from scanner_kit.tuning.worth import Worth, worth
from scanner_kit.universe import Floats, Rows

NEAR = 30
"""Minutes up to which two triggers of a symbol on one day are the same one, moved."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The triggers of a scanner over a history, with their outcomes, in one order; figures are made when asked for."""

    history: History
    scanner: AnyScanner
    fired: Fired
    outcomes: Outcomes
    cost_bps: float
    seed: int

    def __len__(self) -> int:
        return len(self.fired)

    @property
    def settings_id(self) -> str:
        """The setting that it is the answer to."""
        return self.fired.speaker.settings

    @cached_property
    def symbols(self) -> np.ndarray[Any, Any]:
        """The symbol of each trigger."""
        return np.array(self.fired.symbols(self.history), dtype=object)

    @cached_property
    def chance(self) -> Chance:
        """What random entries beside each trigger came to."""
        parts = [self._chance_of(i, day, self._of_day(i)) for i, day in enumerate(self.history.days)]
        return Chance(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Chance)))

    @property
    def chance_known(self) -> bool:
        """Whether the random entries are drawn already: they take longer than the rest."""
        return "chance" in self.__dict__

    @cached_property
    def worth(self) -> Worth:
        """The figures of all triggers, without the random entries beside them."""
        return worth(self.outcomes, self.fired.day, len(self.history), seed=self.seed)

    def worth_of(self, which: Any, *, with_chance: bool = True) -> Worth:
        """The figures of some of the triggers, by a mask or by their places."""
        beside = self.chance.take(which) if with_chance else None
        found, day = self.outcomes.take(which), self.fired.day[which]
        return worth(found, day, len(self.history), chance=beside, seed=self.seed)

    def take(self, which: Any) -> "Answer":
        """The answer of some of the triggers only, by a mask or by their places in order."""
        one = replace(self, fired=self.fired.take(which), outcomes=self.outcomes.take(which))
        if self.chance_known:
            one.__dict__["chance"] = self.chance.take(which)
        return one

    def by_day(self, horizon: str) -> tuple[Floats, Floats]:
        """The sum of the results in R after costs, and how many there are, on each day of the history."""
        result = self.outcomes.result_r[:, HORIZONS.index(horizon)]
        known = ~np.isnan(result)
        days = len(self.history)
        total = np.bincount(self.fired.day[known], result[known], minlength=days)
        count = np.bincount(self.fired.day[known], minlength=days)
        return np.asarray(total), count.astype(np.float64)

    def _of_day(self, i: int) -> slice:
        return slice(*np.searchsorted(self.fired.day, [i, i + 1]).tolist())

    def _chance_of(self, i: int, day: MeasuredDay, these: slice) -> Chance:
        fired, found = self.fired, self.outcomes
        columns = fired.row[these], fired.k[these], fired.side[these]
        return chance(
            prices_of(day),
            *(*columns, found.entry[these], found.entry_k[these], found.r[these]),
            symbols=[day.universe.symbols[row] for row in fired.row[these].tolist()],
            dates=[day.day.date] * fired.row[these].size,
            seed=self.seed,
            cost_bps=self.cost_bps,
        )


def answer(history: History, scanner: AnyScanner, *, cost_bps: float = COST_BPS, seed: int = 0) -> Answer:
    """What a scanner fires over a history, and what came of it; `InvalidInput` for a category, which never fires."""
    check_seed(seed)
    one = fixed(scanner)
    fired = judge(history, one)
    ends = np.searchsorted(fired.day, np.arange(len(history) + 1)).tolist()

    def of_day(i: int) -> Outcomes:
        these = slice(ends[i], ends[i + 1])
        columns = (getattr(fired, name)[these] for name in ("row", "k", "side", "stop", "distance"))
        return outcomes(prices_of(history.days[i]), *columns, cost_bps=cost_bps)

    parts = list(over_cores(of_day, range(len(history))))
    whole = Outcomes(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Outcomes)))
    return Answer(history, one, fired, whole, cost_bps, seed)


def prices_of(day: MeasuredDay) -> Prices:
    """The prices of a day, for outcomes; made once."""
    known: Prices | None = day.__dict__.get("prices")
    if known is None:
        tape = day.tape
        known = Prices(day.day, tape.open, tape.high, tape.low, tape.close, day.values[Halt()])
        day.__dict__["prices"] = known
    return known


@dataclass(frozen=True, eq=False)
class Difference:
    """What two answers over one history do not share, as places in each.

    `appeared` are places in the new one, `disappeared` in the old one; `moved` are pairs (old, new) of one symbol, day
    and kind that lie at most half an hour apart. All others fire in both at the same minute: `stayed` of them.
    """

    appeared: np.ndarray[Any, Any]
    disappeared: np.ndarray[Any, Any]
    moved: np.ndarray[Any, Any]
    stayed: int


def difference(old: Answer, new: Answer) -> Difference:
    """What appears, disappears and moves from one answer to another; nearest are paired first."""
    kinds = tuple(dict.fromkeys((*old.fired.kinds, *new.fired.kinds)))
    keys = [_keys(one.fired, kinds) for one in (old, new)]
    gone = np.flatnonzero(~np.isin(keys[0], keys[1], assume_unique=True))
    come = np.flatnonzero(~np.isin(keys[1], keys[0], assume_unique=True))
    moved = _pairs(old.fired, gone, new.fired, come)
    return Difference(np.setdiff1d(come, moved[:, 1]), np.setdiff1d(gone, moved[:, 0]), moved, len(old) - gone.size)


def _keys(fired: Fired, kinds: Sequence[str]) -> np.ndarray[Any, Any]:
    """A number for each trigger that tells day, minute, row and kind, by its place in `kinds`."""
    places = np.array([kinds.index(kind) for kind in fired.kinds] or [0])
    return np.asarray(((fired.day * 2048 + fired.k) << 32) + fired.row * max(len(kinds), 1) + places[fired.kind])


def _pairs(old: Fired, gone: Rows, new: Fired, come: Rows) -> np.ndarray[Any, Any]:
    """Pairs of triggers of one symbol, day and kind, the nearest first, each in one pair at most."""
    waiting: dict[tuple[int, int, str], list[int]] = {}
    for j in come.tolist():
        waiting.setdefault((int(new.day[j]), int(new.row[j]), new.kinds[new.kind[j]]), []).append(int(j))
    near = [
        (abs(int(old.k[i]) - int(new.k[j])), int(i), j)
        for i in gone.tolist()
        for j in waiting.get((int(old.day[i]), int(old.row[i]), old.kinds[old.kind[i]]), ())
    ]
    pairs, used = [], (set[int](), set[int]())
    for minutes, i, j in sorted(near):
        if minutes <= NEAR and i not in used[0] and j not in used[1]:
            pairs.append((i, j))
            used[0].add(i)
            used[1].add(j)
    return np.array(sorted(pairs), dtype=np.intp).reshape(-1, 2)

"""Sweeps: a scanner under every setting of a grid, over the same days.

>>> import scanner_kit as sk
>>> history = sk.measure(sk.SimulatedMarket(symbols=20), 2, scanners=[sk.scanners.HodBreak()], cache=False)
>>> found = sweep(history, sk.scanners.HodBreak(), {"min_rvol": [1, 2, 3], "min_price": [1, 5]})
>>> found.table()[["min_rvol", "min_price", "triggers"]].shape
(6, 3)

Days are judged side by side on all cores; on a Dask cluster the same work is done by its workers, for some days and
some settings each. Each setting comes to what `answer` gives for it, to the last bit.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scanner_kit.composition import AnyScanner, fixed
from scanner_kit.errors import InvalidInput
from scanner_kit.tuning.answer import Answer, answer
from scanner_kit.tuning.cells import FIGURES
from scanner_kit.tuning.cluster import on_cluster
from scanner_kit.tuning.grid import Grid, Setting, under
from scanner_kit.tuning.history import History, Progress, check_history, over_cores, silent
from scanner_kit.tuning.judging import BESIDE
from scanner_kit.tuning.outcomes import COST_BPS, check_costs, check_seed
from scanner_kit.tuning.paths import check_horizon
from scanner_kit.tuning.pool import Pool, pools
from scanner_kit.tuning.worth import FEWEST_DAYS, interval, resamples
from scanner_kit.universe import Floats

AT_ONCE = 512
CHUNKS_A_WORKER = 4


class Looked(NamedTuple):
    """A setting that was looked at, as the register of tries takes it: with its result on each day.

    `sums` are results in R after costs, added up over a day's triggers; `counts` tells how many those are.
    """

    scanner: str
    settings: str
    horizon: str
    sums: list[float]
    counts: list[int]


@dataclass(frozen=True, eq=False)
class Sweep:
    """What every setting came to at one horizon, as arrays by setting, in the order of `settings`; NaN is unknown.

    `by_day` is `(days, settings, 7)`: `FIGURES`, from which all else is made. `ids` are the settings' ids. `grid` is
    None where the settings are no grid: those of a search.
    """

    history: History
    scanner: AnyScanner
    settings: tuple[Setting, ...]
    ids: tuple[str, ...]
    by_day: Floats
    horizon: str
    cost_bps: float
    seed: int
    grid: Grid | None = field(default=None)

    def __len__(self) -> int:
        return len(self.settings)

    def __repr__(self) -> str:
        moved = ", ".join(self.thresholds)
        return f"<Sweep of {self.scanner.name}: {len(self):,} settings of {moved} over {len(self.history)} days>"

    @property
    def thresholds(self) -> tuple[str, ...]:
        """The names of the thresholds that were moved."""
        return tuple(self.settings[0]) if self.settings else ()

    @cached_property
    def whole(self) -> Floats:
        """`FIGURES` of all days together, `(settings, 7)`."""
        return self.of_days(range(len(self.history)))

    def of_days(self, days: Sequence[int]) -> Floats:
        """`FIGURES` of some days together, by their places: `(settings, 7)`."""
        return np.asarray(self.by_day[list(days)].sum(axis=0))

    @property
    def triggers(self) -> Floats:
        """How many triggers there are."""
        return self._counted("triggers")

    @property
    def tradable(self) -> Floats:
        """How many of them are tradable."""
        return self._counted("tradable")

    @property
    def n(self) -> Floats:
        """How many have a result."""
        return self._counted("n")

    @property
    def win_rate(self) -> Floats:
        """Wins ÷ results, between 0 and 1."""
        return quotient(self.whole[:, FIGURES.index("wins")], self.whole[:, FIGURES.index("n")])

    @property
    def mean_r(self) -> Floats:
        """The mean result in R, after costs."""
        return quotient(self.whole[:, FIGURES.index("total")], self.whole[:, FIGURES.index("n")])

    @property
    def profit_factor(self) -> Floats:
        """Σ positive ÷ |Σ negative| results."""
        return quotient(self.whole[:, FIGURES.index("gained")], -self.whole[:, FIGURES.index("lost")])

    @property
    def sums(self) -> Floats:
        """The sum of the results in R after costs, `(days, settings)`."""
        return self.by_day[:, :, FIGURES.index("total")]

    @property
    def counts(self) -> Floats:
        """How many results there are, `(days, settings)`."""
        return self.by_day[:, :, FIGURES.index("n")]

    @cached_property
    def interval(self) -> tuple[Floats, Floats]:
        """The 5 % and 95 % of the mean result over resamples of days; unknown with fewer than five days."""
        if len(self.history) < FEWEST_DAYS:
            unknown = np.full(len(self), np.nan)
            return unknown, unknown
        drawn, ends = resamples(len(self.history), self.seed), []
        for first in range(0, len(self), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            ends.append(interval(quotient(drawn @ self.sums[:, some], drawn @ self.counts[:, some])))
        low, high = (np.concatenate(end) for end in zip(*ends, strict=True))
        return low, high

    def table(self) -> pd.DataFrame:
        """A row for each setting: its thresholds, then the figures."""
        low, high = self.interval
        figures = {
            **{name: getattr(self, name).astype(np.int64) for name in ("triggers", "tradable", "n")},
            **{name: getattr(self, name) for name in ("win_rate", "mean_r")},
            **{"low": low, "high": high, "profit_factor": self.profit_factor},
        }
        moved = {name: [setting[name] for setting in self.settings] for name in self.thresholds}
        return pd.DataFrame({**moved, **figures}, index=pd.Index(self.ids, name="settings"))

    def scanner_of(self, place: int) -> AnyScanner:
        """The scanner under the setting at a place."""
        return self.scanner.with_settings(**self.settings[place])

    def answer(self, place: int) -> Answer:
        """The setting at a place with its triggers and outcomes, as the lab shows them."""
        return answer(self.history, self.scanner_of(place), cost_bps=self.cost_bps, seed=self.seed)

    def looked(self) -> Iterator[Looked]:
        """Every setting once, for the register of tries: `register.add(*(Try(*one) for one in sweep.looked()))`."""
        for i, settings in enumerate(self.ids):
            counts = self.counts[:, i].astype(np.int64).tolist()
            yield Looked(self.scanner.name, settings, self.horizon, self.sums[:, i].tolist(), counts)

    def _counted(self, name: str) -> Floats:
        return self.whole[:, FIGURES.index(name)]


def sweep(
    history: History,
    scanner: AnyScanner,
    grid: Mapping[str, Any],
    *,
    horizon: str = "30m",
    cost_bps: float = COST_BPS,
    seed: int = 0,
    cluster: Any = None,
    progress: Progress = silent,
) -> Sweep:
    """A scanner under every setting of a grid, over the days of a history.

    Parameters
    ----------
    grid
        Threshold → its values; of a composite, `scanner.threshold` → values. What is not named stays as it is.
    horizon, cost_bps, seed
        Which results count ("5m", "15m", "30m", "60m", "end"), their costs, and the draws of the intervals.
    cluster
        The address of a Dask scheduler, such as "tcp://10.0.0.5:8786", or a `dask.distributed.Client`; None for all
        cores of this machine. Days on a disk's shelf are read by the workers from the same path; those in memory are
        sent.
    progress
        Told what is being done, how much of it is done, and how much there is.

    Raises
    ------
    InvalidInput
        A category; an unknown threshold or horizon; a setting that does not fit, the first of them, before any is
        judged; a cluster that cannot be reached.
    """
    check(history, scanner, horizon, cost_bps, seed)
    found = Grid.of(scanner, grid)
    return judged(history, scanner, found.settings, horizon, cost_bps, seed, cluster, progress, found)


def judged(
    history: History,
    scanner: AnyScanner,
    settings: Sequence[Setting],
    horizon: str,
    cost_bps: float,
    seed: int,
    cluster: Any = None,
    progress: Progress = silent,
    grid: Grid | None = None,
) -> Sweep:
    """A scanner under some settings; the arguments are those of `sweep`."""
    scanners = under(scanner, settings)
    prepare(history, scanners)
    work = _on_cores if cluster is None else _on_workers
    by_day = work(history, scanner, settings, scanners, horizon, cost_bps, progress, cluster)
    ids = tuple(one.settings_id for one in scanners)
    return Sweep(history, scanner, tuple(settings), ids, by_day, horizon, float(cost_bps), seed, grid)


def check(history: History, scanner: AnyScanner, horizon: str, cost_bps: float, seed: int) -> None:
    """`InvalidInput` for what cannot be swept."""
    check_history(history)
    one = fixed(scanner)
    if not one.triggers:
        raise InvalidInput(
            f"{one.name} ranks and never triggers: there is nothing to tune. Give a scanner that has a trigger."
        )
    check_horizon(horizon)
    check_costs(cost_bps)
    check_seed(seed)


def prepare(history: History, scanners: Sequence[AnyScanner]) -> None:
    """Measure what some settings need and is not measured yet."""
    history.require(dict.fromkeys(chain(BESIDE, *(one.metrics() for one in scanners))))


def _on_cores(
    history: History,
    scanner: AnyScanner,
    settings: Sequence[Setting],
    scanners: Sequence[AnyScanner],
    horizon: str,
    cost_bps: float,
    progress: Progress,
    _: None,
) -> Floats:
    parts = list(pools(history.days, scanner, min(os.cpu_count() or 1, max(len(history), 1))))
    counted = _Counted(progress, len(parts) * len(scanners))

    def of_part(places: tuple[int, ...]) -> Floats:
        return each(Pool([history.days[i] for i in places], horizon, cost_bps), scanners, counted.one)

    by_day = np.zeros((len(history), len(scanners), len(FIGURES)))
    for places, figures in zip(parts, over_cores(of_part, parts), strict=True):
        by_day[list(places)] = figures
    return by_day


def _on_workers(
    history: History,
    scanner: AnyScanner,
    settings: Sequence[Setting],
    scanners: Sequence[AnyScanner],
    horizon: str,
    cost_bps: float,
    progress: Progress,
    cluster: Any,
) -> Floats:
    parts = list(pools(history.days, scanner, 1))
    by_day = np.zeros((len(history), len(settings), len(FIGURES)))
    with on_cluster(cluster) as workers:
        chunks = max(1, min(len(settings), -(-CHUNKS_A_WORKER * workers.cores // max(len(parts), 1))))
        some = [range(len(settings))[first] for first in _cut(len(settings), chunks)]
        jobs = [(part, chunk) for part in range(len(parts)) for chunk in range(len(some))]
        data = [history.part(places) for places in parts]
        told = [[settings[i] for i in chunk] for chunk in some]
        work = _Work(scanner, horizon, cost_bps)
        for done, (job, figures) in enumerate(workers.map(work, data, told, jobs)):
            part, chunk = jobs[job]
            by_day[np.ix_(parts[part], some[chunk])] = figures
            progress("judged", done + 1, len(jobs))
    return by_day


def _cut(whole: int, parts: int) -> Iterator[slice]:
    edges = np.linspace(0, whole, parts + 1).astype(np.intp).tolist()
    yield from (slice(first, last) for first, last in pairwise(edges) if last > first)


@dataclass(frozen=True)
class _Work:
    """What a worker does: some settings over some days."""

    scanner: AnyScanner
    horizon: str
    cost_bps: float

    def __call__(self, history: History, settings: Sequence[Setting]) -> Floats:
        for day in history.days:
            if day.shelf.get("bars") is None:
                raise InvalidInput(
                    f"A worker reads measured days from where they lie; it found no {getattr(day.shelf, 'path', day)}. "
                    f"Use a folder that all workers see, or measure with cache=False: then the days are sent."
                )
        scanners = under(self.scanner, settings)
        prepare(history, scanners)
        by_day = np.zeros((len(history), len(scanners), len(FIGURES)))
        for places in pools(history.days, self.scanner, 1):
            by_day[list(places)] = each(Pool([history.days[i] for i in places], self.horizon, self.cost_bps), scanners)
        return by_day


def each(pool: Pool, scanners: Sequence[AnyScanner], told: Callable[[], object] = lambda: None) -> Floats:
    """What some settings came to over the days of a pool, `(days, settings, 7)`.

    Those that share cells are judged one after the other, whatever their order.
    """
    by_day = np.zeros((len(pool.days), len(scanners), len(FIGURES)))
    order = list(range(len(scanners)))
    if scanners:
        by_day[:, 0] = pool.judge(scanners[0])
        told()
        order = _beside_each_other(scanners, pool.read)
    for i in order:
        if i:
            by_day[:, i] = pool.judge(scanners[i])
            told()
    return by_day


def _beside_each_other(scanners: Sequence[AnyScanner], read: frozenset[str]) -> list[int]:
    """Their places, so that those which share the values of some thresholds, and then the stop, stand together."""
    groups: dict[Any, dict[Any, list[int]]] = {}
    for i, scanner in enumerate(scanners):
        settings = scanner.settings()
        key = repr([settings[name] for name in sorted(read)])
        groups.setdefault(key, {}).setdefault((scanner.stop_atr, scanner.risk), []).append(i)
    return [i for stops in groups.values() for places in stops.values() for i in places]


class _Counted:
    """Progress that several threads make."""

    def __init__(self, progress: Progress, whole: int) -> None:
        self._progress, self._whole, self._done = progress, whole, 0
        self._every = max(1, whole // 200)

    def one(self) -> None:
        """One more is done."""
        self._done += 1
        if self._done % self._every == 0 or self._done == self._whole:
            self._progress("judged", self._done, self._whole)


def quotient(part: Floats, whole: Floats) -> Floats:
    """Part ÷ whole, unknown where the whole is not above 0."""
    return np.where(whole > 0.0, part / np.where(whole > 0.0, whole, 1.0), np.nan)

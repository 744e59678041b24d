"""Plateaus: settings whose neighbours are good too. A peak among poor neighbours is luck, the middle of a plateau less.

The score of a setting is the lower quartile of its neighbours' mean results, those of settings that differ by one step
in some thresholds, and never more than its own. What has too few results, or stands where half of its neighbours have,
has no score.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from scanner_kit.errors import InvalidInput, UnknownName, short
from scanner_kit.tuning.grid import Grid, Setting, plain
from scanner_kit.tuning.sweep import Sweep
from scanner_kit.universe import Bools, Floats

FEWEST = 30
"""Results below which a mean is not looked at."""
QUARTILE = 0.25
NEARLY = 0.5
"""A plateau reaches down from its best score by this share of the way to the middle one of all."""


@dataclass(frozen=True, eq=False)
class Plateau:
    """The scores of a sweep's settings, and the plateau that is the best: arrays in the shape of the grid."""

    sweep: Sweep
    fewest: int
    score: Floats
    inside: Bools

    @property
    def grid(self) -> Grid:
        """The grid of the sweep."""
        return grid_of(self.sweep)

    @cached_property
    def middle(self) -> int | None:
        """The place of the setting in the middle of the best plateau; None where no setting has a score.

        It is the one with the least distance to all others inside, in steps; of several the one with the best score,
        then the one farthest from the edges of the grid, beyond which nothing is known.
        """
        places = np.argwhere(self.inside)
        if not len(places):
            return None
        away = np.abs(places - places.mean(axis=0)).sum(axis=1).round(9)
        edge = np.minimum(places, np.array(self.grid.shape) - 1 - places).sum(axis=1)
        best = np.lexsort((-edge, -self.score[tuple(places.T)], away))[0]
        return int(np.ravel_multi_index(tuple(places[best]), self.grid.shape))

    @property
    def suggested(self) -> Setting | None:
        """The setting in the middle of the best plateau, whether or not another looks better."""
        return None if self.middle is None else self.sweep.settings[self.middle]

    @property
    def line(self) -> str:
        """What is suggested, in a line."""
        if self.middle is None:
            return (
                f"No plateau: no setting and half of its neighbours have {self.fewest} results. "
                f"More days, wider steps or looser thresholds give more."
            )
        setting = ", ".join(f"{name} {plain(value)}" for name, value in self.sweep.settings[self.middle].items())
        mean, score = self.sweep.mean_r[self.middle], float(self.score.ravel()[self.middle])
        best = int(np.nanargmax(np.where(self.enough, self.sweep.mean_r, -np.inf)))
        size = int(self.inside.sum())
        told = "Suggested: " if score > 0 else "No plateau is worth it; the middle of the best is "
        edge = f" It stands at an edge of the grid: sweep on beyond {', '.join(self.at_edge)}." if self.at_edge else ""
        return (
            f"{told}{setting}, in a plateau of {size:,} setting{'' if size == 1 else 's'}: {mean:+.3f} R over "
            f"{int(self.sweep.n[self.middle]):,}, its neighbourhood {score:+.3f} R.{edge} "
            f"The best single setting shows {self.sweep.mean_r[best]:+.3f} R over {int(self.sweep.n[best]):,}."
        )

    @property
    def at_edge(self) -> tuple[str, ...]:
        """The thresholds whose suggested value is the first or last that was swept: what lies beyond is not known."""
        suggested, axes = self.suggested or {}, self.grid.axes
        return tuple(
            f"{name} {plain(value)}"
            for name, value in suggested.items()
            if self.grid.is_ordered(name) and value in (axes[name][0], axes[name][-1])
        )

    @property
    def enough(self) -> Bools:
        """Which settings have enough results, in their order."""
        return self.sweep.n >= self.fewest

    def slice(self, x: str, y: str | None = None, fixed: Setting | None = None) -> "Slice":
        """What a map of two thresholds, or of one, shows.

        All others are at `fixed`, else at the suggested setting, else at the best. `UnknownName` for a threshold that
        was not moved, `InvalidInput` for a value that it did not take.
        """
        axes = self.grid.axes
        for name in (x, y or x, *(fixed or {})):
            if name not in axes:
                raise UnknownName.of("The sweep did not move", name, axes)
        if x == y:
            raise InvalidInput(f"A map has two thresholds; found {x} twice. Name another.")
        held = {name: value for name, value in self._at_rest(dict(fixed or {})).items() if name not in (x, y)}
        at = [slice(None) if name in (x, y) else _place(axes, name, held[name]) for name in axes]
        turned = y is not None and list(axes).index(x) < list(axes).index(y)

        def flat(values: Any) -> Any:
            found = np.atleast_2d(np.asarray(values).reshape(self.grid.shape)[tuple(at)])
            return found.T if turned else found

        ys, figures = axes[y] if y else ("",), (np.arange(len(self.sweep)), self.score, self.inside, self.enough)
        return Slice(x, y or "", axes[x], ys, held, *map(flat, figures))

    def _at_rest(self, fixed: Setting) -> dict[str, Any]:
        place = self.middle
        if place is None:
            known = np.where(self.sweep.n > 0, self.sweep.mean_r, -np.inf)
            place = int(np.argmax(known))
        return {**self.sweep.settings[place], **fixed}


@dataclass(frozen=True, eq=False)
class Slice:
    """Two thresholds of a sweep, or one and "", all others held: arrays `(values of y, values of x)`.

    `places` are the settings' places in the sweep.
    """

    x: str
    y: str
    xs: tuple[Any, ...]
    ys: tuple[Any, ...]
    held: Setting
    places: Any
    score: Floats
    inside: Bools
    enough: Bools


def plateau(sweep: Sweep, *, fewest: int = FEWEST) -> Plateau:
    """The plateaus of a sweep over a grid; means of fewer than `fewest` results do not count.

    `InvalidInput` where its settings are no grid.
    """
    grid = grid_of(sweep)
    if fewest < 1:
        raise InvalidInput(f"A mean rests on 1 result at least; found fewest={fewest!r}. The default is {FEWEST}.")
    enough = (sweep.n >= fewest).reshape(grid.shape)
    mean = np.where(enough, sweep.mean_r.reshape(grid.shape), np.nan)
    ordered = [grid.is_ordered(name) for name in grid.axes]
    score = _scores(mean, ordered)
    return Plateau(sweep, fewest, score, _best(score, ordered))


def grid_of(sweep: Sweep) -> Grid:
    """The grid of a sweep; `InvalidInput` where its settings are none."""
    if not isinstance(sweep, Sweep):
        raise InvalidInput(f"A plateau is of a Sweep; found {short(sweep)}. Give sweep(history, scanner, grid).")
    if sweep.grid is None:
        raise InvalidInput(
            f"A plateau needs a grid; found {len(sweep):,} settings of a search, which have no neighbours. Sweep a "
            f"grid around its best."
        )
    return sweep.grid


def _scores(mean: Floats, ordered: list[bool]) -> Floats:
    """The lower quartile of each setting's neighbours, at most its own; unknown where half of these are."""
    padded = np.pad(mean, 1, constant_values=np.nan)
    there = np.pad(np.ones(mean.shape), 1)
    around, possible = [], np.zeros(mean.shape)
    for step in filter(any, _steps(ordered)):
        at = tuple(slice(1 + s, 1 + s + size) for s, size in zip(step, mean.shape, strict=True))
        around.append(padded[at])
        possible += there[at]
    if not around:
        return mean
    values = np.sort(np.stack(around), axis=0)  # the unknown come last
    known = np.count_nonzero(~np.isnan(values), axis=0)
    position = QUARTILE * np.maximum(known - 1, 0)
    below = np.floor(position).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    low, high = (np.take_along_axis(values, at[None], axis=0)[0] for at in (below, above))
    quartile = low + (high - low) * (position - below)
    return np.where(np.isnan(mean) | (known < possible / 2), np.nan, np.minimum(mean, quartile))


def _best(score: Floats, ordered: list[bool]) -> Bools:
    """Which settings hang together with the best score and are nearly as good."""
    inside = np.zeros(score.shape, dtype=np.bool_)
    if np.isnan(score).all():
        return inside
    best = np.nanmax(score)
    good = score >= best - NEARLY * (best - np.nanmedian(score))
    waiting = [tuple(int(i) for i in np.unravel_index(np.nanargmax(score), score.shape))]
    steps = list(_steps(ordered))
    while waiting:
        place = waiting.pop()
        if inside[place]:
            continue
        inside[place] = True
        for step in steps:
            near = tuple(p + s for p, s in zip(place, step, strict=True))
            if all(0 <= p < size for p, size in zip(near, score.shape, strict=True)) and good[near]:
                waiting.append(near)
    return inside


def _steps(ordered: list[bool]) -> "product[tuple[int, ...]]":
    """The steps to a setting itself and to its neighbours; thresholds without an order have none."""
    return product(*((-1, 0, 1) if one else (0,) for one in ordered))


def _place(axes: Any, name: str, value: Any) -> int:
    if value not in axes[name]:
        told = ", ".join(map(str, axes[name]))
        raise InvalidInput(f"{name} was swept over {told}; found {value!r}. Name one of these.")
    return int(axes[name].index(value))

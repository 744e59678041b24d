"""The meter: bars in, a snapshot out. Costly, and without a threshold in it.

A step of the meter:

1. late bars are put into their minutes, and their symbols are measured again from 04:00 (`_remeasure`);
2. the minute is written into the day (`Day.write`);
3. each metric takes one step, those first that others need (`_measure`);
4. what was measured is handed out as a `Snapshot`, read-only for ever.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from scanner_kit.bars import FIELDS, PRICES, Bars, LateBars, Tape, read_only
from scanner_kit.day import Day
from scanner_kit.errors import InvalidInput, must_be, short
from scanner_kit.metrics.base import Metric, Moment, State
from scanner_kit.snapshot import Snapshot
from scanner_kit.universe import Floats, Rows, Universe
from scanner_kit.widening import Widening

Values = Mapping[Metric, Floats]


class Meter:
    """Measures some metrics, and all that they need, over a day of one universe, step by step."""

    def __init__(self, universe: Universe, metrics: Iterable[Metric]) -> None:
        self.day = Day(universe)
        self.k = -1
        self.metrics = in_order(metrics)
        self._states: Mapping[Metric, State] = {metric: metric.start(self.day) for metric in self.metrics}
        self._values: Values = {}
        _keep_freed_memory()

    @property
    def universe(self) -> Universe:
        """The symbols that it measures."""
        return self.day.universe

    def step(self, bars: Bars) -> Snapshot:
        """Measure a closed minute: the next after the last."""
        self._check_rows(bars)
        if bars.late is not None:
            self._remeasure(bars.late)
        self.day.write(bars)
        before, moment = self._values, Moment(self.day, bars.k)
        self._states = _measure(self._states, moment)
        self._values, self.k = moment.values, bars.k
        return _snapshot(self.universe, bars, self._values, before)

    def preview(self, bars: Bars) -> Snapshot:
        """Measure the minute so far as if it closed now; the states stay as they are."""
        self._check_rows(bars)
        self.day.write(bars)
        moment = Moment(self.day, bars.k)
        _measure(self._states, moment)
        return _snapshot(self.universe, bars, moment.values, self._values)

    def stands(self) -> Any:
        """Where it stands, to go back to."""
        return self.k, self.metrics, self._states, self._values, self.universe, self.day.told()

    def stand(self, before: Any) -> None:
        """Go back to where it stood; bars that were written meanwhile are written again with the next entry."""
        self.k, self.metrics, self._states, self._values, universe, told = before
        if len(universe) < len(self.universe):
            self.day = self.day.take(Widening.of(universe.symbols, self.universe.symbols).rows, self.k + 1)
        self.day.universe = universe
        self.day.told_is(told)

    def widen(self, universe: Universe) -> "Widening":
        """Measure over a universe that has more symbols, as if these had been silent until now; how it is wider."""
        wide = Widening.of(self.universe.symbols, universe.symbols)
        self.day.widen(universe, self.k + 1)
        if wide.added.size:
            self._states = {metric: _spread(state, wide) for metric, state in self._states.items()}
            self._values = {metric: wide.spread(values, np.nan) for metric, values in self._values.items()}
            self._measure_alone(wide.added, self.day.take(wide.added, self.k + 1))
        return wide

    def require(self, metrics: Iterable[Metric]) -> None:
        """Measure further metrics from now on, and what they would have been until now."""
        wanted = in_order(chain(self.metrics, metrics))
        if len(wanted) > len(self.metrics):
            self._states, self._values = measure_again(self.day, wanted, self.k + 1)
            self.metrics = wanted

    def broken(self, k: int) -> dict[Metric, Exception]:
        """The metrics that raise in minute `k`, the next, whose bars are written, with those that need them."""
        found: dict[Metric, Exception] = {}
        moment = Moment(self.day, k)
        for metric, state in self._states.items():
            needed = next((found[needed] for needed in metric.needs() if needed in found), None)
            try:
                if needed is not None:
                    raise needed
                moment.values[metric] = _handed_out(metric.step(state, moment)[0], metric, moment)
            except Exception as fault:
                found[metric] = fault
        return found

    def drop(self, metrics: Container[Metric]) -> None:
        """Measure some metrics no more."""
        self.metrics = tuple(metric for metric in self.metrics if metric not in metrics)
        self._states = {metric: self._states[metric] for metric in self.metrics}
        self._values = {metric: its for metric, its in self._values.items() if metric not in metrics}

    def check(self, bars: Bars) -> None:
        """`InvalidInput` for an entry that is not of the next minute."""
        if not isinstance(bars, Bars):
            raise InvalidInput(f"A step takes the Bars of one minute; found {bars!r}. Write: for bars in tape.")
        if self.k + 1 >= self.universe.day.minutes:
            last = self.universe.day.minutes - 1
            raise InvalidInput(
                f"The day has the minutes k=0…{last}, and all are taken; found k={bars.k}. "
                f"Begin a new Engine for the next day."
            )
        if bars.k != self.k + 1:
            raise InvalidInput(
                f"A day has one step for every minute, one after the other: expected k={self.k + 1}; "
                f"found {bars.k}. Give Bars.empty for a silent minute."
            )

    def _check_rows(self, bars: Bars) -> None:
        """`InvalidInput` for an entry that is not of the next minute, or not of this universe."""
        self.check(bars)
        for name in FIELDS:
            if (shape := getattr(bars, name).shape) != (len(self.universe),):
                raise InvalidInput(
                    f"Bars have a row for each symbol of the universe ({len(self.universe)}); "
                    f"found {name} of shape {shape}. Build them on the same Universe."
                )

    def _remeasure(self, late: LateBars) -> None:
        rows, alone = self.day.amend(late, self.k)
        if rows.size:
            self._measure_alone(rows, alone)

    def _measure_alone(self, rows: Rows, alone: Day) -> None:
        """Measure some symbols again, whose day that is, and what looks across the market."""
        if self.k < 0:
            self._states, _ = measure_again(self.day, self.metrics, 0)
            return
        if _mixed(self.metrics):
            self._states, self._values = measure_again(self.day, self.metrics, self.k + 1)
            return
        market = [metric for metric in self.metrics if metric.market]
        own = [metric for metric in self.metrics if not metric.market]
        states, values = measure_again(alone, own, self.k + 1)
        whole = measure_again(self.day, in_order(market), self.k + 1)
        self._states = {
            **self._states,
            **{m: _put(self._states[m], states[m], rows) for m in own},
            **{m: whole[0][m] for m in market},
        }
        self._values = {
            **self._values,
            **{m: _put((self._values[m],), (values[m],), rows)[0] for m in own},
            **{m: whole[1][m] for m in market},
        }


def measure_day(tape: Tape, metrics: Iterable[Metric]) -> Snapshot:
    """A whole day at once.

    A snapshot of arrays `(minutes, symbols)`, equal bit for bit to the steps one after the other.
    """
    if not isinstance(tape, Tape):
        raise InvalidInput(f"A day is measured on a Tape; found {short(tape)}. Give, say, sk.simulated_tape(market).")
    check_metrics(metrics)
    return snapshot_of_day(Day.of(tape), metrics, len(tape))


def check_metrics(metrics: Any) -> None:
    """`InvalidInput` where metrics are not given as some in a row."""
    if isinstance(metrics, Metric):
        raise InvalidInput(f"Metrics are given in a list; found {metrics!r} alone. Write [{metrics!r}].")
    must_be(Iterable, metrics, "Metrics are given in a list", "Write, say, [Last()].")


def snapshot_of_day(day: Day, metrics: Iterable[Metric], minutes: int) -> Snapshot:
    """The first `minutes` of a day as one snapshot of arrays `(minutes, symbols)`."""
    wanted, shape = in_order(metrics), (minutes, len(day.universe))
    values = {metric: np.empty(shape) for metric in wanted}
    states: Mapping[Metric, State] = {metric: metric.start(day) for metric in wanted}
    with np.errstate(all="ignore"):
        for k in range(minutes):
            moment = Moment(day, k)
            states = _measure(states, moment)
            for metric, column in moment.values.items():
                values[metric][k] = column
    before = {metric: _one_later(column) for metric, column in values.items()}
    prices = (day.open[:minutes], day.high[:minutes], day.low[:minutes], day.close[:minutes])
    return Snapshot(day.universe, np.arange(minutes)[:, None], *prices, values, before)


def measure_again(day: Day, metrics: Sequence[Metric], minutes: int) -> tuple[dict[Metric, State], Values]:
    """The states and values after the first `minutes` of a day, from its start."""
    states = {metric: metric.start(day) for metric in metrics}
    if not minutes:
        return states, {}
    lasting = in_order(metric for metric in metrics if type(metric).step is not Metric.step)
    kept: Mapping[Metric, State] = {metric: states[metric] for metric in lasting}
    for k in range(minutes - 1):
        kept = _measure(kept, Moment(day, k))
    last = Moment(day, minutes - 1)
    return _measure({**states, **kept}, last), last.values


def in_order(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    """The metrics and all that they need, each once, those first that others need.

    `InvalidInput` where two need each other.
    """
    found: dict[Metric, None] = {}

    def visit(metric: Metric, path: tuple[Metric, ...]) -> None:
        if not isinstance(metric, Metric):
            raise InvalidInput(f"Only metrics can be measured; found {metric!r}. Give one: metrics.by_name('vwap').")
        if metric in path:
            raise InvalidInput(
                f"Metrics cannot need each other in a circle: "
                f"{' → '.join(map(repr, (*path, metric)))}. Take one out of needs()."
            )
        if metric not in found:
            for needed in metric.needs():
                visit(needed, (*path, metric))
            found[metric] = None

    for metric in metrics:
        visit(metric, ())
    return tuple(found)


def _measure(states: Mapping[Metric, State], moment: Moment) -> dict[Metric, State]:
    """One step of each metric, in the order of its state; values go to the moment, the next states are returned."""
    following: dict[Metric, State] = {}
    for metric, state in states.items():
        values, following[metric] = metric.step(state, moment)
        moment.values[metric] = _handed_out(values, metric, moment)
    return following


def _handed_out(values: Floats, metric: Metric, moment: Moment) -> Floats:
    if values.shape != moment.close.shape or values.dtype != np.float64:
        raise InvalidInput(
            f"{metric!r} gives a float64 for each symbol, shape {moment.close.shape}; found "
            f"{values.dtype} {values.shape}. Return one number a symbol."
        )
    if isinstance(values.base, np.ndarray):  # what a compiled loop gives has a base too, and is its own
        values = values.copy()  # a view of the day, or of a state, would change under who holds it
    values.setflags(write=False)
    return values


def _snapshot(universe: Universe, bars: Bars, values: Values, before: Values) -> Snapshot:
    open_, high, low, close = (read_only(getattr(bars, name)) for name in PRICES)
    return Snapshot(universe, bars.k, open_, high, low, close, values, before, bars.forming)


def _mixed(metrics: Iterable[Metric]) -> bool:
    """Whether a metric of single symbols needs one that looks across the market, so that all must be measured again."""
    return any(needed.market for metric in metrics if not metric.market for needed in in_order([metric]))


def _put(whole: State, part: State, rows: Rows) -> State:
    merged = tuple(array.copy() for array in whole)
    for array, column in zip(merged, part, strict=True):
        array[..., rows] = column
    return merged


def _spread(state: State, wide: Widening) -> State:
    return tuple(wide.spread(array, np.zeros((), array.dtype)) for array in state)


def _one_later(values: Floats) -> Floats:
    later = np.empty_like(values)
    later[0], later[1:] = np.nan, values[:-1]
    return later


def _keep_freed_memory() -> None:
    """Let the allocator keep what a step frees: giving it back and asking again costs more than measuring.

    The C library raises its threshold when a large block is freed for the first time.
    """
    np.empty(31 * 2**20, dtype=np.uint8)  # freed at once

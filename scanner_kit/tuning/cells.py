"""Cells: the minutes in which a scanner could fire, picked out of whole days, and what comes of them.

For one setting whole days are judged, and the cells in which its trigger condition holds are picked out, with whether
it rises there. Settings that share what was read for it have the same cells: of these alone the scanner's own `verdict`
is asked, on a snapshot of them, and edge, cooldown and re-arm run over them. What came of a cell is computed when it
first fires, and known from then on for that side and stop.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.columns import values_of
from scanner_kit.composition import AnyScanner, Picked
from scanner_kit.conditions import full
from scanner_kit.metrics import Metric
from scanner_kit.scanner import Kind, Verdict
from scanner_kit.snapshot import Snapshot
from scanner_kit.triggers import stops
from scanner_kit.tuning.answer import prices_of
from scanner_kit.tuning.history import MeasuredDay
from scanner_kit.tuning.judging import LAST, give_up_old
from scanner_kit.tuning.outcomes import outcomes
from scanner_kit.tuning.paths import LOSS, OPEN, WIN, Codes
from scanner_kit.tuning.reads import Watch
from scanner_kit.universe import FACTS, Bools, Facts, Floats, Rows, Universe

FIGURES = ("triggers", "tradable", "wins", "n", "total", "gained", "lost")
"""What is added up of a day: triggers, those tradable, wins, results, and Σ, Σ positive, Σ negative of these in R."""
HOLDS, RISES = 1, 2


@dataclass(frozen=True, eq=False)
class Spoken:
    """Of one kind, for each cell: its rules, as numbers for each or one for all."""

    level: Any
    side: Any
    rearm: Any
    cooldown: Any
    rearm_pct: Any

    def numbers(self) -> tuple[Floats, ...]:
        """Each as an array `(cells,)`, or `(1,)` of one number for all."""
        return tuple(np.atleast_1d(np.asarray(getattr(self, name), dtype=np.float64)) for name in RULES)


RULES = tuple(Spoken.__dataclass_fields__)


@dataclass(frozen=True, eq=False)
class Said:
    """What one setting says of some cells: which are selected, and the rules of each kind."""

    selected: Bools
    kinds: Mapping[str, Spoken]

    def equals(self, other: "Said") -> bool:
        """Whether another says the very same."""
        mine, its = ([f for name in self.kinds for f in _figures(said.kinds[name])] for said in (self, other))
        shape = self.selected.shape
        alike = (
            np.array_equal(np.broadcast_to(a, shape), np.broadcast_to(b, shape), equal_nan=True)
            for a, b in zip(mine, its, strict=True)
        )
        return np.array_equal(self.selected, other.selected) and all(alike)


def _figures(spoken: Spoken) -> list[Any]:
    return [getattr(spoken, name) for name in RULES]


def look(days: Sequence[MeasuredDay], scanner: AnyScanner) -> "tuple[Cells, Said]":
    """The cells of a setting, found by judging whole days, and what it says of them."""
    watch, parts = Watch(scanner), []
    for day in days:
        verdict = scanner.verdict(day.snapshot)
        give_up_old(day.snapshot, verdict)
        parts.append(_part(day, verdict, watch.kinds(day.snapshot, verdict)))
    kinds = tuple(dict.fromkeys(kind for part in parts for kind in part.said.kinds))
    settings = scanner.settings()
    return Cells(days, parts, kinds, {name: settings[name] for name in watch.read}), _joined(parts, kinds)


@dataclass(frozen=True, eq=False)
class _Part:
    """The cells of one day: minute, row, for each kind whether it holds and rises there, and what is said of them."""

    k: Rows
    row: Rows
    edges: Mapping[str, Codes]
    said: Said


def _part(day: MeasuredDay, verdict: Verdict, kinds: Mapping[str, Kind]) -> _Part:
    shape = day.snapshot.shape
    found = {}
    for name, kind in kinds.items():
        masks = (np.ascontiguousarray(full(mask, shape)) for mask in (kind.condition.true, kind.condition.false))
        found[name] = _edges(*masks)
    k, row = _places(np.maximum.reduce(list(found.values())))
    selected = full(verdict.selected.true, shape)[k, row]
    spoken = {
        name: Spoken(*(_picked(getattr(kind, rule), shape, k, row) for rule in RULES))
        for name, kind in verdict.kinds.items()
    }
    return _Part(k, row, {name: codes[k, row] for name, codes in found.items()}, Said(selected, spoken))


def _picked(figure: Any, shape: tuple[int, ...], k: Rows, row: Rows) -> Any:
    if isinstance(figure, Picked):
        left, right = (_picked(one, shape, k, row) for one in (figure.left, figure.right))
        return np.where(full(figure.other.true, shape)[k, row], right, left)
    values = values_of(figure)
    return values if np.ndim(values) == 0 else np.broadcast_to(values, shape)[k, row]


def _joined(parts: Sequence[_Part], kinds: Sequence[str]) -> Said:
    def of(name: str, rule: str) -> Floats:
        return np.concatenate([np.broadcast_to(getattr(p.said.kinds[name], rule), p.k.shape) for p in parts])

    selected = np.concatenate([part.said.selected for part in parts])
    return Said(selected, {name: Spoken(*(of(name, rule) for rule in RULES)) for name in kinds})


class Cells:
    """Cells of some days by minute, day and row, with what is known of each.

    `thresholds` are those that were read to find them, with their values.
    """

    def __init__(
        self, days: Sequence[MeasuredDay], parts: Sequence[_Part], kinds: Sequence[str], thresholds: Mapping[str, Any]
    ) -> None:
        self.days, self.thresholds, self._parts = tuple(days), dict(thresholds), parts
        self.day = np.repeat(np.arange(len(days)), [part.k.size for part in parts])
        self.k, self.row = (np.concatenate([getattr(part, name) for part in parts]) for name in ("k", "row"))
        starts = np.cumsum([0, *(len(day) for day in days)])
        self.column, self.columns = self.row + starts[self.day], int(starts[-1])
        self.edges = {name: np.concatenate([part.edges[name] for part in parts]) for name in kinds}
        self._known = {name: Results.none(self.k.size) for name in kinds}

    def are_those_of(self, scanner: AnyScanner) -> bool:
        """Whether the thresholds that were read for them have the same values in another setting."""
        settings = scanner.settings()
        return all(settings[name] == value for name, value in self.thresholds.items())

    def take_over(self, earlier: "Cells") -> None:
        """Where these are the same cells, what came of them is known already."""
        if np.array_equal(self.k, earlier.k) and np.array_equal(self.column, earlier.column):
            self._known = {name: earlier._known.get(name, known) for name, known in self._known.items()}

    def asked(self, scanner: AnyScanner) -> Said:
        """What a setting says of them: its own verdict on a snapshot of them alone."""
        verdict = scanner.verdict(self.snapshot)
        give_up_old(self.snapshot, verdict)
        spoken = {
            name: Spoken(*(values_of(getattr(verdict.kinds[name], rule)) for rule in RULES)) for name in self.edges
        }
        return Said(full(verdict.selected.true, self.k.shape), spoken)

    def worth(self, said: Said, scanner: AnyScanner, horizon: int, cost_bps: float) -> Floats:
        """What fires of them and what came of it on each day, `(days, 7)`."""
        selected, found = np.ascontiguousarray(said.selected), []
        for name, edges in self.edges.items():
            level, side, *rules = said.kinds[name].numbers()
            fired = _fired(self.columns, self.column, self.k, edges, selected, level, *rules)
            self._follow(self._known[name], fired, _of(side, fired), _of(level, fired), scanner, horizon, cost_bps)
            found.append((fired, self._known[name]))
        return self._added(found)

    def _added(self, found: "Sequence[tuple[Rows, Results]]") -> Floats:
        fired = np.concatenate([one for one, _ in found])
        result, code = (
            np.concatenate([getattr(known, name)[one] for one, known in found]) for name in ("result", "code")
        )
        if len(found) > 1:  # sums are made in the order of triggers
            kind = np.repeat(np.arange(len(found)), [one.size for one, _ in found])
            order = np.lexsort([kind, self.row[fired], self.k[fired]])
            fired, result, code = fired[order], result[order], code[order]
        return _sums(len(self.days), self.day[fired], result, code)

    def _follow(
        self,
        known: "Results",
        fired: Rows,
        side: Floats,
        level: Floats,
        scanner: AnyScanner,
        horizon: int,
        cost_bps: float,
    ) -> None:
        """See to it that what came of some cells is known."""
        price, low, high, atr = (values[fired] for values in self._prices)
        stop, distance, _ = stops(side, price, level, low, high, atr, scanner.stop_atr, scanner.risk)
        new = ~known.are(fired, side, stop, distance)
        if not new.any():
            return
        fired, side, stop, distance = fired[new], side[new], stop[new], distance[new]
        by_day = np.argsort(self.day[fired], kind="stable")
        ends = np.searchsorted(self.day[fired[by_day]], np.arange(len(self.days) + 1)).tolist()
        for i, day in enumerate(self.days):
            its = by_day[ends[i] : ends[i + 1]]
            if its.size:
                at = fired[its]
                of_trigger = self.row[at], self.k[at], side[its], stop[its], distance[its]
                came = outcomes(prices_of(day), *of_trigger, cost_bps=cost_bps)
                known.put(at, side[its], stop[its], distance[its], came.result_r[:, horizon], came.result[:, horizon])

    @cached_property
    def snapshot(self) -> Snapshot:
        """What is known at these cells: `(cells,)` where a snapshot of a day has `(minutes, symbols)`."""
        open_, high, low, close = (
            self._gathered(lambda day, name=name: getattr(day.tape, name)) for name in ("open", "high", "low", "close")
        )
        values, before = (_Values(self, name) for name in ("values", "before"))
        return Snapshot(self._universe(), self.k, open_, high, low, close, values, before)

    @cached_property
    def _prices(self) -> tuple[Floats, Floats, Floats, Floats]:
        now = self.snapshot
        return now.values[LAST], now.low, now.high, now.universe.facts.atr_14d

    def _gathered(self, of: Any) -> Floats:
        """An array of each day at its cells."""
        found = [of(day)[part.k, part.row] for day, part in zip(self.days, self._parts, strict=True)]
        return np.concatenate(found)

    def _universe(self) -> Universe:
        first = self.days[0].universe

        def fact(name: str) -> Any:
            if name == "usual_volume":
                return self._gathered(lambda day: day.universe.facts.usual_volume)
            parts = zip(self.days, self._parts, strict=True)
            return np.concatenate([getattr(day.universe.facts, name)[part.row] for day, part in parts])

        parts = zip(self.days, self._parts, strict=True)
        names = [
            name for day, part in parts for name in np.array(day.universe.symbols, dtype=object)[part.row].tolist()
        ]
        facts = Facts(**{name: fact(name) for name in FACTS})
        source = first.share_of_market, first.daily_same_source, first.label
        away = tuple(one for day in self.days for one in day.universe.away)
        there = self._gathered(_there).astype(np.bool_) if away else None
        return _UniverseOfCells(first.day, tuple(names), facts, *source, away, there)


def _there(day: MeasuredDay) -> Bools:
    return day.universe.there(np.arange(day.day.minutes)[:, None])


@dataclass(frozen=True, eq=False)
class _UniverseOfCells(Universe):
    """The universe of cells: a symbol is in it as often as it has cells."""

    there_at: Bools | None = None

    def __post_init__(self) -> None:
        """They are not unique."""

    def there(self, k: Any) -> Bools:
        """Which cells are of the universe of their minute."""
        return np.ones(len(self), np.bool_) if self.there_at is None else self.there_at


class _Values(Mapping[Metric, Floats]):
    """Metrics at some cells, picked out when first asked for."""

    def __init__(self, cells: Cells, name: str) -> None:
        self._cells, self._name, self._known = cells, name, dict[Metric, Floats]()

    def __getitem__(self, metric: Metric) -> Floats:
        if metric not in self._known:
            self._known[metric] = self._cells._gathered(lambda day: getattr(day, self._name)[metric])
        return self._known[metric]

    def __iter__(self) -> Iterator[Metric]:
        return iter(getattr(self._cells.days[0], self._name))

    def __len__(self) -> int:
        return len(getattr(self._cells.days[0], self._name))


@dataclass(frozen=True, eq=False)
class Results:
    """What came of cells, as far as it is known: for the side, stop and distance that they had then."""

    known: Bools
    side: Floats
    stop: Floats
    distance: Floats
    result: Floats
    code: Codes

    @classmethod
    def none(cls, cells: int) -> "Results":
        """Of none is anything known."""
        side, stop, distance, result = np.full((4, cells), np.nan)
        return cls(np.zeros(cells, np.bool_), side, stop, distance, result, np.zeros(cells, np.int8))

    def are(self, at: Rows, side: Floats, stop: Floats, distance: Floats) -> Bools:
        """Of which it is known for this side, stop and distance."""
        alike = self.known[at] & (self.side[at] == side)
        for kept, asked in ((self.stop[at], stop), (self.distance[at], distance)):
            alike &= (kept == asked) | (np.isnan(kept) & np.isnan(asked))
        return np.asarray(alike)

    def put(self, at: Rows, side: Floats, stop: Floats, distance: Floats, result: Floats, code: Codes) -> None:
        """Know it."""
        self.known[at] = True
        pairs = zip(("side", "stop", "distance", "result", "code"), (side, stop, distance, result, code), strict=True)
        for name, values in pairs:
            getattr(self, name)[at] = values


# Loops


@compiled
def _edges(true: Bools, false: Bools) -> Codes:
    """0 where a condition does not hold, `HOLDS` where it does, `RISES` where it did not when last known."""
    minutes, symbols = true.shape
    held, codes = np.zeros(symbols, dtype=np.bool_), np.zeros((minutes, symbols), dtype=np.int8)
    for k in range(minutes):
        for i in range(symbols):
            if true[k, i]:
                codes[k, i] = HOLDS if held[i] else RISES
                held[i] = True
            elif false[k, i]:
                held[i] = False
    return codes


@compiled
def _places(codes: Codes) -> tuple[Rows, Rows]:
    """Where there is a cell, by minute and row."""
    n = np.count_nonzero(codes)
    ks, rows, at = np.empty(n, dtype=np.intp), np.empty(n, dtype=np.intp), 0
    for k in range(codes.shape[0]):
        for i in range(codes.shape[1]):
            if codes[k, i] > 0:
                ks[at], rows[at] = k, i
                at += 1
    return ks, rows


@compiled
def _fired(
    columns: int,
    column: Rows,
    k: Rows,
    edges: Codes,
    selected: Bools,
    level: Floats,
    rearm: Floats,
    cooldown: Floats,
    rearm_pct: Floats,
) -> Rows:
    """The cells that fire: the rules of `triggers.fire`, cell by cell; those of a column are in order of time."""
    k_last, level_last = np.full(columns, -np.inf), np.full(columns, np.nan)
    found, n = np.empty(column.size, dtype=np.intp), 0
    for i in range(column.size):
        if not (selected[i] and edges[i] > 0):
            continue
        c, at = column[i], level[min(i, level.size - 1)]
        fires = k_last[c] == -np.inf
        fires = fires or (edges[i] == RISES and k[i] - k_last[c] >= cooldown[min(i, cooldown.size - 1)])
        if not fires:
            side, percent = rearm[min(i, rearm.size - 1)], rearm_pct[min(i, rearm_pct.size - 1)]
            up = side > 0 and at >= level_last[c] * (1 + percent / 100)
            down = side < 0 and at <= level_last[c] * (1 - percent / 100)
            fires = percent > 0 and (up or down)
        if fires:
            found[n] = i
            n += 1
            k_last[c], level_last[c] = k[i], at
    return found[:n].copy()


@compiled
def _sums(days: int, day: Rows, result: Floats, code: Codes) -> Floats:
    """`FIGURES` of each day, added up trigger after trigger."""
    total = np.zeros((days, 7))
    for i in range(day.size):
        d, x = day[i], result[i]
        total[d, 0] += 1.0
        total[d, 1] += code[i] != 0
        total[d, 2] += code[i] == WIN
        total[d, 3] += code[i] == WIN or code[i] == LOSS or code[i] == OPEN
        if not np.isnan(x):
            total[d, 4] += x
            total[d, 5] += max(x, 0.0)
            total[d, 6] += min(x, 0.0)
    return total


def _of(values: Floats, rows: Rows) -> Floats:
    return values[rows] if values.size != 1 else np.full(rows.size, values[0])

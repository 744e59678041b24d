"""Bars that come one after the other from a vendor: checked on entry, gathered by minute, and late once it is closed.

The checks are those of files (`scanner_kit.entry`). What came before is remembered by a number a bar, so that a bar
that comes again is told from one that corrects it.

>>> from scanner_kit.calendar import TradingDay
>>> entering = Entering(Universe.of(TradingDay.of("2025-01-27"), ["NVDA"]))
>>> entering.take(Rows.of(["NVDA"], [28_966_140], [120.0], [121.0], [119.0], [120.5], volume=[100.0]))
0
>>> [float(entering.close(k).close[0]) for k in range(2)]
[120.5, nan]
>>> entering.take(Rows.of(["NVDA"], [28_966_140], [120.0], [121.0], [119.0], [120.6], volume=[150.0]))
0
>>> late = entering.close(2).late
>>> late.k, late.close, entering.counts["late"]
(array([0]), array([120.6]), 1)
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from scanner_kit.bars import FIELDS, SILENT, Bars, LateBars
from scanner_kit.bus.entries import has_a_bar
from scanner_kit.entry import Rows, admit
from scanner_kit.facts import codes_of
from scanner_kit.universe import Universe
from scanner_kit.widening import Widening

Columns = Mapping[str, np.ndarray]
_MIX = np.array([0x9E3779B97F4A7C15 * (2 * i + 1) % 2**64 | 1 for i in range(len(FIELDS))], dtype=np.uint64)


class Entering:
    """The bars of a day as they come, from behind the closed minute `k` on."""

    def __init__(self, universe: Universe, k: int = -1, *, fills: bool = False) -> None:
        self.universe, self.k, self.fills = universe, k, fills
        self.counts: Counter[str] = Counter()
        """How many bars met each check on entry.

        `late`: after their minute had been closed; of another day by kind; `unknown_symbol`: of who is not of the
        universe.
        """
        self.newest = k
        """The latest minute of which a bar has come."""
        self.later = np.datetime64(universe.day.date)
        """The latest day of which a bar has come: one after today is refused."""
        self._open: dict[int, dict[str, Any]] = {}
        self._late: list[Columns] = []
        self._there = universe.there(k + 1)
        self._known = np.zeros((universe.day.minutes, len(universe)), dtype=np.uint64)

    def remember(self, bars: Bars) -> None:
        """Take a closed entry that is on the tape already."""
        rows = np.flatnonzero(has_a_bar(bars))
        self._known[bars.k, rows] = _number_of({name: getattr(bars, name)[rows] for name in FIELDS})
        if bars.late is not None:
            late = bars.late.usable(bars.k, len(self.universe))
            self._known[late.k, late.row] = _number_of({name: getattr(late, name) for name in FIELDS})
        self.k, self.newest = bars.k, max(self.newest, bars.k)

    def grow(self, universe: Universe) -> None:
        """Go on over a universe that symbols have joined or left; what comes of who is not of it is not taken."""
        wide = Widening.of(self.universe.symbols, universe.symbols)
        self.universe, self._there = universe, universe.there(self.k + 1)
        if wide.added.size:
            self._known = wide.spread(self._known, 0)
            for columns in self._open.values():
                columns |= {name: wide.spread(columns[name], SILENT[name]) for name in FIELDS}
            self._late = [{**columns, "row": wide.rows[columns["row"]]} for columns in self._late]

    def take(self, rows: Rows) -> int:
        """Take bars as a vendor gave them; the latest minute of today among them, or −1."""
        bars, counts = admit(rows, self.fills)
        self.counts.update({kind: n for kind, n in counts.items() if n})
        row = codes_of(bars.names, self.universe.symbols)[bars.symbol]
        row = np.where(self._there[row], row, -1) if len(self.universe) else row
        day = np.datetime64(self.universe.day.date)
        today, later = bars.day == day, bars.day > day
        self._count("earlier_day", int((bars.day < day).sum()))
        self._count("later_day", int(later.sum()))
        if later.any():
            self.later = max(self.later, bars.day[later].max())
        self._count("unknown_symbol", int((today & (row < 0)).sum()))
        some = np.flatnonzero(today & (row >= 0))
        if not some.size:
            return -1
        columns = {"row": row[some], "k": bars.k[some]} | {name: getattr(bars, name)[some] for name in FIELDS}
        self._sort_in(columns)
        last = int(columns["k"].max())
        self.newest = max(self.newest, last)
        return last

    def close(self, k: int) -> Bars:
        """The entry that closes the next minute, with the bars that came too late for theirs."""
        columns = self._open.pop(k, None)
        late, self._late, self.k = self._late, [], k
        bars = Bars.empty(k, len(self.universe)) if columns is None else Bars(k, **columns)
        return bars if not late else Bars(k, **{n: getattr(bars, n) for n in FIELDS}, late=_joined(late))

    def so_far(self, k: int, instant: dt.datetime) -> Bars | None:
        """Minute `k` as far as it has come; None where nothing has."""
        columns = self._open.get(k)
        if columns is None:
            return None
        return Bars(k, **{n: column.copy() for n, column in columns.items()}, forming=True, instant=instant)

    def _sort_in(self, columns: Columns) -> None:
        numbers = _number_of(columns)
        before = self._known[columns["k"], columns["row"]]
        self._count("repeated", int((before == numbers).sum()))
        new = before != numbers
        late = new & (columns["k"] <= self.k)
        self._count("replaced", int((new & (before != 0)).sum()))
        self._count("late", int(late.sum()))
        self._known[columns["k"], columns["row"]] = numbers
        if late.any():
            self._late.append({name: column[late] for name, column in columns.items()})
        for k in np.unique(columns["k"][new & ~late]).tolist():
            self._put(k, {name: column[new & (columns["k"] == k)] for name, column in columns.items()})

    def _put(self, k: int, columns: Columns) -> None:
        n = len(self.universe)
        if k not in self._open:
            self._open[k] = {name: np.full(n, SILENT[name]) for name in FIELDS}
        for name, column in self._open[k].items():
            column[columns["row"]] = columns[name]

    def _count(self, kind: str, n: int) -> None:
        if n:
            self.counts[kind] += n


def _number_of(columns: Columns) -> np.ndarray:
    """A number that stands for a bar's values; 0 for none."""
    numbers = np.zeros(len(columns["close"]), dtype=np.uint64)
    for name, mix in zip(FIELDS, _MIX, strict=True):
        values = np.asarray(columns[name], dtype=np.float64) + 0.0
        bits = np.where(np.isnan(values), np.nan, values).view(np.uint64)
        numbers = (numbers ^ (bits + mix)) * mix
        numbers ^= numbers >> np.uint64(29)
    return np.maximum(numbers, np.uint64(1))


def _joined(parts: list[Columns]) -> LateBars:
    return LateBars(*(np.concatenate([part[name] for part in parts]) for name in ("k", "row", *FIELDS)))

"""The day so far: the bars of every minute up to the present one, as arrays that metrics read.

Row `k` of every array is minute `k`. Beside the bars stand four columns that nearly every metric needs: `last` (the
close of the latest bar), `dollars` (p·v), `total_volume` (shares since 04:00) and `bars_seen` (bars since 04:00).
Metrics get read-only views; rows after `k` hold nothing that means anything.

Sums of whole numbers are exact, so that shares between two minutes are a difference of totals. `fractional` are the
rows of symbols of which that cannot be said.
"""

from typing import Any

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.bars import Bars, LateBars, Tape, VendorHalt
from scanner_kit.results import Result
from scanner_kit.universe import Bools, Floats, Rows, Universe
from scanner_kit.widening import Widening

Counts = np.ndarray[Any, np.dtype[np.int16]]
Columns = tuple[np.ndarray[Any, Any], ...]
STORED = ("open", "high", "low", "close", "volume", "dollars", "last", "total_volume")
UNKNOWN = ("open", "high", "low", "close", "last")
"""Of these, what a symbol has that never traded is not known; of the others it is 0."""
MOST_EXACT = 2.0**52
"""Differences of whole numbers up to here are exact, and so is every sum on the way."""


class Day:
    """The bars of a day of one universe, written minute by minute."""

    def __init__(self, universe: Universe) -> None:
        self.universe = universe
        shape = (universe.day.minutes, len(universe))
        self._arrays = {name: np.zeros(shape) for name in STORED}
        self._bars_seen = np.zeros(shape, dtype=np.int16)
        self._fractional = np.zeros(shape[1], dtype=np.bool_)
        self._halted: dict[int, Bools] = {}
        self._results: dict[str, dict[int, Result]] = {}
        self._expose()

    def _expose(self) -> None:
        size = len(self.universe)
        self._running: Columns = (self._arrays["last"], self._arrays["total_volume"], self._bars_seen)
        self._before: Columns = (np.full(size, np.nan), np.zeros(size), np.zeros(size, dtype=np.int16))
        self.unknown: Floats = np.full(size, np.nan)
        self.unknown.flags.writeable = False
        self.fractional: Rows = np.flatnonzero(self._fractional)
        views: dict[str, Floats] = {name: array.view() for name, array in self._arrays.items()}
        self.bars_seen: Counts = self._bars_seen.view()
        for view in views.values():
            view.flags.writeable = False
        self.bars_seen.flags.writeable = False
        self.open, self.high, self.low, self.close = (views[name] for name in STORED[:4])
        self.volume, self.dollars, self.last, self.total_volume = (views[name] for name in STORED[4:])

    @classmethod
    def of(cls, tape: Tape, minutes: int | None = None) -> "Day":
        """The day of a tape, complete or up to `minutes`; late bars stand in their minutes from the beginning."""
        day, span = cls(tape.universe), len(tape) if minutes is None else minutes
        day._fill(tape, span)
        for k in range(span):
            for event in tape.events.get(k, ()):
                if isinstance(event, VendorHalt):
                    day.halt(k, event)
                elif isinstance(event, Result):
                    day.report(k, event)
            if k in tape.late:
                day.amend(tape.late[k].usable(k, len(tape.universe)), span - 1)
        return day

    def write(self, bars: Bars) -> None:
        """Put the bars of a minute into their row, and bring the running columns up to date."""
        arrays, k = self._arrays, bars.k
        for name in ("open", "high", "low", "close", "volume"):
            arrays[name][k] = getattr(bars, name)
        high, low, close, volume, dollars = (arrays[name][k] for name in STORED[1:6])
        _dollars(high, low, close, volume, bars.vwap, dollars)
        self._run_on(k)

    def _fill(self, tape: Tape, span: int) -> None:
        """Put the bars of the first minutes into their rows at once, as `write` does one after the other."""
        for name in ("open", "high", "low", "close", "volume"):
            self._arrays[name][:span] = getattr(tape, name)[:span]
        given = (*(self._arrays[name] for name in STORED[1:5]), tape.vwap, self._arrays["dollars"])
        _dollars(*(np.ascontiguousarray(array[:span]).reshape(-1) for array in given))
        for k in range(span):
            self._run_on(k)

    def _run_on(self, k: int) -> None:
        close, volume = self._arrays["close"][k], self._arrays["volume"][k]
        before = tuple(column[k - 1] for column in self._running) if k else self._before
        _run_on(close, volume, before, tuple(column[k] for column in self._running), self._fractional)
        self.fractional = np.flatnonzero(self._fractional)

    def amend(self, late: LateBars, upto: int) -> "tuple[Rows, Day]":
        """Put late bars into their minutes and bring the running columns of their symbols up to date through `upto`.

        Nobody was ever handed these arrays: what metrics gave is a copy. Returns the rows of the symbols concerned, and
        the day of these symbols alone.
        """
        late = late.usable(upto + 1, len(self.universe))
        rows: Rows = np.unique(late.row)
        for name in ("open", "high", "low", "close", "volume"):
            self._arrays[name][late.k, late.row] = getattr(late, name)
        self._arrays["dollars"][late.k, late.row] = _dollars_of(late)
        some = self.take(rows, upto + 1)
        for k in range(upto + 1):
            some._run_on(k)
        for column, anew in zip(self._running, some._running, strict=True):
            column[: upto + 1, rows] = anew[: upto + 1]
        self._fractional[rows] = some._fractional
        self.fractional = np.flatnonzero(self._fractional)
        return rows, some

    def widen(self, universe: Universe, span: int) -> None:
        """Go on over a universe that has more symbols, silent in the first `span` minutes; an array at a time."""
        wide = Widening.of(self.universe.symbols, universe.symbols)
        self.universe = universe
        if not wide.added.size:
            return
        for name in STORED:
            array = np.zeros((len(self._bars_seen), wide.size))
            wide.put(self._arrays[name][:span], np.nan if name in UNKNOWN else 0.0, array[:span])
            self._arrays[name] = array
        self._bars_seen = wide.spread(self._bars_seen, 0)
        self._fractional = wide.spread(self._fractional, added=False)
        self._halted = {k: wide.spread(halted, added=False) for k, halted in self._halted.items()}
        self._expose()

    def halt(self, k: int, said: VendorHalt) -> None:
        """Note what a vendor says of a symbol, from minute `k` on."""
        standing = self.vendor_halted(k)
        halted = np.zeros(len(self.universe), dtype=np.bool_) if standing is None else standing.copy()
        halted[self.universe.row(said.symbol)] = said.halted
        self._halted[k] = halted

    def report(self, k: int, result: Result) -> None:
        """Note what a scanner that asks the outside has found, from minute `k` on."""
        self._results = {**self._results, result.scanner: {**self._results.get(result.scanner, {}), k: result}}

    def result(self, scanner: str, k: int) -> Result | None:
        """What a scanner that asks the outside has found last, as of minute `k`."""
        results = self._results.get(scanner, {})
        came = [at for at in results if at <= k]
        return results[max(came)] if came else None

    def told(self) -> tuple[Any, ...]:
        """What came beside the bars: halts and results, by minute."""
        return dict(self._halted), self._results

    def told_is(self, told: tuple[Any, ...]) -> None:
        """Have just that come."""
        self._halted, self._results = told

    def vendor_halted(self, k: int) -> Bools | None:
        """Whom a vendor says to be halted in minute `k`; None if no vendor ever said anything."""
        said = [at for at in self._halted if at <= k]
        return self._halted[max(said)] if said else None

    def take(self, rows: Rows, span: int) -> "Day":
        """The first `span` minutes of the day of some symbols alone; `rows` ascending."""
        day = Day(self.universe.take(rows))
        for name in STORED:
            day._arrays[name][:span] = self._arrays[name][:span].take(rows, axis=1)
        day._bars_seen[:span] = self._bars_seen[:span].take(rows, axis=1)
        day._fractional = self._fractional[rows]
        day.fractional = np.flatnonzero(day._fractional)
        day._halted = {k: halted[rows] for k, halted in self._halted.items()}
        day._results = self._results
        return day


def _dollars_of(bars: LateBars) -> Floats:
    dollars = np.empty(len(bars))
    _dollars(bars.high, bars.low, bars.close, bars.volume, bars.vwap, dollars)
    return dollars


@compiled
def _dollars(high: Floats, low: Floats, close: Floats, volume: Floats, vwap: Floats, dollars: Floats) -> None:
    """p·v of each bar: p is its own VWAP where finite and positive, else (H + L + C)/3; 0 without a bar."""
    for i in range(close.size):
        own = vwap[i] > 0.0 and vwap[i] < np.inf
        price = vwap[i] if own else (high[i] + low[i] + close[i]) / 3.0
        dollars[i] = 0.0 if np.isnan(close[i]) else price * volume[i]


@compiled
def _run_on(close: Floats, volume: Floats, before: Columns, after: Columns, fractional: Bools) -> None:
    """One more minute of the running columns `last`, `total_volume` and `bars_seen`, and who has been fractional."""
    (last, total, seen), (new_last, new_total, new_seen) = before, after
    for i in range(close.size):
        silent = np.isnan(close[i])
        new_last[i] = last[i] if silent else close[i]
        new_total[i] = total[i] + volume[i]
        new_seen[i] = seen[i] + (not silent)
    for i in range(close.size):
        whole = volume[i] == np.floor(volume[i]) and abs(new_total[i]) <= MOST_EXACT
        fractional[i] |= not whole

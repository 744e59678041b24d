"""The day so far: the bars of every minute up to the present one, as arrays that metrics read.

Row `k` of every array is minute `k`. Beside the bars stand four columns that nearly every metric needs: `last` (the
close of the latest bar), `dollars` (p·v), `total_volume` (shares since 04:00) and `bars_seen` (bars since 04:00).
Metrics get read-only views; rows after `k` hold nothing that means anything.
"""

from typing import Any

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.bars import Bars, LateBars, Tape, VendorHalt
from scanner_kit.universe import Bools, Floats, Rows, Universe

Counts = np.ndarray[Any, np.dtype[np.int16]]
STORED = ("open", "high", "low", "close", "volume", "dollars", "last", "total_volume")


class Day:
    """The bars of a day of one universe, written minute by minute."""

    def __init__(self, universe: Universe) -> None:
        self.universe = universe
        shape = (universe.day.minutes, len(universe))
        self._arrays = {name: np.zeros(shape) for name in STORED}
        self._bars_seen = np.zeros(shape, dtype=np.int16)
        self._halted: dict[int, Bools] = {}
        self._expose()

    def _expose(self) -> None:
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
        day = cls(tape.universe)
        for k in range(len(tape) if minutes is None else minutes):
            bars = tape.bars(k)
            for event in bars.events:
                if isinstance(event, VendorHalt):
                    day.halt(k, event)
            if bars.late is not None:
                day.amend(bars.late, k - 1)
            day.write(bars)
        return day

    def write(self, bars: Bars) -> None:
        """Put the bars of a minute into their row, and bring the running columns up to date."""
        arrays, k = self._arrays, bars.k
        for name in ("open", "high", "low", "close", "volume"):
            arrays[name][k] = getattr(bars, name)
        arrays["dollars"][k] = dollars_of(bars)
        self._run_on(k)

    def _run_on(self, k: int) -> None:
        columns = (self._arrays["last"], self._arrays["total_volume"], self._bars_seen)
        close, volume = self._arrays["close"][k], self._arrays["volume"][k]
        if k == 0:
            columns[0][0], columns[1][0], columns[2][0] = close, volume, ~np.isnan(close)
        else:
            _run_on(close, volume, *(column[k - 1] for column in columns), *(column[k] for column in columns))

    def amend(self, late: LateBars, upto: int) -> Rows:
        """Put late bars into their minutes and bring the running columns of their symbols up to date through `upto`.

        The arrays that were read before keep what they said: rows are copied into new arrays only for these symbols'
        columns, which nobody was ever handed. Returns the rows of the symbols concerned.
        """
        late = late.usable(upto + 1, len(self.universe))
        rows: Rows = np.unique(late.row)
        for name in ("open", "high", "low", "close", "volume"):
            self._arrays[name][late.k, late.row] = getattr(late, name)
        self._arrays["dollars"][late.k, late.row] = dollars_of(late)
        self._rerun(rows, upto)
        return rows

    def _rerun(self, rows: Rows, upto: int) -> None:
        arrays = self._arrays
        close = arrays["close"][: upto + 1, rows]
        bars = ~np.isnan(close)
        arrays["total_volume"][: upto + 1, rows] = np.cumsum(arrays["volume"][: upto + 1, rows], axis=0)
        self._bars_seen[: upto + 1, rows] = np.cumsum(bars, axis=0)
        at = np.maximum.accumulate(np.where(bars, np.arange(upto + 1)[:, None], 0), axis=0)
        arrays["last"][: upto + 1, rows] = np.take_along_axis(close, at, axis=0)

    def halt(self, k: int, said: VendorHalt) -> None:
        """Note what a vendor says of a symbol, from minute `k` on."""
        standing = self.vendor_halted(k)
        halted = np.zeros(len(self.universe), dtype=np.bool_) if standing is None else standing.copy()
        halted[self.universe.row(said.symbol)] = said.halted
        self._halted[k] = halted

    def vendor_halted(self, k: int) -> Bools | None:
        """Whom a vendor says to be halted in minute `k`; None if no vendor ever said anything."""
        said = [at for at in self._halted if at <= k]
        return self._halted[max(said)] if said else None

    def take(self, rows: Rows, span: int) -> "Day":
        """The first `span` minutes of the day of some symbols alone; `rows` ascending."""
        day = Day(self.universe.take(rows))
        for name in STORED:
            day._arrays[name][:span] = self._arrays[name][:span, rows]
        day._bars_seen[:span] = self._bars_seen[:span, rows]
        day._halted = {k: halted[rows] for k, halted in self._halted.items()}
        return day


def dollars_of(bars: Bars | LateBars) -> Floats:
    """p·v of each bar: p is its own VWAP where finite and positive, else (H + L + C)/3; 0 without a bar."""
    return _dollars(bars.high, bars.low, bars.close, bars.volume, bars.vwap)


@compiled
def _dollars(high: Floats, low: Floats, close: Floats, volume: Floats, vwap: Floats) -> Floats:
    dollars = np.empty(close.size)
    for i in range(close.size):
        own = vwap[i] > 0.0 and vwap[i] < np.inf
        price = vwap[i] if own else (high[i] + low[i] + close[i]) / 3.0
        dollars[i] = 0.0 if np.isnan(close[i]) else price * volume[i]
    return dollars


@compiled
def _run_on(
    close: Floats,
    volume: Floats,
    last: Floats,
    total: Floats,
    seen: Floats,
    new_last: Floats,
    new_total: Floats,
    new_seen: Floats,
) -> None:
    for i in range(close.size):
        silent = np.isnan(close[i])
        new_last[i] = last[i] if silent else close[i]
        new_total[i] = total[i] + volume[i]
        new_seen[i] = seen[i] + (not silent)

"""Silence: symbols of which no bar comes although they usually trade now, and the vendor has newer bars.

1. Every closed minute is noted (`Silence.note`): who has had no bar for some minutes, and usually trades in them, is
   suspected.
2. The vendor is asked for the minutes of their newest bars, a few symbols at a time and in a thread of its own: a
   vendor that answers slowly holds up no bar.
3. Who has newer bars there than here is silent (`found`) until a bar comes. Who has none there either does not trade.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from scanner_kit.bars import Bars
from scanner_kit.universe import Universe

log = logging.getLogger("scanner_kit.live")

SILENT_MINUTES = 3
SHARES_A_MINUTE = 100.0
"""Below this usual volume a minute, a symbol that does not trade is nothing to ask for."""
ASKED, SHOWN = 20, 20
"""How many symbols the vendor is asked for at a time, and how many the heartbeat names."""


@runtime_checkable
class Asked(Protocol):
    """Minutes of a feed whose vendor can be asked what it has."""

    def newest(self, symbols: Sequence[str], k: int) -> Mapping[str, int]:
        """The minute of each symbol's newest bar, through minute `k`; a symbol without one is left out."""


class Silence:
    """Watches a day for silent symbols.

    Parameters
    ----------
    universe
        The symbols, with their usual volume: whose is unknown is not suspected.
    vendor
        What is asked.
    k
        The minute from whose end on bars are awaited.
    """

    def __init__(self, universe: Universe, vendor: Asked, k: int = -1) -> None:
        self.universe, self.vendor, self.k = universe, vendor, k
        self._last = np.full(len(universe), k)
        self._asked = np.full(len(universe), -1)
        self._newer: dict[int, int] = {}
        self._fault: str | None = None
        self._over, self._due = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="scanner_kit silence")

    def __enter__(self) -> "Silence":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._due.set()

    def note(self, bars: Bars) -> None:
        """Take note of a minute that was closed."""
        last = self._last
        if bars.late is not None and len(bars.late):
            np.maximum.at(last, bars.late.row, bars.late.k)
        last[np.isfinite(bars.close)] = bars.k
        self.k = bars.k
        self._due.set()

    def ask(self) -> None:
        """Ask the vendor for some of those that are suspected, first those that were not asked for longest."""
        k = self.k
        rows = self._suspects(k)
        if not len(rows):
            return
        rows = rows[np.argsort(self._asked[rows], kind="stable")][:ASKED]
        self._asked[rows] = k
        symbols = self.universe.symbols
        try:
            newest = self.vendor.newest([symbols[row] for row in rows], k)
        except Exception as fault:  # whatever a vendor raises: health says so, and bars go on
            if self._fault is None:
                log.warning("the vendor cannot be asked for its newest bars: %r", fault)
            self._fault = f"it cannot be asked for its newest bars: {fault!r}"
            return
        self._fault = None
        found = {int(row): newest[symbols[row]] for row in rows if symbols[row] in newest}
        self._newer = self._still({**self._newer, **found})

    def found(self) -> tuple[tuple[str, float, float], ...]:
        """Who is silent, for how many minutes, and the shares usual in them; the largest first."""
        k = self.k
        rows = np.array(sorted(self._still(self._newer)), dtype=np.intp)
        rows = rows[k - self._last[rows] >= SILENT_MINUTES]
        minutes, shares = k - self._last[rows], self._usual(rows, k)
        names = [self.universe.symbols[row] for row in rows]
        silent = zip(names, minutes.astype(float).tolist(), shares.tolist(), strict=True)
        return tuple(sorted(silent, key=lambda one: (-one[2], one[0]))[:SHOWN])

    def faults(self) -> list[dict[str, Any]]:
        """What stands in the way of asking."""
        return [] if self._fault is None else [{"resource": "vendor", "reason": self._fault}]

    def _suspects(self, k: int) -> np.ndarray:
        """Rows of symbols that are silent where they usually trade, and of which that is not yet known for sure."""
        rows = np.flatnonzero(k - self._last >= SILENT_MINUTES)
        enough = self._usual(rows, k) >= SHARES_A_MINUTE * (k - self._last[rows])
        known = np.isin(rows, list(self._still(self._newer)))
        return np.asarray(rows[enough & ~known])

    def _still(self, newer: Mapping[int, int]) -> dict[int, int]:
        """Those of which the vendor has a newer bar than has come."""
        return {row: at for row, at in newer.items() if at > self._last[row]}

    def _usual(self, rows: np.ndarray, k: int) -> np.ndarray:
        """Shares usual since each symbol's last bar; NaN where that is not known."""
        usual, last = self.universe.facts.usual_volume, self._last[rows]
        before = np.where(last >= 0, usual[np.maximum(last, 0), rows], 0.0)
        return np.asarray(usual[k, rows] - before)

    def _run(self) -> None:
        while not self._over.is_set():
            self._due.wait()
            self._due.clear()
            if not self._over.is_set():
                self.ask()

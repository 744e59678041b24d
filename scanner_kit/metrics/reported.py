"""Reported: what scanners that ask the outside have said of each symbol, read from their last result."""

from dataclasses import dataclass

import numpy as np

from scanner_kit.metrics.base import Metric, Moment
from scanner_kit.results import FIRES, FOUND, SCORE, Found
from scanner_kit.universe import Floats


@dataclass(frozen=True, repr=False)
class Reported(Metric):
    """What the last result of a scanner that asks the outside says. Unknown: the symbol is not in the last result.

    `what` is its `score` or a figure of the scanner's own; or whether it was `found`, or `fires`: 1 or 0, known of
    every symbol as soon as there is a result.
    """

    scanner: str = "scheduled"
    what: str = SCORE

    @property
    def name(self) -> str:
        return f"{self.scanner}_{self.what}"

    def measure(self, now: Moment) -> Floats:
        result = now.day.result(self.scanner, now.k)
        if result is None:
            return now.unknown()
        column = np.full(len(now.universe), 0.0 if self.what in (FOUND, FIRES) else np.nan)
        rows = now.universe.rows
        for one in result.found:  # only those that were found
            if one.symbol in rows:
                column[rows[one.symbol]] = self._of(one)
        return column

    def _of(self, one: Found) -> float:
        if self.what in (SCORE, FIRES):
            return float(getattr(one, self.what))
        return 1.0 if self.what == FOUND else one.figures.get(self.what, np.nan)

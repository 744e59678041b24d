"""Widening: what is known of the symbols of a universe, in one that has more of them.

>>> wide = Widening.of(["AMD", "NVDA"], ["AMD", "IPO", "NVDA"])
>>> wide.rows, wide.added, wide.spread(np.array([1.0, 2.0]), np.nan)
(array([0, 2]), array([1]), array([ 1., nan,  2.]))
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Widening:
    """Where each symbol stands among `size`, in ascending `rows`, and which rows are `added`."""

    size: int
    rows: Array
    added: Array

    @classmethod
    def of(cls, before: Sequence[str], after: Sequence[str]) -> "Widening":
        """The widening of some symbols to others that hold them all; both sorted."""
        places = {symbol: row for row, symbol in enumerate(after)}
        rows = np.array([places[symbol] for symbol in before], dtype=np.intp)
        return cls(len(after), rows, np.setdiff1d(np.arange(len(after)), rows))

    def spread(self, values: Array, added: Any) -> Array:
        """Values with symbols last, and what those have that are added: a new array."""
        wide = np.empty((*values.shape[:-1], self.size), values.dtype)
        self.put(values, added, wide)
        return wide

    def put(self, values: Array, added: Any, wide: Array) -> None:
        """Write values into an array of the wider universe; by runs of neighbours, which is quicker than by rows."""
        wide[..., self.added] = added
        ends = [0, *(np.flatnonzero(np.diff(self.rows) != 1) + 1).tolist(), len(self.rows)]
        for start, end in pairwise(ends):
            if end > start:
                at = int(self.rows[start])
                wide[..., at : at + end - start] = values[..., start:end]

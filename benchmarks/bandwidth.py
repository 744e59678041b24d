"""How quickly this machine moves memory, and how many bytes a step has to move at the least.

Bandwidth is that of one thread, as a step is one thread's work: STREAM's copy and triad over arrays far larger than
any cache. Bytes are counted from the arrays of a real day, so that a metric added tomorrow is counted too.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numba import njit

from benchmarks import clock
from scanner_kit.bars import FIELDS, Tape
from scanner_kit.day import Day
from scanner_kit.meter import in_order
from scanner_kit.metrics import Metric, Moment, State

ELEMENTS = 2**25
WORD = 8


def measured(elements: int = ELEMENTS, rounds: int = 5) -> dict[str, float]:
    """Bytes a second of copy (read and written) and triad (two read, one written), the best of some rounds.

    What the processor reads only to overwrite it is not counted, as STREAM does not.
    """
    a, b, c = np.zeros(elements), np.ones(elements), np.ones(elements)
    _triad(a, b, c, 3.0)
    copies = clock.each((lambda: np.copyto(a, b)) for _ in range(rounds))
    triads = clock.each((lambda: _triad(a, b, c, 3.0)) for _ in range(rounds))
    return {
        "copy": 2 * WORD * elements / float(copies[:, 0].min()),
        "triad": 3 * WORD * elements / float(triads[:, 0].min()),
    }


def bytes_a_symbol(tape: Tape, metrics: Iterable[Metric]) -> float:
    """The bytes that a step must move for each symbol, the mean over a day.

    Read: the bars, the columns that a metric needs of others, and states that change. Written: the day's row, values
    and changed states. A lower bound: earlier minutes, the facts and all that the judge reads are left out.
    """
    day, wanted, moved = Day.of(tape), in_order(metrics), 0
    states = {metric: metric.start(day) for metric in wanted}
    with np.errstate(all="ignore"):
        for k in range(len(tape)):
            moment = Moment(day, k)
            for metric in wanted:
                values, following = metric.step(states[metric], moment)
                moved += _moved(values, states[metric], following) + WORD * len(metric.needs()) * len(tape.universe)
                moment.values[metric], states[metric] = values, following
    return moved / (len(tape) * len(tape.universe)) + WORD * len(FIELDS) + _row_of(day)


def _moved(values: np.ndarray, before: State, after: State) -> int:
    """Bytes of the arrays that a metric's step made, each once, and of those that they replace."""
    kept = {id(array) for array in before}
    made = {id(array): array.nbytes for array in (values, *after) if id(array) not in kept}
    replaced = (old.nbytes for old, new in zip(before, after, strict=True) if old is not new)
    return sum(made.values()) + sum(replaced)


def _row_of(day: Day) -> int:
    """Bytes that a minute of one symbol takes in the day."""
    arrays = (array for array in vars(day).values() if isinstance(array, np.ndarray) and array.ndim == 2)
    return sum(array.itemsize for array in arrays)


@njit(cache=True)
def _triad(a: np.ndarray, b: np.ndarray, c: np.ndarray, s: float) -> None:
    for i in range(a.size):
        a[i] = b[i] + s * c[i]

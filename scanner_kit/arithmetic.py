"""The few elementwise operations in which a rule of the unknown lives, compiled once and equal to the last bit.

A quotient with a denominator ≤ 0 is unknown, and ±inf is never produced. No fastmath: what is written is what is done.
All take and give float64 `(symbols,)`; what they give is always a new array.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from scanner_kit.universe import Floats

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(kernel: Kernel) -> Kernel:
    """Compile a loop over symbols once, and keep it on disk; results are those of plain Python, bit for bit."""
    return cast("Kernel", njit(cache=True, nogil=True, error_model="numpy")(kernel))


@compiled
def quotient(a: Floats, b: Floats) -> Floats:
    """A ÷ b; unknown where b ≤ 0.

    >>> quotient(np.array([6.0, 1.0, np.nan]), np.array([3.0, 0.0, 1.0]))
    array([ 2., nan, nan])
    """
    result = np.empty(a.size)
    for i in range(a.size):
        q = a[i] / b[i]
        result[i] = q if b[i] > 0.0 and abs(q) < np.inf else np.nan
    return result


@compiled
def percent_change(a: Floats, b: Floats) -> Floats:
    """100·(a/b − 1), in percent; unknown where b ≤ 0.

    >>> percent_change(np.array([150.0]), np.array([100.0]))
    array([50.])
    """
    result = np.empty(a.size)
    for i in range(a.size):
        q = 100.0 * (a[i] / b[i] - 1.0)
        result[i] = q if b[i] > 0.0 and abs(q) < np.inf else np.nan
    return result


@compiled
def percent_between(high: Floats, low: Floats, whole: Floats) -> Floats:
    """100·(high − low)/whole, in percent; unknown where whole ≤ 0.

    >>> percent_between(np.array([3.0]), np.array([2.0]), np.array([4.0]))
    array([25.])
    """
    result = np.empty(whole.size)
    for i in range(whole.size):
        q = 100.0 * (high[i] - low[i]) / whole[i]
        result[i] = q if whole[i] > 0.0 and abs(q) < np.inf else np.nan
    return result


@compiled
def first_known(a: Floats, b: Floats) -> Floats:
    """a, and b where a is unknown.

    >>> first_known(np.array([np.nan, 1.0]), np.array([5.0, 5.0]))
    array([5., 1.])
    """
    result = np.empty(a.size)
    for i in range(a.size):
        result[i] = b[i] if np.isnan(a[i]) else a[i]
    return result


@compiled
def finite(values: Floats) -> Floats:
    """The values, unknown where they ran over.

    >>> finite(np.array([1.0, np.inf]))
    array([ 1., nan])
    """
    result = np.empty(values.size)
    for i in range(values.size):
        result[i] = values[i] if abs(values[i]) < np.inf else np.nan
    return result


@compiled
def window_sum(rows: Floats) -> Floats:
    """The sum of each column of `(minutes, symbols)`, oldest minute first; unknown where it ran over.

    >>> window_sum(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    minutes, total = rows.shape[0], np.zeros(rows.shape[1])
    fours = minutes - minutes % 4
    for j in range(0, fours, 4):  # four at a time, in the same order: the sums go to memory and back less often
        for i in range(rows.shape[1]):
            total[i] = (((total[i] + rows[j, i]) + rows[j + 1, i]) + rows[j + 2, i]) + rows[j + 3, i]
    for j in range(fours, minutes):
        for i in range(rows.shape[1]):
            total[i] += rows[j, i]
    for i in range(rows.shape[1]):
        total[i] = total[i] if abs(total[i]) < np.inf else np.nan
    return total

"""Wall time and the process's own time side by side: where a machine is shared, wall time says less."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
"""Seconds, (…, 2): wall, and processor over all threads."""


def now() -> tuple[float, float]:
    """Wall and processor seconds."""
    return time.perf_counter(), time.process_time()


def timed(work: Callable[[], Any]) -> tuple[Times, Any]:
    """The seconds that some work took, and what it gave."""
    began = now()
    given = work()
    return np.subtract(now(), began), given


def each(works: Iterable[Callable[[], Any]]) -> Times:
    """The seconds of each of some works, one after the other; what they give is dropped."""
    return np.array([timed(work)[0] for work in works])

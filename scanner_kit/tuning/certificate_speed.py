"""How long a step takes, as a ratio to a built-in scanner on the same tape in the same run: never in seconds."""

import time
from dataclasses import dataclass

import numpy as np

from scanner_kit.bars import Bars
from scanner_kit.engine import Engine
from scanner_kit.scanners import HodBreak
from scanner_kit.testing import sample_tape
from scanner_kit.testing._records import Subject

REFERENCE, LIMIT = "hod_break", 5.0
SYMBOLS, PATIENCE = 1000, 20.0
"""Symbols of the tape, and seconds of the processor after which the timing ends early."""


@dataclass(frozen=True)
class Speed:
    """A step's median time ÷ that of the reference, and how many steps were timed."""

    ratio: float
    steps: int

    def __str__(self) -> str:
        return f"a step costs {self.ratio:.2g} × one of {REFERENCE}, over {self.steps} steps of {SYMBOLS} symbols"


def speed(subject: Subject) -> Speed:
    """Time the steps from 09:30 on in turns: one of the subject, one of the reference."""
    tape = sample_tape(symbols=SYMBOLS)
    own = Engine(tape.universe, subject.scanners, subject.metrics)
    reference, times = Engine(tape.universe, [HodBreak(name="the reference")]), []
    begin = time.thread_time()
    for bars in tape:
        times.append((_timed(own, bars), _timed(reference, bars)))
        if time.thread_time() - begin > PATIENCE:
            break
    timed = np.array(times[tape.universe.day.open_k :] or times[-1:])
    return Speed(float(np.median(timed[:, 0]) / np.median(timed[:, 1])), len(timed))


def _timed(engine: Engine, bars: Bars) -> float:
    begin = time.thread_time()
    engine.step(bars)
    return time.thread_time() - begin

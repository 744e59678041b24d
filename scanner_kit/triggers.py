"""Triggers: what a scanner says, when it may say it, how much it matters and what is at risk.

`due` is who passes everything and whose trigger condition is true. A trigger fires when it is due and (1) has not fired
today, or (2) its condition was not true before and the cooldown is over, or (3), breaks only, its level has moved on by
the re-arm percentage since it last fired.
"""

import datetime as dt
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.calendar import Session
from scanner_kit.conditions import NOBODY
from scanner_kit.universe import Bools, Floats, Rows


@dataclass(frozen=True)
class Trigger:
    """One thing said by one scanner about one symbol at one step; `time` is the step's end, UTC. NaN is unknown.

    `note` is what a scheduled scanner said of it, for people: it is no part of what the trigger is.
    """

    day: dt.date
    k: int
    time: dt.datetime
    session: Session
    symbol: str
    scanner: str
    kind: str
    side: int
    price: float
    level: float
    score: float
    severity: float
    rank: int
    stop: float
    distance: float
    shares: float
    settings: str
    metrics: Mapping[str, float] = field(hash=False)
    intrabar: bool = False
    note: str = field(default="", compare=False)

    @property
    def identity(self) -> str:
        """What it is, wherever and however often it is computed or written: 16 hexadecimal digits."""
        return identity_of(self.day, self.time, self.symbol, self.scanner, self.kind, self.settings)

    @property
    def worth_showing(self) -> bool:
        """Whether it reaches a person by default: a severity of 98 or more, or unknown, or a halt."""
        return math.isnan(self.severity) or self.severity >= 98.0 or self.kind in ("halted", "resumed")


def identity_of(day: dt.date, time: dt.datetime, symbol: str, scanner: str, kind: str, settings: str) -> str:
    """The identity of a trigger of which this is known."""
    parts = (day, scanner, settings, symbol, kind, time.isoformat())
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Memory:
    """What is remembered of one scanner's kind for each symbol.

    When it last fired today (−inf: not yet), at what level, and whether the trigger condition was last true.
    """

    k_last: Floats
    level: Floats
    held: Bools

    @classmethod
    def blank(cls, symbols: int) -> "Memory":
        """The memory at the start of a day."""
        return cls(np.full(symbols, -np.inf), np.full(symbols, np.nan), np.zeros(symbols, dtype=np.bool_))


@dataclass(frozen=True, eq=False)
class Said:
    """What a scanner's kind says at one step.

    The rows that are due, with the level and the rules for saying it again (a number for each of them, or one for
    all); where the trigger condition is true, and where it is false.
    """

    due: Rows
    true: Bools
    false: Bools
    level: Any = math.nan
    rearm: Any = 0
    cooldown: Any = 0
    rearm_pct: Any = 0


def fire(memory: Memory, k: int, said: Said, *, forming: bool = False) -> tuple[Rows, Memory]:
    """The rows that fire at step `k`, and the memory after it. A forming step lowers no memory."""
    held = (memory.held if forming else memory.held > said.false) | said.true  # of masks: held, and not false
    if not said.due.size:
        return NOBODY, Memory(memory.k_last, memory.level, held)
    rules = np.empty((4, said.due.size))
    rules[0], rules[1], rules[2], rules[3] = said.level, said.rearm, said.cooldown, said.rearm_pct
    speaks = _speaks(float(k), said.due, rules, memory.k_last, memory.level, memory.held)
    rows = said.due[speaks]
    if not rows.size:
        return NOBODY, Memory(memory.k_last, memory.level, held)
    k_last, level = memory.k_last.copy(), memory.level.copy()
    k_last[rows], level[rows] = k, rules[0, speaks]
    return rows, Memory(k_last, level, held)


@compiled
def _speaks(k: float, due: Rows, rules: Floats, k_last: Floats, level_last: Floats, held: Bools) -> Bools:
    """Which of the rows that are due fire: `rules` are level, re-arm, cooldown and re-arm percentage of each."""
    speaks = np.empty(due.size, dtype=np.bool_)
    for i in range(due.size):
        row, level, rearm, cooldown, percent = due[i], rules[0, i], rules[1, i], rules[2, i], rules[3, i]
        first, rising = k_last[row] == -np.inf, not held[row] and k - k_last[row] >= cooldown
        up = rearm > 0 and level >= level_last[row] * (1 + percent / 100)
        down = rearm < 0 and level <= level_last[row] * (1 - percent / 100)
        speaks[i] = first or rising or (percent > 0 and (up or down))
    return speaks


def stops(
    side: Floats, price: Floats, level: Floats, low: Floats, high: Floats, atr: Floats, stop_atr: Any, risk: Any
) -> tuple[Floats, Floats, Floats]:
    """Stop, distance and shares.

    All unknown without a bar, level or ATR, or with a stop at the price or on its wrong side.
    """
    room = stop_atr * atr
    stop = np.where(side > 0, np.minimum(level, low) - room, np.maximum(level, high) + room)
    right = np.where(side > 0, stop < price, stop > price)
    stop = np.where(right, stop, np.nan)
    distance = np.abs(price - stop)
    return stop, distance, np.floor(risk / distance)

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

from scanner_kit.calendar import Session
from scanner_kit.universe import Bools, Floats, Rows


@dataclass(frozen=True)
class Trigger:
    """One thing said by one scanner about one symbol at one step; `time` is the step's end, UTC. NaN is unknown."""

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

    @property
    def identity(self) -> str:
        """What it is, wherever and however often it is computed or written: 16 hexadecimal digits."""
        parts = (self.day, self.scanner, self.settings, self.symbol, self.kind, self.time.isoformat())
        return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:16]

    @property
    def worth_showing(self) -> bool:
        """Whether it reaches a person by default: a severity of 98 or more, or unknown, or a halt."""
        return math.isnan(self.severity) or self.severity >= 98.0 or self.kind in ("halted", "resumed")


@dataclass(frozen=True, eq=False)
class Memory:
    """What is remembered of one scanner's kind for each symbol.

    Fired today, when, at what level, and whether the trigger condition was last true.
    """

    fired: Bools
    k_last: Floats
    level: Floats
    held: Bools

    @classmethod
    def blank(cls, symbols: int) -> "Memory":
        """The memory at the start of a day."""
        no = np.zeros(symbols, dtype=np.bool_)
        return cls(no, np.full(symbols, -np.inf), np.full(symbols, np.nan), no)


@dataclass(frozen=True, eq=False)
class Said:
    """What a scanner's kind says at one step, per symbol.

    Who is due, the trigger condition, its level, and the rules for saying it again.
    """

    due: Bools
    true: Bools
    false: Bools
    level: Any
    rearm: Any
    cooldown: Any
    rearm_pct: Any


def fire(memory: Memory, k: int, said: Said, *, forming: bool = False) -> tuple[Rows, Memory]:
    """The rows that fire at step `k`, and the memory after it. A forming step lowers no memory."""
    rows = said.due.nonzero()[0]
    if rows.size:
        rows = rows[_may_speak(memory, k, said, rows)]
    held = memory.held | said.true
    if not forming:
        held &= ~said.false
    if not rows.size:
        return rows, Memory(memory.fired, memory.k_last, memory.level, held)
    fired, k_last, level = memory.fired.copy(), memory.k_last.copy(), memory.level.copy()
    fired[rows], k_last[rows], level[rows] = True, k, of_rows(said.level, rows)
    return rows, Memory(fired, k_last, level, held)


def _may_speak(memory: Memory, k: int, said: Said, rows: Rows) -> Bools:
    first = ~memory.fired[rows]
    rising = ~memory.held[rows] & (k - memory.k_last[rows] >= of_rows(said.cooldown, rows))
    return np.asarray(first | rising | _rearmed(memory, said, rows))


def _rearmed(memory: Memory, said: Said, rows: Rows) -> Bools:
    side, percent = of_rows(said.rearm, rows), of_rows(said.rearm_pct, rows)
    level, before = of_rows(said.level, rows), memory.level[rows]
    up = (side > 0) & (level >= before * (1 + percent / 100))
    down = (side < 0) & (level <= before * (1 - percent / 100))
    return np.asarray((percent > 0) & (up | down))


def stops(
    side: Floats, price: Floats, level: Floats, low: Floats, high: Floats, atr: Floats, stop_atr: float, risk: float
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


def of_rows(value: Any, rows: Rows) -> Any:
    """The values of some rows, of an array over symbols or of one value for all alike."""
    array = np.asarray(value)
    return array[rows] if array.ndim else np.full(rows.size, array)

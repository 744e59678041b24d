"""Triggers: what a scanner says, when it may say it, how much it matters and what is at risk.

`due` is who passes everything and whose trigger condition is true. A trigger fires when it is due and (1) has not fired
today, or (2) its condition was not true before and the cooldown is over, or (3), breaks only, its level has moved on by
the re-arm percentage since it last fired.
"""

import datetime as dt
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scanner_kit.calendar import Session
from scanner_kit.conditions import NOBODY
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
    all); where the trigger condition is true, and a function that tells for which of some rows it is false.
    """

    due: Rows
    true: Bools
    fails: Callable[[Rows], Bools]
    level: Any
    rearm: Any
    cooldown: Any
    rearm_pct: Any


def fire(memory: Memory, k: int, said: Said, *, forming: bool = False) -> tuple[Rows, Memory]:
    """The rows that fire at step `k`, and the memory after it. A forming step lowers no memory."""
    speaks = _may_speak(memory, k, said) if said.due.size else None
    held = memory.held | said.true
    if not forming:
        before = memory.held.nonzero()[0]
        held[before[said.fails(before)]] = False
    if speaks is None or not speaks.any():
        return NOBODY, Memory(memory.k_last, memory.level, held)
    rows, k_last, level = said.due[speaks], memory.k_last.copy(), memory.level.copy()
    k_last[rows], level[rows] = k, said.level[speaks] if np.ndim(said.level) else said.level
    return rows, Memory(k_last, level, held)


def _may_speak(memory: Memory, k: int, said: Said) -> Bools:
    k_last = memory.k_last[said.due]
    rising = ~memory.held[said.due] & (k - k_last >= said.cooldown)
    may = (k_last == -np.inf) | rising
    return np.asarray(may if _is_zero(said.rearm) or _is_zero(said.rearm_pct) else may | _rearmed(memory, said))


def _rearmed(memory: Memory, said: Said) -> Bools:
    before = memory.level[said.due]
    up = (said.rearm > 0) & (said.level >= before * (1 + said.rearm_pct / 100))
    down = (said.rearm < 0) & (said.level <= before * (1 - said.rearm_pct / 100))
    return np.asarray((said.rearm_pct > 0) & (up | down))


def _is_zero(value: Any) -> bool:
    return isinstance(value, int | float) and value == 0


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

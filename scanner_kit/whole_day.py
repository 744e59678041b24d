"""A whole day at once: where scanners fire over minutes × symbols; what the steps give one after the other.

The verdict is the scanner's own, on a snapshot of the whole day. Edge, cooldown and re-arm run over the minutes in one
compiled loop, under the rules that `scanner_kit.triggers` has for a step.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.columns import Column, values_of
from scanner_kit.composition import AnyScanner
from scanner_kit.conditions import full
from scanner_kit.errors import InvalidInput, short
from scanner_kit.judge import Judge, in_tape_order
from scanner_kit.scanner import Figure, Kind
from scanner_kit.snapshot import Snapshot
from scanner_kit.telling import Spoken, told
from scanner_kit.triggers import Trigger
from scanner_kit.universe import Bools, Floats, Rows


def judge_day(day: Snapshot, scanners: Sequence[AnyScanner]) -> tuple[Trigger, ...]:
    """Every trigger of a whole day, from its snapshot `(minutes, symbols)`.

    Those that the steps give one after the other.
    """
    given: Any = day
    if not isinstance(given, Snapshot) or not given.whole_day:
        raise InvalidInput(
            f"A day is judged from its snapshot; found {short(day)}. Give measure_day(tape, metrics), with those "
            f"of the scanners."
        )
    judge, spoken = Judge(scanners), defaultdict[int, list[Spoken]](list)
    with np.errstate(all="ignore"):
        for scanner in judge.scanners:
            verdict, speaker = scanner.verdict(day), judge.speakers[scanner.name]
            selected, scores = np.ascontiguousarray(full(verdict.selected.true, day.shape)), verdict.score
            for name, kind in verdict.kinds.items():
                ks, rows = firings(kind, selected)
                for k in np.unique(ks).tolist():
                    these = rows[ks == k]
                    side, level = (at_cells(figure, k, these) for figure in (kind.side, kind.level))
                    score = Column(scores.values[k], scores.label)
                    spoken[k].append(Spoken(speaker, name, these, side, level, selected[k].nonzero()[0], score))
        return in_tape_order(t for k, these in spoken.items() for t in told(day.at(k), these))


def firings(kind: Kind, selected: Bools) -> tuple[Rows, Rows]:
    """Where a kind fires over a day, as minutes and rows in that order; `selected` is `(minutes, symbols)`."""
    true, false = (np.ascontiguousarray(full(m, selected.shape)) for m in (kind.condition.true, kind.condition.false))
    rules = (_rule(figure) for figure in (kind.level, kind.rearm, kind.cooldown, kind.rearm_pct))
    return _firings(selected, true, false, *rules)


def at_cells(figure: Figure, k: Any, rows: Rows) -> Floats:
    """The numbers of some cells of a day."""
    values = values_of(figure)
    return np.full(rows.size, values, dtype=np.float64) if np.ndim(values) == 0 else values[k, rows].astype(np.float64)


def _rule(figure: Figure) -> Floats:
    """Numbers for each minute and symbol, or one for all, as an array of two dimensions."""
    return np.atleast_2d(np.ascontiguousarray(values_of(figure), dtype=np.float64))


@compiled
def _firings(
    selected: Bools, true: Bools, false: Bools, level: Floats, rearm: Floats, cooldown: Floats, rearm_pct: Floats
) -> tuple[Rows, Rows]:
    """The rules of `triggers.fire`, minute by minute."""
    minutes, symbols = selected.shape
    k_last, level_last = np.full(symbols, -np.inf), np.full(symbols, np.nan)
    held = np.zeros(symbols, dtype=np.bool_)
    ks, rows, n = np.empty(256, dtype=np.int64), np.empty(256, dtype=np.int64), 0
    for k in range(minutes):
        for i in range(symbols):
            if true[k, i]:
                if selected[k, i]:
                    at = _at(level, k, i)
                    fires = k_last[i] == -np.inf or (not held[i] and k - k_last[i] >= _at(cooldown, k, i))
                    if not fires:
                        side, percent = _at(rearm, k, i), _at(rearm_pct, k, i)
                        up = side > 0 and at >= level_last[i] * (1 + percent / 100)
                        down = side < 0 and at <= level_last[i] * (1 - percent / 100)
                        fires = percent > 0 and (up or down)
                    if fires:
                        if n == ks.size:
                            ks, rows = np.concatenate((ks, ks)), np.concatenate((rows, rows))
                        ks[n], rows[n] = k, i
                        n += 1
                        k_last[i], level_last[i] = k, at
                held[i] = True
            elif false[k, i]:
                held[i] = False
    return ks[:n].copy(), rows[:n].copy()


@compiled
def _at(rule: Any, k: int, i: int) -> Any:
    return rule[min(k, rule.shape[0] - 1), min(i, rule.shape[1] - 1)]

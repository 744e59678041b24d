"""Remembering: what a judge has in mind of symbols at a minute, found again from their day.

The thresholds may have changed on the way: `rosters` are the judges by the minute from which each was in force.
"""

from collections.abc import Container, Iterator, Mapping

import numpy as np

from scanner_kit.composition import AnyScanner
from scanner_kit.conditions import full
from scanner_kit.judge import Judge, Remembered
from scanner_kit.scanners.hot import Heat, Hot
from scanner_kit.snapshot import Snapshot
from scanner_kit.triggers import Memory
from scanner_kit.universe import Bools, Floats
from scanner_kit.widening import Widening

Rosters = Mapping[int, Judge]


def had_held(day: Snapshot, rosters: Rosters, name: str, kind: str, k: int) -> Bools:
    """Of whom a scanner's trigger condition was last true before minute `k`."""
    held = np.zeros(len(day), dtype=np.bool_)
    for start, end, scanner, _ in _in_force(rosters, name, k):
        true, false = _masks(scanner, kind, day, start, end)
        known = true | false
        last = end - start - 1 - np.argmax(known[::-1], axis=0)
        held = np.where(known.any(axis=0), true[last, np.arange(len(day))], held)
    return held


def _masks(scanner: AnyScanner, kind: str, day: Snapshot, start: int, end: int) -> tuple[Bools, Bools]:
    """Where a trigger condition holds and where it fails in some minutes; of a scanner that only knows one, by one."""
    try:
        condition = scanner.verdict(day).kinds[kind].condition
        true, false = (full(mask, day.shape)[start:end] for mask in (condition.true, condition.false))
    except Exception:  # it looks at the minute or the session; what is wrong with it shows when it is asked again
        each = [scanner.verdict(day.at(k)).kinds[kind].condition for k in range(start, end)]
        true, false = (np.stack([full(getattr(one, mask), (len(day),)) for one in each]) for mask in ("true", "false"))
    return true, false


def own_scores(day: Snapshot, rosters: Rosters, name: str, k: int) -> Floats:
    """The scores by which a list orders at minute `k`; of the hot list the smoothed ones."""
    smoothed = np.full(len(day), np.nan)
    for start, end, scanner, hot in _in_force(rosters, name, k + 1):
        scores = np.broadcast_to(scanner.verdict(day).score.values, day.shape)[start:end]
        if hot is None:
            smoothed = scores[-1]
            continue
        for score in scores:
            smoothed = hot.smoothed(smoothed, score)
    return smoothed


def widened(remembered: Remembered, wide: Widening, day: Snapshot, rosters: Rosters) -> Remembered:
    """What is remembered, with that of symbols that are added, as if they had been there all their silent `day`."""
    minutes = day.shape[0]

    def memory(before: Memory, name: str, kind: str) -> Memory:
        held = wide.spread(before.held, had_held(day, rosters, name, kind, minutes))
        return Memory(wide.spread(before.k_last, -np.inf), wide.spread(before.level, np.nan), held)

    def heat(before: Heat, name: str) -> Heat:
        counts = {int(wide.rows[row]): count for row, count in before.counts.items()}
        s = wide.spread(before.s, own_scores(day, rosters, name, minutes - 1))
        return Heat(s, wide.rows[before.members], counts)

    return Remembered(
        {(name, kind): memory(its, name, kind) for (name, kind), its in remembered.memories.items()},
        {name: heat(its, name) for name, its in remembered.heats.items()},
    )


def without(remembered: Remembered, names: Container[str]) -> Remembered:
    """What is remembered of other scanners."""
    memories = {key: its for key, its in remembered.memories.items() if key[0] not in names}
    return Remembered(memories, {name: its for name, its in remembered.heats.items() if name not in names})


def _in_force(rosters: Rosters, name: str, until: int) -> Iterator[tuple[int, int, AnyScanner, Hot | None]]:
    """A scanner as it was in force from minute to minute, and whose memory its list has."""
    starts = [start for start in sorted(rosters) if start < until]
    for start, end in zip(starts, [*starts[1:], until], strict=True):
        judge = rosters[start]
        yield start, end, next(s for s in judge.scanners if s.name == name), judge.hots.get(name)

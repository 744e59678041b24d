"""Why, and why not: what every scanner of the roster makes of one symbol at one step, and what kept it quiet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scanner_kit.calendar import Session
from scanner_kit.composition import AnyScanner
from scanner_kit.conditions import Condition, Reason
from scanner_kit.judge import Judge, at_minute, said_over_day
from scanner_kit.metrics import Halt
from scanner_kit.scanner import Kind, Verdict
from scanner_kit.snapshot import Snapshot
from scanner_kit.triggers import Memory, Trigger, fire


@dataclass(frozen=True)
class Why:
    """The answer for one scanner, and one kind of thing that it says (`kind` is empty for a list).

    `selected` and `speaks` are True, False or None (unknown); `fired` says whether it fired in this very step;
    `held_back` says what kept it quiet although all holds: cooldown, an edge that did not fall, a level that
    did not move on.
    """

    scanner: str
    kind: str
    symbol: str
    k: int
    session: Session
    halted: bool
    selected: bool | None
    speaks: bool | None
    fired: bool
    reasons: tuple[Reason, ...]
    held_back: str = ""
    last_fired_k: int | None = None

    @property
    def blocking(self) -> tuple[Reason, ...]:
        """The conditions that fail or are unknown."""
        return tuple(reason for reason in self.reasons if reason.holds is not True)

    def __str__(self) -> str:
        if self.fired:
            return f"{self.scanner}: fired"
        if self.blocking:
            return f"{self.scanner}: no, because " + "; ".join(map(str, self.blocking))
        return f"{self.scanner}: {self.held_back or 'yes'}"


def explain(day: Snapshot, rosters: Mapping[int, Judge], triggers: Sequence[Trigger], k: int) -> tuple[Why, ...]:
    """The answers for the one symbol of a day's snapshot at minute `k`.

    `rosters` are the judges by the minute from which each was in force.
    """
    now, symbol = day.at(k), day.universe.symbols[0]
    mine = [trigger for trigger in triggers if trigger.symbol == symbol and trigger.k <= k]
    judge = rosters[max(start for start in rosters if start <= k)]
    return tuple(why for scanner in judge.scanners for why in _of_scanner(scanner, day, now, rosters, mine, k))


def _of_scanner(
    scanner: AnyScanner, day: Snapshot, now: Snapshot, rosters: Mapping[int, Judge], mine: Sequence[Trigger], k: int
) -> Iterator[Why]:
    verdict = scanner.verdict(now)
    if not verdict.kinds:
        yield _answer(scanner, "", now, verdict.selected, None)
    for name, kind in verdict.kinds.items():
        fired = [trigger for trigger in mine if (trigger.scanner, trigger.kind) == (scanner.name, name)]
        before = [trigger.k for trigger in fired if trigger.k < k]
        in_this_step = any(trigger.k == k for trigger in fired)
        held = (
            ""
            if in_this_step
            else _held_back(_memory(day, rosters, scanner.name, name, k), kind, now, max(before, default=None))
        )
        yield _answer(
            scanner, name, now, verdict.selected, kind.condition, in_this_step, held, max(before, default=None)
        )


def _answer(
    scanner: AnyScanner,
    kind: str,
    now: Snapshot,
    selected: Condition,
    speaks: Condition | None,
    fired: bool = False,
    held: str = "",
    last: int | None = None,
) -> Why:
    conditions = [selected] if speaks is None else [selected, speaks]
    reasons = tuple(part.explain(0) for condition in conditions for part in condition.parts())
    whole = holds(selected), None if speaks is None else holds(speaks)
    all_hold = all(reason.holds for reason in reasons)
    halted = Halt() in now.values and bool(now[Halt()].values[0] == 1.0)
    return Why(
        scanner.name,
        kind,
        now.universe.symbols[0],
        int(now.k),
        now.session,
        halted,
        *whole,
        fired,
        reasons,
        held if all_hold else "",
        last,
    )


def holds(condition: Condition) -> bool | None:
    """What a condition says of the only symbol."""
    if bool(np.all(condition.true)):
        return True
    return False if bool(np.all(condition.false)) else None


def _memory(day: Snapshot, rosters: Mapping[int, Judge], name: str, kind: str, k: int) -> Memory:
    """What was remembered of the symbol before minute `k`, under whatever thresholds were in force minute by minute."""
    memory, starts = Memory.blank(1), sorted(rosters)
    for start, end in zip(starts, [*starts[1:], k], strict=True):
        scanner = next((s for s in rosters[start].scanners if s.name == name), None)
        if scanner is None or start >= k:
            continue
        verdict: Verdict = scanner.verdict(day)
        said = said_over_day(verdict, verdict.kinds[kind], day)
        for j in range(start, min(end, k)):
            _, memory = fire(memory, j, said(j))
    return memory


def _held_back(memory: Memory, kind: Kind, now: Snapshot, last: int | None) -> str:
    since = "" if last is None else f" since it fired at {now.universe.day.time(last):%H:%M} UTC"
    if memory.held[0]:
        moved = float(np.asarray(at_minute(kind.rearm_pct, 0)).flat[0])
        remedy = (
            f"; a break speaks again when its level has moved on by {moved:g} %"
            if np.any(np.asarray(kind.rearm) != 0) and moved
            else ""
        )
        return f"the trigger's condition has held{since}, so it is no fresh rise{remedy}"
    wait = float(np.asarray(kind.cooldown).flat[0]) - (int(now.k) - memory.k_last[0])
    return f"in cooldown for {wait:g} minutes more{since}" if wait > 0 else ""

"""Why, and why not: what every scanner of the roster makes of one symbol at one step, and what kept it quiet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from scanner_kit.calendar import NEW_YORK, Session
from scanner_kit.circumstances import Depending, Within
from scanner_kit.columns import values_of
from scanner_kit.composition import AnyScanner
from scanner_kit.conditions import AllOf, AnyOf, Condition, Not, Spoken
from scanner_kit.judge import Judge
from scanner_kit.metrics import Halt
from scanner_kit.ranking import Ranking
from scanner_kit.reason import Reason
from scanner_kit.remembering import had_held, own_scores
from scanner_kit.scanner import Figure, Kind
from scanner_kit.snapshot import Snapshot
from scanner_kit.triggers import Memory, Said, Trigger, fire


@dataclass(frozen=True)
class Why:
    """The answer for one scanner, and one kind of thing that it says (`kind` is empty for a list).

    `selected` and `speaks` are True, False or None (unknown); `fired` says whether it fired in this very step;
    `held_back` says what kept it quiet although all holds: cooldown, an edge that did not fall, a level that
    did not move on; `even_then` says which of these would keep it quiet if all that blocks it were lifted.
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
    even_then: str = ""

    @property
    def blocking(self) -> tuple[Reason, ...]:
        """The conditions that fail or are unknown."""
        return tuple(reason for reason in self.reasons if reason.holds is not True)

    def __str__(self) -> str:
        if self.fired:
            return f"{self.scanner}: fired"
        if self.blocking:
            even_then = f"; and even then it would be held back: {self.even_then}" if self.even_then else ""
            return f"{self.scanner}: no, because " + "; ".join(map(str, self.blocking)) + even_then
        return f"{self.scanner}: {self.held_back or 'yes'}"


def explain(
    day: Snapshot, rosters: Mapping[int, Judge], triggers: Sequence[Trigger], lists: Mapping[str, Ranking], k: int
) -> tuple[Why, ...]:
    """The answers for the one symbol of a day's snapshot at minute `k`.

    `rosters` are the judges by the minute from which each was in force.
    """
    now, symbol = day.at(k), day.universe.symbols[0]
    mine = [trigger for trigger in triggers if trigger.symbol == symbol and trigger.k <= k]
    judge = rosters[max(start for start in rosters if start <= k)]
    answers = (why for scanner in judge.scanners for why in _of_scanner(scanner, day, now, rosters, mine, k))
    return tuple(_listed(why, lists, day, rosters) for why in answers)


def reasons_of(scanner: AnyScanner, now: Snapshot, kind: str = "") -> tuple[Reason, ...]:
    """What decides whether a scanner selects and speaks of the only symbol of a snapshot.

    Of a kind of thing that it says, by default the first; of a list, what selects.
    """
    verdict = scanner.verdict(now)
    spoken = verdict.kinds.get(kind) or next(iter(verdict.kinds.values()), None)
    return _reasons(verdict.selected, None if spoken is None else spoken.condition)


def _reasons(selected: Condition, speaks: Condition | None) -> tuple[Reason, ...]:
    conditions = [selected] if speaks is None else [selected, speaks]
    return tuple(part.explain(0) for condition in conditions for part in _telling(condition))


def _listed(why: Why, lists: Mapping[str, Ranking], day: Snapshot, rosters: Mapping[int, Judge]) -> Why:
    """The answer, for a list with what kept the symbol off it although all holds."""
    ranking = None if why.kind else lists.get(why.scanner)
    if ranking is None or not why.selected or why.symbol in ranking.symbols:
        return why
    own = float(own_scores(day, rosters, why.scanner, why.k)[0])
    if np.isnan(own):
        return replace(why, held_back="passes, but its score is not known")
    weakest = f", of which the last has {ranking.scores[-1]:,.4g}" if ranking.scores else ""
    told = f"passes with a score of {own:,.4g}, but is not among the {len(ranking)} shown{weakest}"
    return replace(why, held_back=told)


def _of_scanner(
    scanner: AnyScanner, day: Snapshot, now: Snapshot, rosters: Mapping[int, Judge], mine: Sequence[Trigger], k: int
) -> Iterator[Why]:
    verdict = scanner.verdict(now)
    if scanner.listed or not verdict.kinds:
        yield _answer(scanner, "", now, verdict.selected)
    for name, kind in verdict.kinds.items():
        said = {trigger.k: trigger.level for trigger in mine if (trigger.scanner, trigger.kind) == (scanner.name, name)}
        before = max((at for at in said if at < k), default=None)
        answer = _answer(scanner, name, now, verdict.selected, kind.condition, k in said, before)
        if before is not None and not answer.fired:
            held = bool(had_held(day, rosters, scanner.name, name, k)[0])
            if answer.selected and answer.speaks:
                answer = replace(answer, held_back=_held_back(held, kind, now, before))
            elif not _would_speak(held, kind, k, before, said[before]):
                answer = replace(answer, even_then=_held_back(held, kind, now, before, held="held up to now"))
        yield answer


def _answer(
    scanner: AnyScanner,
    kind: str,
    now: Snapshot,
    selected: Condition,
    speaks: Condition | None = None,
    fired: bool = False,
    last: int | None = None,
) -> Why:
    reasons = _reasons(selected, speaks)
    whole = holds(selected), None if speaks is None else holds(speaks)
    halted = Halt() in now.values and bool(now[Halt()].values[0] == 1.0)
    symbol = now.universe.symbols[0]
    return Why(scanner.name, kind, symbol, int(now.k), now.session, halted, *whole, fired, reasons, last_fired_k=last)


def _telling(condition: Condition) -> Iterator[Condition]:
    """The parts that decide a condition: where one is enough, the first that holds, or all that prevent it."""
    if isinstance(condition, AllOf):
        yield from chain.from_iterable(map(_telling, condition.conditions))
    elif isinstance(condition, AnyOf):
        whole = holds(condition)
        alike = [part for part in condition.conditions if holds(part) is whole]
        yield from chain.from_iterable(map(_telling, alike[:1] if whole else alike))
    elif isinstance(condition, Not):
        yield from _telling_not(condition.condition)
    elif isinstance(condition, Within):
        for part in _telling(condition.condition):
            yield Within(part, condition.where, condition.outside)
    elif isinstance(condition, Spoken):
        yield from _telling(condition.condition)
    elif isinstance(condition, Depending) and condition.present is not None:
        yield from _telling(condition.present)
    else:
        yield condition


def _telling_not(condition: Condition) -> Iterator[Condition]:
    """The parts that decide the opposite of a condition: of all of some, the first that fails is enough."""
    if isinstance(condition, AllOf):
        yield from _telling(AnyOf([Not(part) for part in condition.conditions]))
    elif isinstance(condition, AnyOf):
        yield from _telling(AllOf(Not(part) for part in condition.conditions))
    elif isinstance(condition, Not):
        yield from _telling(condition.condition)
    else:
        yield Not(condition)


def holds(condition: Condition) -> bool | None:
    """What a condition says of the only symbol."""
    if bool(np.all(condition.true)):
        return True
    return False if bool(np.all(condition.false)) else None


def _would_speak(had_held: bool, kind: Kind, k: int, last: int, level: float) -> bool:
    """Whether it would fire at minute `k` if all its conditions held, by what is remembered of its last firing."""
    memory = Memory(np.array([float(last)]), np.array([level]), np.array([had_held]))
    rules = (np.array([_only(figure)]) for figure in (kind.level, kind.rearm, kind.cooldown, kind.rearm_pct))
    only = np.array([0], dtype=np.intp)
    said = Said(only, np.array([True]), np.array([False]), *rules)
    return fire(memory, k, said)[0].size > 0


def _held_back(had_held: bool, kind: Kind, now: Snapshot, last: int, held: str = "has held") -> str:
    since = f" since it fired at {now.universe.day.time(last).astimezone(NEW_YORK):%H:%M}"
    if not had_held:
        wait = _only(kind.cooldown) - (int(now.k) - last)
        return f"in cooldown for {wait:g} minutes more{since}"
    percent = _only(kind.rearm_pct)
    breaks = _only(kind.rearm) != 0 and percent > 0
    remedy = f"; a break speaks again when its level has moved on by {percent:g} %" if breaks else ""
    return f"the trigger's condition {held}{since}, so it is no fresh rise{remedy}"


def _only(figure: Figure) -> float:
    """What it is of the only symbol."""
    return float(np.asarray(values_of(figure)).flat[0])

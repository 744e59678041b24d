"""Judging: the triggers of a scanner over the days of a history, as columns: those that the engine gives step by step.

A verdict over a whole day is the scanner's own `select`, `rank` and `trigger` on arrays `(minutes, symbols)`; edge,
cooldown and re-arm then run over the minutes in one compiled loop. Days are judged on all cores. A comparison that the
last few verdicts used is kept, so that moving one threshold compares one column.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from scanner_kit.arithmetic import compiled
from scanner_kit.composition import AnyScanner, fixed
from scanner_kit.conditions import Condition, full, nodes
from scanner_kit.errors import InvalidInput
from scanner_kit.metrics import Halt, Last, Metric
from scanner_kit.scanner import Kind, Verdict
from scanner_kit.snapshot import Severity, Snapshot
from scanner_kit.telling import Speaker
from scanner_kit.triggers import Trigger, stops
from scanner_kit.tuning.history import History, MeasuredDay, check_history, over_cores
from scanner_kit.universe import Bools, Floats, Rows
from scanner_kit.whole_day import at_cells, firings

LAST = Last()
BESIDE: tuple[Metric, ...] = (LAST, Halt())
"""What outcomes need beside a scanner's own metrics."""
KEPT_VERDICTS = 12
"""A condition that none of so many verdicts used is given up."""


@dataclass(frozen=True, eq=False)
class Fired:
    """Triggers of one scanner as columns `(n,)`, in order of day, k, symbol and kind; NaN is unknown.

    `day` is the place of the day in the history, `row` the symbol's row on that day, `kind` the place in `kinds`.
    """

    speaker: Speaker
    kinds: tuple[str, ...]
    day: Rows
    k: Rows
    row: Rows
    kind: Rows
    side: Floats
    price: Floats
    level: Floats
    score: Floats
    severity: Floats
    rank: Rows
    stop: Floats
    distance: Floats
    shares: Floats

    def __len__(self) -> int:
        return len(self.k)

    def take(self, which: Any) -> "Fired":
        """Some of the triggers, by a mask or by their places."""
        return Fired(self.speaker, self.kinds, *(getattr(self, name)[which] for name in COLUMNS))

    def symbols(self, history: History) -> list[str]:
        """The symbol of each."""
        names = [day.universe.symbols for day in history.days]
        return [names[day][row] for day, row in zip(self.day.tolist(), self.row.tolist(), strict=True)]

    def triggers(self, history: History) -> Iterator[Trigger]:
        """Each as the engine would give it."""
        names = self.speaker.names
        for i in range(len(self)):
            day, k, row = history.days[self.day[i]], int(self.k[i]), int(self.row[i])
            yield Trigger(
                day=day.day.date,
                k=k,
                time=day.day.time(k),
                session=day.day.session(k),
                symbol=day.universe.symbols[row],
                scanner=self.speaker.name,
                kind=self.kinds[self.kind[i]],
                side=int(self.side[i]),
                price=float(self.price[i]),
                level=float(self.level[i]),
                score=float(self.score[i]),
                severity=float(self.severity[i]),
                rank=int(self.rank[i]),
                stop=float(self.stop[i]),
                distance=float(self.distance[i]),
                shares=float(self.shares[i]),
                settings=self.speaker.settings,
                metrics={
                    name: float(day.values[metric][k, row])
                    for name, metric in zip(names, self.speaker.metrics, strict=True)
                },
            )


COLUMNS = tuple(f.name for f in fields(Fired))[2:]
PLACES = ("day", "k", "row", "kind", "rank")


def judge(history: History, scanner: AnyScanner) -> Fired:
    """What a scanner fires over every day of a history; metrics that are not measured yet are measured first.

    `InvalidInput` for a category, which never fires.
    """
    check_history(history)
    one = fixed(scanner)
    if not one.triggers:
        raise InvalidInput(
            f"{one.name} ranks and never triggers: there is nothing to tune. Give a scanner that has a trigger."
        )
    speaker = Speaker.of(one)
    history.require((*BESIDE, *speaker.metrics))
    days = list(over_cores(lambda day: _of_day(day, one, speaker), history.days))
    kinds = tuple(dict.fromkeys(kind for day in days for kind in day))
    parts = [
        {"day": np.full(columns["k"].size, i), "kind": np.full(columns["k"].size, kinds.index(kind)), **columns}
        for i, day in enumerate(days)
        for kind, columns in day.items()
    ]
    table = {name: np.concatenate([np.empty(0), *(part[name] for part in parts)]) for name in COLUMNS}
    order = np.lexsort([table[name] for name in ("kind", "row", "k", "day")])
    ordered: dict[str, Any] = {
        name: table[name][order].astype(np.intp if name in PLACES else np.float64) for name in COLUMNS
    }
    return Fired(speaker, kinds, **ordered)


def _of_day(day: MeasuredDay, scanner: AnyScanner, speaker: Speaker) -> dict[str, dict[str, Any]]:
    """The columns of each kind that a scanner fires on one day."""
    with np.errstate(all="ignore"):
        now = day.snapshot
        verdict = scanner.verdict(now)
        give_up_old(now, verdict)
        selected = np.ascontiguousarray(full(verdict.selected.true, now.shape))
        return {name: _columns(now, speaker, verdict, selected, kind) for name, kind in verdict.kinds.items()}


def _columns(now: Snapshot, speaker: Speaker, verdict: Verdict, selected: Bools, kind: Kind) -> dict[str, Any]:
    k, row = firings(kind, selected)
    side, level = (at_cells(figure, k, row) for figure in (kind.side, kind.level))
    price, atr, scores = now.values[LAST][k, row], now.universe.facts.atr_14d[row], verdict.score.values
    risk = stops(side, price, level, now.low[k, row], now.high[k, row], atr, speaker.stop_atr, speaker.risk)
    severity, rank = _compared(
        np.ascontiguousarray(now.of_those_there(scores)), selected, now.universe.liquid, k, row, Severity.fewest
    )
    columns = {"k": k, "row": row, "side": side, "price": price, "level": level, "score": scores[k, row]}
    return columns | {
        "severity": severity,
        "rank": rank,
        **dict(zip(("stop", "distance", "shares"), risk, strict=True)),
    }


def give_up_old(now: Snapshot, verdict: Verdict) -> None:
    """Forget the conditions of a day that none of the last verdicts used: a mask for every cell is large."""
    used: dict[Any, int] = now.memo.setdefault("used", {})
    turn = now.memo["turn"] = now.memo.get("turn", 0) + 1
    for node in nodes(*verdict.nodes()):
        used[id(node)] = turn
    old = [
        key
        for key, made in now.memo.items()
        if isinstance(made, Condition) and turn - used.get(id(made), 0) >= KEPT_VERDICTS
    ]
    for key in old:
        used.pop(id(now.memo.pop(key)), None)


@compiled
def _compared(scores: Floats, selected: Bools, liquid: Bools, k: Rows, row: Rows, fewest: int) -> tuple[Floats, Rows]:
    """Severity among the liquid symbols and rank among the selected of their minute, of some triggers."""
    severity, rank = np.empty(k.size), np.empty(k.size, dtype=np.int64)
    for n in range(k.size):
        own, its_row = scores[k[n], row[n]], row[n]
        unknown = np.isnan(own)
        peers, below, before = 0, 0, 0
        for i in range(scores.shape[1]):
            score = scores[k[n], i]
            known = not np.isnan(score)
            if known and (liquid[i] or i == its_row):
                peers += 1
                below += score <= own
            if selected[k[n], i]:
                above = known and (unknown or score > own)
                alike = score == own or (unknown and not known)
                before += above or (alike and i < its_row)
        severity[n] = np.nan if unknown or peers < fewest else 100.0 * below / peers
        rank[n] = 1 + before
    return severity, rank

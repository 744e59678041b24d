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
from scanner_kit.columns import values_of
from scanner_kit.composition import AnyScanner, fixed
from scanner_kit.conditions import Condition, full, nodes
from scanner_kit.errors import InvalidInput
from scanner_kit.metrics import Halt, Last, Metric
from scanner_kit.scanner import Figure, Kind, Verdict
from scanner_kit.snapshot import Severity, Snapshot
from scanner_kit.telling import Speaker
from scanner_kit.triggers import Trigger, stops
from scanner_kit.tuning.history import History, MeasuredDay, over_cores
from scanner_kit.universe import Bools, Floats, Rows

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
        selected = _whole(verdict.selected.true, now.shape)
        return {name: _columns(now, speaker, verdict, selected, kind) for name, kind in verdict.kinds.items()}


def _columns(now: Snapshot, speaker: Speaker, verdict: Verdict, selected: Bools, kind: Kind) -> dict[str, Any]:
    true, false = (_whole(mask, now.shape) for mask in (kind.condition.true, kind.condition.false))
    rules = (_rule(figure) for figure in (kind.level, kind.rearm, kind.cooldown, kind.rearm_pct))
    k, row = _firings(selected, true, false, *rules)
    side, level = (_picked(figure, k, row) for figure in (kind.side, kind.level))
    price, atr, scores = now.values[LAST][k, row], now.universe.facts.atr_14d[row], verdict.score.values
    risk = stops(side, price, level, now.low[k, row], now.high[k, row], atr, speaker.stop_atr, speaker.risk)
    severity, rank = _compared(np.ascontiguousarray(scores), selected, now.universe.liquid, k, row, Severity.fewest)
    columns = {"k": k, "row": row, "side": side, "price": price, "level": level, "score": scores[k, row]}
    return columns | {
        "severity": severity,
        "rank": rank,
        **dict(zip(("stop", "distance", "shares"), risk, strict=True)),
    }


def _whole(mask: Bools, shape: tuple[int, ...]) -> Bools:
    return np.ascontiguousarray(full(mask, shape))


def _rule(figure: Figure) -> Floats:
    """Numbers for each minute and symbol, or one for all, as an array of two dimensions."""
    return np.atleast_2d(np.ascontiguousarray(values_of(figure), dtype=np.float64))


def _picked(figure: Figure, k: Rows, row: Rows) -> Floats:
    values = values_of(figure)
    return np.full(k.size, values, dtype=np.float64) if np.ndim(values) == 0 else values[k, row].astype(np.float64)


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
def _firings(
    selected: Bools, true: Bools, false: Bools, level: Floats, rearm: Floats, cooldown: Floats, rearm_pct: Floats
) -> tuple[Rows, Rows]:
    """Where a kind fires over a day: the rules of `triggers.fire`, minute by minute."""
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

"""The judge: a snapshot in, lists and triggers out. Cheap, and all thresholds are here.

A step of the judge, for each scanner of the roster:

1. its verdict on the snapshot: who is selected, in what order, what it may say (`Scanner.verdict`);
2. a category becomes a list (`ranking.ordered`); the hot list through its memory (`Hot.heat`);
3. each kind of thing that it says goes through `triggers.fire`, the one home of edge, cooldown and re-arm;
4. what fires becomes a `Trigger` with its severity, rank and risk.

Whole days are judged by the same verdicts and the same `fire`, a row of the arrays after the other (`judge_day`).
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scanner_kit.composition import AnyScanner, Composite, fixed
from scanner_kit.conditions import Column, full
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.metrics import Last, Metric
from scanner_kit.ranking import Ranking, ordered
from scanner_kit.scanner import Kind, Verdict
from scanner_kit.scanners.hot import Heat, Hot, hottest
from scanner_kit.snapshot import Snapshot
from scanner_kit.triggers import Memory, Said, Trigger, fire, of_rows, stops
from scanner_kit.universe import Bools, Floats, Rows

Key = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Remembered:
    """Everything that the judge remembers from step to step."""

    memories: Mapping[Key, Memory] = field(default_factory=dict)
    heats: Mapping[str, Heat] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Judgement:
    """The lists and triggers of one step, and what is to be remembered of it."""

    lists: Mapping[str, Ranking]
    triggers: tuple[Trigger, ...]
    remembered: Remembered


class Judge:
    """Judges snapshots under a roster of scanners, each with a name of its own."""

    def __init__(self, scanners: Iterable[AnyScanner]) -> None:
        self.scanners: tuple[AnyScanner, ...] = tuple(fixed(scanner) for scanner in scanners)
        names = [scanner.name for scanner in self.scanners]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidInput(
                f"A scanner's name is unique in the roster; found twice: {', '.join(twice)}. "
                f"Name a variant with name='…' or .named('…')."
            )
        self._ids = {scanner.name: scanner.settings_id for scanner in self.scanners}
        self._metrics = {scanner.name: scanner.metrics() for scanner in self.scanners}
        self._hots = {scanner.name: hot for scanner in self.scanners if (hot := _hot_of(scanner)) is not None}

    def changed(self, values: Mapping[str, Mapping[str, Any]]) -> "Judge":
        """A judge under other thresholds, checked as a whole; this one stays as it is."""
        known = {scanner.name: scanner for scanner in self.scanners}
        for name in values:
            if name not in known:
                raise UnknownName.of("There is no scanner", name, known)
        return Judge(
            scanner.with_settings(**values[scanner.name]) if scanner.name in values else scanner
            for scanner in self.scanners
        )

    def metrics(self) -> tuple[Metric, ...]:
        """Every metric that a scanner of the roster uses."""
        return tuple(dict.fromkeys((Last(), *(metric for used in self._metrics.values() for metric in used))))

    def judge(
        self, now: Snapshot, remembered: Remembered, *, fires: bool = True, instant: dt.datetime | None = None
    ) -> Judgement:
        """The lists and triggers of one step.

        With `fires` off nothing is said and no edge moves, as on a forming step that is only shown.
        """
        lists: dict[str, Ranking] = {}
        heats, memories = dict(remembered.heats), dict(remembered.memories)
        triggers: list[Trigger] = []
        for scanner in self.scanners:
            verdict = scanner.verdict(now)
            name, hot = scanner.name, self._hots.get(scanner.name)
            if hot is not None:
                heats[name], lists[name] = _hot(hot, name, verdict, now, heats.get(name))
            elif not scanner.triggers:
                lists[scanner.name] = _list(scanner, verdict, now)
            elif fires:
                triggers.extend(self._speak(scanner, verdict, now, memories, instant))
        if now.forming:
            heats = dict(remembered.heats)
        return Judgement(lists, in_tape_order(triggers), Remembered(memories, heats))

    def _speak(
        self,
        scanner: AnyScanner,
        verdict: Verdict,
        now: Snapshot,
        memories: dict[Key, Memory],
        instant: dt.datetime | None,
    ) -> Iterator[Trigger]:
        for name, kind in verdict.kinds.items():
            key = (scanner.name, name)
            before = memories.get(key) or Memory.blank(len(now))
            rows, memories[key] = fire(before, int(now.k), _said(verdict, kind, now), forming=now.forming)
            if rows.size:
                selected = full(verdict.selected.true, now.shape)
                yield from self.told(scanner, name, now, rows, selected, verdict.score, kind, instant)

    def told(
        self,
        scanner: AnyScanner,
        name: str,
        now: Snapshot,
        rows: Rows,
        selected: Bools,
        score: Column,
        kind: Kind,
        instant: dt.datetime | None = None,
    ) -> Iterator[Trigger]:
        """The triggers of the rows that fire at an instant, with severity, rank and risk."""
        side, level = of_rows(kind.side, rows), of_rows(kind.level, rows).astype(np.float64)
        price, atr, scores = now[Last()].values[rows], now.universe.facts.atr_14d[rows], score.values
        risk = stops(side, price, level, now.low[rows], now.high[rows], atr, scanner.stop_atr, scanner.risk)
        severity, ranks = now.severity(score).of(rows), _ranks(selected, scores, rows)
        figures = (price, level, scores[rows], severity, ranks, *risk)
        used = self._metrics[scanner.name]
        metrics = zip(*(now[metric].values[rows].tolist() for metric in used), strict=True)
        names, symbols = [metric.name for metric in used], now.universe.symbols
        day, k, session, settings = now.universe.day, int(now.k), now.session, self._ids[scanner.name]
        time = instant or day.time(k)
        columns = zip(rows.tolist(), side.tolist(), metrics, *(figure.tolist() for figure in figures), strict=True)
        for row, way, values, last, at, its, severe, rank, stop, distance, shares in columns:
            yield Trigger(
                day=day.date,
                k=k,
                time=time,
                session=session,
                symbol=symbols[row],
                scanner=scanner.name,
                kind=name,
                side=int(way),
                price=last,
                level=at,
                score=its,
                severity=severe,
                rank=rank,
                stop=stop,
                distance=distance,
                shares=shares,
                settings=settings,
                metrics=dict(zip(names, values, strict=True)),
                intrabar=now.forming,
            )


def judge_day(day: Snapshot, scanners: Sequence[AnyScanner]) -> tuple[Trigger, ...]:
    """Every trigger of a whole day, from its snapshot `(minutes, symbols)`.

    Those that the steps give one after the other.
    """
    judge = Judge(scanners)
    triggers: list[Trigger] = []
    with np.errstate(all="ignore"):
        for scanner in judge.scanners:
            verdict = scanner.verdict(day)
            for name, kind in verdict.kinds.items():
                for k, rows in _firings(day, verdict, kind):
                    triggers.extend(judge.told(scanner, name, day.at(k), rows, *_at(day, verdict, kind, k)))
    return in_tape_order(triggers)


def _said_over_day(verdict: Verdict, kind: Kind, day: Snapshot) -> Callable[[int], Said]:
    """What a scanner's kind says over a whole day, minute by minute."""
    said = _said(verdict, kind, day)
    return lambda k: Said(*(at_minute(getattr(said, name), k) for name in Said.__dataclass_fields__))


def _firings(day: Snapshot, verdict: Verdict, kind: Kind) -> Iterator[tuple[int, Rows]]:
    said, memory = _said_over_day(verdict, kind, day), Memory.blank(len(day))
    for k in range(day.shape[0]):
        rows, memory = fire(memory, k, said(k))
        if rows.size:
            yield k, rows


def _at(day: Snapshot, verdict: Verdict, kind: Kind, k: int) -> tuple[Bools, Column, Kind]:
    selected = full(verdict.selected.true, day.shape)[k]
    score = Column(verdict.score.values[k], verdict.score.label)
    return selected, score, replace(kind, level=at_minute(kind.level, k), side=at_minute(kind.side, k))


def at_minute(value: Any, k: int) -> Any:
    """Row `k` of an array over minutes and symbols; anything else as it is."""
    array = np.asarray(value)
    return array[k] if array.ndim == 2 else value


def in_tape_order(triggers: Iterable[Trigger]) -> tuple[Trigger, ...]:
    """By minute, then scanner, symbol and kind."""
    return tuple(sorted(triggers, key=lambda t: (t.k, t.scanner, t.symbol, t.kind)))


def _list(scanner: AnyScanner, verdict: Verdict, now: Snapshot) -> Ranking:
    return _ranking(scanner.name, now, *ordered(verdict, now, scanner.top))


def _hot_of(scanner: AnyScanner) -> Hot | None:
    """Whose memory a list is kept with: the hot list's, also where it is the head of an `&`."""
    if isinstance(scanner, Composite):
        head = scanner.sides[0].head
        return (
            head.with_settings(top=scanner.top).fixed() if len(scanner.sides) == 1 and isinstance(head, Hot) else None
        )
    return scanner if isinstance(scanner, Hot) else None


def _hot(scanner: Hot, name: str, verdict: Verdict, now: Snapshot, before: Heat | None) -> tuple[Heat, Ranking]:
    eligible = full(verdict.selected.true, now.shape)
    heat = scanner.heat(before or Heat.cold(len(now)), verdict.score.values, eligible)
    rows = hottest(heat.s, heat.members)
    return heat, _ranking(name, now, rows, heat.s[rows])


def _ranking(name: str, now: Snapshot, rows: Rows, scores: Floats) -> Ranking:
    symbols = now.universe.symbols
    return Ranking(name, tuple(symbols[row] for row in rows.tolist()), tuple(scores.tolist()))


def _said(verdict: Verdict, kind: Kind, now: Snapshot) -> Said:
    true, false = kind.condition.true, kind.condition.false
    due, true, false = (full(mask, now.shape) for mask in (verdict.selected.true & true, true, false))
    return Said(due, true, false, kind.level, kind.rearm, kind.cooldown, kind.rearm_pct)


def _ranks(selected: Bools, scores: Floats, rows: Rows) -> Rows:
    """The rank, from 1, of some rows among the selected.

    By score, the largest first and the unknown last, then by symbol.
    """
    chosen = np.flatnonzero(selected)
    theirs = np.where(np.isnan(scores[chosen]), -np.inf, scores[chosen])
    own = np.where(np.isnan(scores[rows]), -np.inf, scores[rows])[:, None]
    above = (theirs > own) | ((theirs == own) & (chosen < rows[:, None]))
    return np.asarray(1 + np.count_nonzero(above, axis=1))
